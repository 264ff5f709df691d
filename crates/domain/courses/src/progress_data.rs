use std::cmp::Ordering;
use std::collections::BTreeMap;

use domain_kernel::FieldProblem;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::canonical::{canonical_object, compare};
use crate::json;

/// A share of a course, 0 to 100.
#[derive(Debug, Clone, Copy)]
pub struct Percent(f64);

impl Percent {
    /// Nothing of it.
    pub const ZERO: Self = Self(0.0);
    /// All of it.
    pub const FULL: Self = Self(100.0);

    /// Checks the range.
    pub fn parse(raw: f64) -> Result<Self, FieldProblem> {
        if (0.0..=100.0).contains(&raw) {
            return Ok(Self(raw.abs())); // -0 is 0
        }
        Err(FieldProblem { code: "invalid", message: "must be from 0 to 100".into() })
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(percent: f64) -> Self {
        Self(percent)
    }

    /// The number.
    pub fn value(self) -> f64 {
        self.0
    }
}

impl PartialEq for Percent {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Percent {}

impl PartialOrd for Percent {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Percent {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// SHA-256 of a [`ProgressData`] in its canonical spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProgressHash([u8; 32]);

impl ProgressHash {
    /// Reads back what was stored.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What a player tells of its progress: a JSON object of at most 64 KiB in canonical spelling. Three of its fields are
/// counters, which only grow; the rest is the player's own business.
///
/// - `percent`: a number from 0 to 100; the greatest counts.
/// - `furthest_ms`: a number; the greatest counts.
/// - `answered`: a list or an object, of which every entry counts, or a number, of which the greatest does. Of two values
///   under one name the greater counts (numbers by size, else by text). An object outweighs a list, a list a number.
///
/// A counter of another kind is not one: it is kept like any other field until an event brings a right one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProgressData(Map<String, Value>);

impl ProgressData {
    /// Most KiB of one event's progress, written without blanks.
    pub const MAX_KIB: usize = 64;
    /// Most entries of `answered`. Events can add to it without end; the smallest stay, whatever the order.
    pub const MAX_ANSWERS: usize = 1000;
    /// Most bytes of an entry of `answered`, name and value together. A longer one is left out.
    pub const MAX_ANSWER_BYTES: usize = 256;

