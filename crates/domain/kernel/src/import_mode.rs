/// What people mean who are not in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportMode {
    /// Nothing: the file holds changes only.
    Delta,
    /// That they have left: the file holds everybody.
    Snapshot,
}

impl ImportMode {
    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delta => "delta",
            Self::Snapshot => "snapshot",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Delta, Self::Snapshot].into_iter().find(|mode| mode.as_str() == text)
    }
}
