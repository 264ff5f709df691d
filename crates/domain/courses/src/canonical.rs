//! One spelling for each JSON value, and an order of values: what merging progress in any order rests on.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

/// The largest whole number below which every other one is a double too.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The one way to write a value: fields in order of their names, and each number, which is a double as in RFC 8785,
/// without a fraction of zero. Two spellings of one value become equal and print the same text, before and after
/// storage, which writes `1e5` as `100000`.
pub(crate) fn canonical(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(canonical_number(number)),
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        Value::Object(fields) => Value::Object(canonical_object(fields)),
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

/// [`canonical`] for an object.
pub(crate) fn canonical_object(fields: Map<String, Value>) -> Map<String, Value> {
    let mut fields: Vec<_> = fields.into_iter().collect();
    // A map keeps the order of insertion as soon as any crate of the build asks serde_json for it.
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields.into_iter().map(|(name, value)| (name, canonical(value))).collect()
}

fn canonical_number(number: Number) -> Number {
    let Some(double) = number.as_f64() else { return number };
    if double.fract() == 0.0 && double.abs() <= MAX_EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and small enough, as just checked")]
        let whole = double as i64;
        return whole.into();
    }
    Number::from_f64(double).unwrap_or(number)
}

/// A total order of canonical values: by kind, then numbers by size and everything else by its text. Only equal values
/// compare as equal.
pub(crate) fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let size = |number: &Number| number.as_f64().unwrap_or(f64::MAX);
            size(a).total_cmp(&size(b))
        }
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)).then_with(|| a.to_string().cmp(&b.to_string())),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_value_has_one_spelling() {
        for (raw, spelling) in [
            (r#"{"b":1.0,"a":[-0.0,1e5]}"#, r#"{"a":[0,100000],"b":1}"#),
            (r#"{"a":0.1,"b":{"d":null,"c":"x"}}"#, r#"{"a":0.1,"b":{"c":"x","d":null}}"#),
            ("1e18", "1e+18"),
            ("1000000000000000000", "1e+18"),
        ] {
            let value: Value = serde_json::from_str(raw).expect("JSON");
            let once = canonical(value);
            assert_eq!(once.to_string(), spelling);
            assert_eq!(canonical(once.clone()), once);
        }
    }

    #[test]
    fn numbers_are_ordered_by_size_and_kinds_by_rank() {
        let ordered =
            [json!(null), json!(true), json!(-1), json!(9), json!(10.5), json!("a"), json!([]), json!({})];
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }
}
