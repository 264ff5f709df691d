use std::fmt;

use crate::FieldProblem;

/// Bounds for a line of text a person typed, in characters.
#[derive(Debug, Clone, Copy)]
pub struct TextRule {
    /// Fewest characters, after trimming.
    pub min: usize,
    /// Most characters, after trimming.
    pub max: usize,
}

/// Trims `raw`, folds inner white space to single blanks and checks it against `rule`.
///
/// Control characters are refused: they break headers, logs and CSV files, and PostgreSQL cannot store NUL.
pub fn parse_text(raw: &str, rule: TextRule) -> Result<String, FieldProblem> {
    let text = raw.split_whitespace().collect::<Vec<_>>().join(" ");
    let length = text.chars().count();
    if text.chars().any(char::is_control) {
        return Err(FieldProblem { code: "invalid", message: "must not contain control characters".into() });
    }
    if length == 0 && rule.min > 0 {
        return Err(FieldProblem::blank());
    }
    if length < rule.min {
        let message = format!("is too short (minimum is {} characters)", rule.min);
        return Err(FieldProblem { code: "too_short", message });
    }
    if length > rule.max {
        let message = format!("is too long (maximum is {} characters)", rule.max);
        return Err(FieldProblem { code: "too_long", message });
    }
    Ok(text)
}

/// A first or last name: 1 to 100 characters of any script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonName(String);

impl PersonName {
    /// Parses what a person typed.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        parse_text(raw, TextRule { min: 1, max: 100 }).map(Self)
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(name: String) -> Self {
        Self(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An e-mail address in lower case, at most 254 printable ASCII characters.
///
/// Only the shape is checked (one `@`, a dot in the domain, no blanks): whether mail arrives is known only by sending.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Trims, lower-cases and checks an address.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        let address = raw.trim().to_ascii_lowercase();
        let invalid = || FieldProblem { code: "invalid", message: "is not an e-mail address".into() };
        let (local, domain) = address.split_once('@').ok_or_else(invalid)?;
        let labels_are_good = domain.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        });
        let local_is_good = !local.is_empty()
            && local.len() <= 64
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && local.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b));
        if !local_is_good || !labels_are_good || !domain.contains('.') || address.len() > 254 {
            return Err(invalid());
        }
        Ok(Self(address))
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(address: String) -> Self {
        Self(address)
    }

    /// The address in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The customer's own number for a person or a team: 1 to 100 characters, unique among these in the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalId(String);

impl ExternalId {
    /// Parses what a roster holds.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        parse_text(raw, TextRule { min: 1, max: 100 }).map(Self)
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(id: String) -> Self {
        Self(id)
    }

    /// The number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What somebody typed to find people by name: 1 to 200 characters. What is neither letter nor digit only parts words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchWords(String);

impl SearchWords {
    /// Most characters.
    pub const MAX: usize = 200;

    /// Parses what a person typed.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        let text = raw.trim();
        if text.is_empty() {
            return Err(FieldProblem::blank());
        }
        if text.chars().count() > Self::MAX {
            return Err(FieldProblem {
                code: "too_long",
                message: "is too long (maximum is 200 characters)".into(),
            });
        }
        // PostgreSQL takes no NUL, and the other ones are in no name.
        Ok(Self(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()))
    }

    /// The words as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_any_script_are_kept_and_white_space_is_folded() {
        for (raw, kept) in
            [("  Zoë  van   Dijk ", "Zoë van Dijk"), ("作業員", "作業員"), ("O'Brien-Łódź", "O'Brien-Łódź")]
        {
            assert_eq!(PersonName::parse(raw).map(|name| name.to_string()), Ok(kept.to_owned()));
        }
    }

    #[test]
    fn blank_long_and_unprintable_names_are_refused() {
        for (raw, code) in [("   ", "blank"), ("a\u{0}b", "invalid"), ("\u{7}", "invalid")] {
            assert_eq!(PersonName::parse(raw).map_err(|p| p.code), Err(code), "{raw:?}");
        }
        assert_eq!(PersonName::parse(&"x".repeat(101)).map_err(|p| p.code), Err("too_long"));
    }

    #[test]
    fn words_to_search_for_may_hold_anything_but_must_be_there() {
        for raw in ["", "  ", "\t"] {
            assert_eq!(SearchWords::parse(raw).map_err(|p| p.code), Err("blank"), "{raw:?}");
        }
        assert_eq!(SearchWords::parse(&"x".repeat(201)).map_err(|p| p.code), Err("too_long"));
        assert_eq!(SearchWords::parse("a\u{0}&").map(|words| words.as_str().to_owned()), Ok("a &".into()));
    }

    #[test]
    fn addresses_are_lower_cased_and_trimmed() {
        assert_eq!(
            EmailAddress::parse(" Ann.Lee@Example.ORG ").map(|a| a.to_string()),
            Ok("ann.lee@example.org".into())
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for raw in [
            "",
            "a",
            "a@b",
            "a b@example.org",
            "a@@example.org",
            "a@-x.org",
            "a@example..org",
            "é@example.org",
            "a\u{0}@example.org",
        ] {
            assert!(EmailAddress::parse(raw).is_err(), "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_is_idempotent(raw in any::<String>()) {
            if let Ok(name) = PersonName::parse(&raw) {
                prop_assert_eq!(PersonName::parse(name.as_str()), Ok(name.clone()));
            }
            if let Ok(address) = EmailAddress::parse(&raw) {
                prop_assert_eq!(EmailAddress::parse(address.as_str()), Ok(address.clone()));
            }
        }
    }
}