    /// Checks kind, size and percent.
    pub fn parse(raw: Value) -> Result<Self, FieldProblem> {
        let fields = canonical_object(json::parse_object(raw, Self::MAX_KIB)?);
        if let Some(percent) = fields.get("percent") {
            // What is no number is not between 0 and 100 either.
            Percent::parse(percent.as_f64().unwrap_or(f64::NAN)).map_err(|problem| FieldProblem {
                message: "must have a percent from 0 to 100".into(),
                ..problem
            })?;
        }
        Ok(Self(fields))
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(fields: Map<String, Value>) -> Self {
        Self(canonical_object(fields))
    }

    /// The fields of the object.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The object, for storage and for the wire.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// How much of the course is done, if it says so.
    pub fn percent(&self) -> Option<Percent> {
        self.0.get("percent").and_then(Value::as_f64).and_then(|percent| Percent::parse(percent).ok())
    }

    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells two pieces of progress apart.
    pub fn hash(&self) -> ProgressHash {
        ProgressHash(Sha256::digest(Value::Object(self.0.clone()).to_string()).into())
    }

    /// Adds the counters of `other`.
    #[must_use]
    pub(crate) fn counting(mut self, other: &Self) -> Self {
        for name in ["percent", "furthest_ms", "answered"] {
            let values = [self.0.get(name), other.0.get(name)];
            let joined = if name == "answered" { all_answers(values) } else { greatest_number(values) };
            if let Some(joined) = joined {
                self.0.insert(name.to_owned(), joined);
            }
        }
        // An inserted field stands last where maps keep the order of insertion.
        Self(canonical_object(self.0))
    }
}

fn greatest_number(values: [Option<&Value>; 2]) -> Option<Value> {
    values.into_iter().flatten().filter(|value| value.is_number()).max_by(|a, b| compare(a, b)).cloned()
}

fn all_answers(values: [Option<&Value>; 2]) -> Option<Value> {
    let objects = values.map(|value| value.and_then(Value::as_object));
    if objects.iter().any(Option::is_some) {
        return Some(Value::Object(all_named(objects.into_iter().flatten().flatten())));
    }
    let lists = values.map(|value| value.and_then(Value::as_array));
    if lists.iter().all(Option::is_none) {
        return greatest_number(values);
    }
    let mut answers: Vec<_> =
        lists.into_iter().flatten().flatten().filter(|answer| fits("", answer)).cloned().collect();
    answers.sort_by(compare);
    answers.dedup();
    answers.truncate(ProgressData::MAX_ANSWERS);
    Some(Value::Array(answers))
}

fn all_named<'a>(entries: impl Iterator<Item = (&'a String, &'a Value)>) -> Map<String, Value> {
    let mut answers: BTreeMap<&String, &Value> = BTreeMap::new();
    for (name, value) in entries.filter(|(name, value)| fits(name, value)) {
        let greatest = answers.entry(name).or_insert(value);
        if compare(value, greatest).is_gt() {
            *greatest = value;
        }
    }
    answers
        .into_iter()
        .take(ProgressData::MAX_ANSWERS)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn fits(name: &str, value: &Value) -> bool {
    name.len() + value.to_string().len() <= ProgressData::MAX_ANSWER_BYTES
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn data(raw: Value) -> ProgressData {
        ProgressData::parse(raw).expect("progress")
    }

    fn joined(a: Value, b: Value) -> Value {
        let (a, b) = (data(a), data(b));
        let both = a.clone().counting(&b);
        for field in ["percent", "furthest_ms", "answered"] {
            assert_eq!(both.0.get(field), b.clone().counting(&a).0.get(field), "either way");
        }
        both.into_value()
    }

    #[test]
    fn a_percent_is_a_number_from_0_to_100() {
        for percent in [json!(0), json!(-0.0), json!(33.3), json!(100), json!(100.0)] {
            assert!(ProgressData::parse(json!({ "percent": percent })).is_ok(), "{percent}");
        }
        for percent in [json!(-0.1), json!(100.1), json!("50"), json!(null), json!([50])] {
            let code = ProgressData::parse(json!({ "percent": percent })).map_err(|problem| problem.code);
            assert_eq!(code, Err("invalid"), "{percent}");
        }
    }

    #[test]
    fn progress_is_an_object_of_at_most_64_kib() {
        assert_eq!(ProgressData::parse(json!("half")).map_err(|p| p.code), Err("invalid"));
        let long = json!({ "notes": "x".repeat(64 * 1024) });
        assert_eq!(ProgressData::parse(long).map_err(|p| p.code), Err("too_long"));
    }

    #[test]
    fn one_progress_has_one_hash() {
        let parsed = |text: &str| data(serde_json::from_str(text).expect("JSON"));
        let hash = parsed(r#"{"a":1,"b":{"c":[2.5],"d":1e3}}"#).hash();
        assert_eq!(parsed(r#" {"b" : {"d":1000, "c":[2.50]}, "a":1.0}"#).hash(), hash);
        assert_ne!(parsed(r#"{"a":1,"b":{"c":["2.5"],"d":1e3}}"#).hash(), hash);
    }

    #[test]
    fn counters_take_the_greatest_number() {
        assert_eq!(
            joined(json!({ "percent": 9, "furthest_ms": 10.5 }), json!({ "percent": 10, "furthest_ms": 9 })),
            json!({ "percent": 10, "furthest_ms": 10.5 })
        );
        assert_eq!(
            joined(json!({ "furthest_ms": "far" }), json!({ "furthest_ms": 9 })),
            json!({ "furthest_ms": 9 })
        );
    }

    #[test]
    fn answers_add_up() {
        for (a, b, both) in [
            (json!(["q2", 10]), json!([9, "q1", "q2"]), json!([9, 10, "q1", "q2"])),
            (json!({ "q1": 1 }), json!({ "q2": 2 }), json!({ "q1": 1, "q2": 2 })),
            (json!({ "q1": 9 }), json!({ "q1": 10 }), json!({ "q1": 10 })),
            (json!({ "q1": true }), json!({ "q1": false }), json!({ "q1": true })),
            (json!(["q1"]), json!({ "q2": 2 }), json!({ "q2": 2 })),
            (json!(3), json!(12), json!(12)),
            (json!(3), json!(["q1"]), json!(["q1"])),
            (json!([]), json!("none"), json!([])),
        ] {
            assert_eq!(
                joined(json!({ "answered": a }), json!({ "answered": b })),
                json!({ "answered": both })
            );
        }
    }

    #[test]
    fn answers_do_not_grow_without_end() {
        let list = |from: usize| json!({ "answered": (from..from + 900).collect::<Vec<_>>() });
        let both = joined(list(500), list(0));
        assert_eq!(both["answered"], json!((0..1000).collect::<Vec<_>>()));
        let long = "x".repeat(256);
        for (told, kept) in
            [(json!([long, "q"]), json!(["q"])), (json!({ long: 1, "q": 1 }), json!({ "q": 1 }))]
        {
            assert_eq!(joined(json!({ "answered": told }), json!({})), json!({ "answered": kept }));
        }
    }
}
