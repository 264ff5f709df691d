use crate::FieldProblem;

/// A language in two lower-case letters, ISO 639-1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LanguageCode(String);

/// English, until somebody says otherwise.
impl Default for LanguageCode {
    fn default() -> Self {
        Self("en".into())
    }
}

impl LanguageCode {
    /// Parses two letters of any case.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        if raw.len() == 2 && raw.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Ok(Self(raw.to_ascii_lowercase()));
        }
        Err(FieldProblem {
            code: "invalid",
            message: "must be a language code of two letters (ISO 639-1)".into(),
        })
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(code: String) -> Self {
        Self(code)
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_two_letters() {
        assert_eq!(LanguageCode::parse("ES").map(|code| code.as_str().to_owned()), Ok("es".into()));
        for raw in ["", "e", "eng", "e1", "é"] {
            assert!(LanguageCode::parse(raw).is_err(), "{raw:?}");
        }
    }
}
