use std::fmt;

use crate::FieldProblem;

/// The six letters and digits that let a person take a membership. Kept in upper case, accepted in any.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct InviteCode(String);

impl InviteCode {
    /// Letters and digits of new codes: without `0`, `1`, `I`, `L` and `O`, which people mix up on paper.
    pub const ALPHABET: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";

    /// Length of a code.
    pub const LENGTH: usize = 6;

    /// Parses what a person typed: exactly six letters or digits, case ignored, outer blanks ignored.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        let code = raw.trim().to_ascii_uppercase();
        if code.len() == Self::LENGTH && code.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Ok(Self(code));
        }
        Err(FieldProblem { code: "invalid", message: "must be 6 letters or digits".into() })
    }

    /// The code for six indices into [`ALPHABET`](Self::ALPHABET); larger ones wrap around.
    pub fn from_indices(indices: [usize; Self::LENGTH]) -> Self {
        Self(indices.iter().map(|&i| char::from(Self::ALPHABET[i % Self::ALPHABET.len()])).collect())
    }

    /// The code in upper case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hidden: whoever reads a code in a log could take the membership.
impl fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_letters_or_digits_in_any_case_are_a_code() {
        assert_eq!(InviteCode::parse(" 289bzp ").map(|c| c.as_str().to_owned()), Ok("289BZP".to_owned()));
        for raw in ["", "289BZ", "289BZPP", "289-ZP", "28９BZP", "289BZ\u{0}"] {
            assert!(InviteCode::parse(raw).is_err(), "{raw:?}");
        }
    }

    #[test]
    fn new_codes_have_no_look_alikes() {
        assert!(InviteCode::ALPHABET.iter().all(|c| !b"01ILO".contains(c)));
        assert_eq!(InviteCode::from_indices([0, 30, 31, 1, 2, 3]).as_str(), "2Z2345");
    }
}
