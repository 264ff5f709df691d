use unicode_normalization::UnicodeNormalization;

use crate::{FieldProblem, TextRule, parse_text};

/// A job title as somebody wrote it: 1 to 100 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobTitle {
    text: String,
    key: JobTitleKey,
}

impl JobTitle {
    /// Parses what a person typed.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        let text = parse_text(raw, TextRule { min: 1, max: 100 })?;
        let key = JobTitleKey(fold(&text));
        if key.0.is_empty() {
            return Err(FieldProblem::blank());
        }
        Ok(Self { text, key })
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since. The key is made anew, so
    /// that one which an older rule made is put right by the next write.
    pub fn from_stored(text: String) -> Self {
        let key = JobTitleKey(fold(&text));
        Self { text, key }
    }

    /// The title as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it is found by.
    pub fn key(&self) -> &JobTitleKey {
        &self.key
    }
}

/// What a job title is found by, so that `Forklift  Driver`, `forklift driver` and `FORKLIFT DRIVER` are one: trimmed,
/// with single blanks, in lower case and without accents.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobTitleKey(String);

impl JobTitleKey {
    /// Makes the key of what a roster holds. A title of accents alone is as good as blank.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        JobTitle::parse(raw).map(|title| title.key)
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(key: String) -> Self {
        Self(key)
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Decomposes, drops the accents, lowers the case, and puts together again what was no accent: Korean syllables and the
/// voicing marks of Japanese.
fn fold(text: &str) -> String {
    let plain: String = text.nfkd().filter(|c| !is_accent(*c)).collect();
    let mut folded = String::with_capacity(plain.len());
    plain.to_lowercase().chars().for_each(|c| plain_letters(c, &mut folded));
    // Decomposing makes blanks out of some characters, hence once more.
    folded.nfc().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The blocks of combining diacritics. Not every combining mark is an accent: without the marks of Thai, Hindi or
/// Japanese another word is left.
fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36F}'
        | '\u{1AB0}'..='\u{1AFF}'
        | '\u{1DC0}'..='\u{1DFF}'
        | '\u{20D0}'..='\u{20FF}'
        | '\u{FE20}'..='\u{FE2F}')
}

/// Lower-case letters that Unicode holds to be letters of their own, and what a keyboard without them writes; also the
/// two that case folding merges and lower-casing does not.
fn plain_letters(c: char, folded: &mut String) {
    match c {
        'ß' => folded.push_str("ss"),
        'ς' => folded.push('σ'),
        'ı' => folded.push('i'),
        'æ' => folded.push_str("ae"),
        'œ' => folded.push_str("oe"),
        'ø' => folded.push('o'),
        'ł' => folded.push('l'),
        'đ' | 'ð' => folded.push('d'),
        'þ' => folded.push_str("th"),
        other => folded.push(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(raw: &str) -> Result<String, &'static str> {
        JobTitleKey::parse(raw).map(|key| key.as_str().to_owned()).map_err(|problem| problem.code)
    }

    #[test]
    fn case_blanks_and_accents_do_not_matter() {
        for (raw, folded) in [
            ("  Forklift \t Driver ", "forklift driver"),
            ("Forklift\u{A0}Driver", "forklift driver"),
            ("FORKLIFT DRIVER", "forklift driver"),
            ("Opérateur de Quai", "operateur de quai"),
            ("Ope\u{301}rateur de quai", "operateur de quai"),
            ("STRASSENWÄRTER", "strassenwarter"),
            ("Straßenwärter", "strassenwarter"),
            ("STRAẞENWÄRTER", "strassenwarter"),
            ("İŞÇİ", "isci"),
            ("işçi", "isci"),
            ("KATI", "kati"),
            ("katı", "kati"),
            ("ΟΔΗΓΌΣ", "οδηγοσ"),
            ("οδηγός", "οδηγοσ"),
            ("Kierowca wózka widłowego", "kierowca wozka widlowego"),
            ("Ｄｒｉｖｅｒ", "driver"),
            ("Oﬃce", "office"),
        ] {
            assert_eq!(key(raw).as_deref(), Ok(folded), "{raw}");
        }
    }

    #[test]
    fn marks_that_are_no_accents_stay() {
        for (raw, same) in [
            ("作業員", "作業員"),
            ("ガス係", "ガス係"),
            ("ｶﾞｽ係", "ガス係"),
            ("운전사", "운전사"),
            ("\u{110B}\u{116E}\u{11AB}전사", "운전사"),
            ("พนักงานขับรถ", "พน\u{E31}กงานข\u{E31}บรถ"),
            ("ड्राइवर", "ड्राइवर"),
        ] {
            assert_eq!(key(raw).as_deref(), Ok(same), "{raw}");
        }
        assert_ne!(key("カス"), key("ガス"), "other words");
    }

    #[test]
    fn blank_long_and_unprintable_titles_are_refused() {
        assert_eq!(key(" "), Err("blank"));
        assert_eq!(key("\u{B4}"), Err("blank"), "a lone accent");
        assert_eq!(key(&"x".repeat(101)), Err("too_long"));
        assert_eq!(key("a\u{0}"), Err("invalid"));
    }

    #[test]
    fn a_title_keeps_its_spelling_beside_its_key() {
        let title = JobTitle::parse(" Dock  Worker ").expect("a title");
        assert_eq!((title.as_str(), title.key().as_str()), ("Dock Worker", "dock worker"));
    }

    proptest! {
        #[test]
        fn the_key_of_a_key_is_the_key(raw in any::<String>()) {
            let once = fold(&raw);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn case_and_surrounding_blanks_never_change_the_key(raw in "[a-zA-ZÀ-žΑ-ωА-я ]{1,30}") {
            prop_assert_eq!(key(&raw), key(&format!("  {}  ", raw.to_uppercase())));
        }
    }
}
