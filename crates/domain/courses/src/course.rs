use chrono::{DateTime, Utc};
use domain_kernel::{CourseId, FieldProblem, LanguageCode, OrgId, TextRule, parse_text};

use crate::Edition;

/// Name of a course: 1 to 200 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourseName(String);

impl CourseName {
    /// Parses what a person typed.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        parse_text(raw, TextRule { min: 1, max: 200 }).map(Self)
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

/// What a course is about: 1 to 5,000 characters, line breaks kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description(String);

impl Description {
    /// Parses what a person typed.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        let text = raw.trim();
        if text.is_empty() {
            return Err(FieldProblem { code: "blank", message: "can't be blank; send null for none".into() });
        }
        if text.chars().count() > 5000 {
            return Err(FieldProblem {
                code: "too_long",
                message: "is too long (maximum is 5000 characters)".into(),
            });
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(FieldProblem {
                code: "invalid",
                message: "must not contain control characters".into(),
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A course of the library, which every organization may use, or of one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Key.
    pub id: CourseId,
    /// Whose it is; none for the library.
    pub organization: Option<OrgId>,
    /// Name.
    pub name: CourseName,
    /// What it is about.
    pub description: Option<Description>,
    /// Whether everybody takes it first.
    pub basics: bool,
    /// Place in the order of the basics, smallest first.
    pub position: i32,
    /// The languages it comes in.
    pub language_codes: Vec<LanguageCode>,
    /// The version that learners who start now are given. Changed through the versions only.
    pub published: Option<Edition>,
    /// Set once it is archived.
    pub archived_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Course {
    /// In alphabetical order, each once.
    pub(crate) fn in_order(mut language_codes: Vec<LanguageCode>) -> Vec<LanguageCode> {
        language_codes.sort();
        language_codes.dedup();
        language_codes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_keeps_its_lines() {
        assert_eq!(Description::parse(" a\nb ").map(|text| text.as_str().to_owned()), Ok("a\nb".into()));
        assert!(Description::parse("a\u{0}").is_err());
    }
}
