//! Free JSON that clients send.

use serde_json::{Map, Value};

use crate::FieldProblem;

/// Takes an object of at most `max_kib` KiB, written without blanks.
pub fn parse_object(raw: Value, max_kib: usize) -> Result<Map<String, Value>, FieldProblem> {
    if raw.to_string().len() > max_kib * 1024 {
        return Err(FieldProblem {
            code: "too_long",
            message: format!("is too long (maximum is {max_kib} KiB)"),
        });
    }
    // PostgreSQL cannot store NUL in a text, nor in a text inside JSON.
    if has_nul(&raw) {
        return Err(FieldProblem { code: "invalid", message: "must not contain a NUL character".into() });
    }
    match raw {
        Value::Object(fields) => Ok(fields),
        _ => Err(FieldProblem { code: "invalid", message: "must be an object".into() }),
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_within_its_size_is_taken() {
        let code = |raw| parse_object(raw, 1).map(|fields| fields.len()).map_err(|problem| problem.code);
        assert_eq!(code(json!({ "a": 1 })), Ok(1));
        assert_eq!(
            code(json!({ "a": "x".repeat(1024 - 8) })),
            Ok(1),
            "1024 bytes with the quotes and braces"
        );
        assert_eq!(code(json!({ "a": "x".repeat(1024 - 7) })), Err("too_long"));
        for raw in [json!([]), json!(null), json!("a"), json!({ "a": ["\0"] }), json!({ "b": { "\0": 1 } })] {
            assert_eq!(code(raw.clone()), Err("invalid"), "{raw}");
        }
    }
}
