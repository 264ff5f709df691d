use std::fmt::Write as _;

use crate::FieldProblem;

/// By what people are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKey {
    /// First name.
    First,
    /// Last name.
    Last,
}

impl NameKey {
    /// What a client may write.
    pub const WORDS: [(&str, Self); 2] = [("first_name", Self::First), ("last_name", Self::Last)];
}

/// One step of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey<K> {
    /// By what.
    pub by: K,
    /// Whether from the last to the first.
    pub is_descending: bool,
}

/// An order of a list: by the first key, among equals by the second, and so on; in the end by id, so that no row is on two
/// pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort<K>(Vec<SortKey<K>>);

impl<K: Copy + PartialEq> Sort<K> {
    /// Reads a comma list of `words`, each with `-` in front for descending. A word that comes twice counts once.
    pub fn parse(raw: &str, words: &[(&str, K)]) -> Result<Self, FieldProblem> {
        let mut keys: Vec<SortKey<K>> = Vec::new();
        for part in raw.split(',').map(str::trim) {
            let (is_descending, name) = part.strip_prefix('-').map_or((false, part), |name| (true, name));
            let Some((_, by)) = words.iter().find(|(word, _)| *word == name) else {
                return Err(Self::unknown(words));
            };
            if keys.iter().all(|key| key.by != *by) {
                keys.push(SortKey { by: *by, is_descending });
            }
        }
        Ok(Self(keys))
    }

    /// Ascending, by each of these.
    pub fn by(keys: impl IntoIterator<Item = K>) -> Self {
        Self(keys.into_iter().map(|by| SortKey { by, is_descending: false }).collect())
    }

    /// The steps.
    pub fn keys(&self) -> &[SortKey<K>] {
        &self.0
    }

    fn unknown(words: &[(&str, K)]) -> FieldProblem {
        let mut message = "may only hold, each with - in front for descending:".to_owned();
        for (index, (word, _)) in words.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // Writing to a text cannot fail.
            let _ = write!(message, "{comma} {word}");
        }
        FieldProblem { code: "unknown", message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(raw: &str) -> Result<Vec<(NameKey, bool)>, String> {
        let sort = Sort::parse(raw, &NameKey::WORDS).map_err(|problem| problem.message)?;
        Ok(sort.keys().iter().map(|key| (key.by, key.is_descending)).collect())
    }

    #[test]
    fn an_order_is_a_list_of_words_with_a_minus_for_descending() {
        assert_eq!(parsed("first_name,-last_name"), Ok(vec![(NameKey::First, false), (NameKey::Last, true)]));
        assert_eq!(parsed("-last_name,last_name"), Ok(vec![(NameKey::Last, true)]), "the first one counts");
    }

    #[test]
    fn an_unknown_word_is_answered_with_those_that_are_known() {
        for raw in ["", "name", "first_name,", "--first_name", "first_name;drop table users"] {
            let message = parsed(raw).expect_err("refused");
            assert!(message.ends_with("first_name, last_name"), "{raw}: {message}");
        }
    }
}
