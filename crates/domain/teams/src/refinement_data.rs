use std::str::FromStr;

use chrono::NaiveDate;
use domain_kernel::{CourseId, FieldErrors, FieldProblem, MembershipId, json, parse_day};
use serde_json::{Map, Value};

/// What a refinement says: free JSON, in which `occurred_on`, `led_by_membership_id`, `membership_ids` and `course_id` mean
/// something to us. Each of them may be absent or null.
#[derive(Debug, Clone, PartialEq)]
pub struct RefinementData(Map<String, Value>);

/// The things that a refinement names, which must be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Who led the practice.
    pub led_by: Option<MembershipId>,
    /// Who practised.
    pub members: Vec<MembershipId>,
    /// What was practised.
    pub course: Option<CourseId>,
}

impl RefinementData {
    /// Most KiB, written without blanks.
    pub const MAX_KIB: usize = 64;

    /// Takes an object whose known keys make sense by themselves.
    pub fn parse(raw: Value) -> Result<Self, FieldErrors> {
        let wrong = |problem: FieldProblem| FieldErrors::of("data", problem.code, problem.message);
        let data = Self(json::parse_object(raw, Self::MAX_KIB).map_err(wrong)?);
        let mut errors = FieldErrors::new();
        errors.take("data.occurred_on", data.day());
        errors.take("data.led_by_membership_id", data.led_by());
        errors.take("data.membership_ids", data.members());
        errors.take("data.course_id", data.course());
        errors.into_result().map(|()| data)
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// All keys.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The day of the practice, if it is told.
    pub fn occurred_on(&self) -> Option<NaiveDate> {
        self.day().unwrap_or_default()
    }

    /// What it names.
    pub fn references(&self) -> References {
        References {
            led_by: self.led_by().unwrap_or_default(),
            members: self.members().unwrap_or_default(),
            course: self.course().unwrap_or_default(),
        }
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn day(&self) -> Result<Option<NaiveDate>, FieldProblem> {
        let Some(value) = self.value("occurred_on") else { return Ok(None) };
        parse_day(value.as_str().unwrap_or_default()).map(Some)
    }

    fn led_by(&self) -> Result<Option<MembershipId>, FieldProblem> {
        self.value("led_by_membership_id").map(parse_id).transpose()
    }

    fn members(&self) -> Result<Vec<MembershipId>, FieldProblem> {
        let Some(value) = self.value("membership_ids") else { return Ok(Vec::new()) };
        let wrong = || FieldProblem { code: "invalid", message: "must be a list of UUIDs".into() };
        value.as_array().ok_or_else(wrong)?.iter().map(|id| parse_id(id).map_err(|_| wrong())).collect()
    }

    fn course(&self) -> Result<Option<CourseId>, FieldProblem> {
        self.value("course_id").map(parse_id).transpose()
    }
}

fn parse_id<T: FromStr>(value: &Value) -> Result<T, FieldProblem> {
    let id = value.as_str().and_then(|text| text.parse().ok());
    id.ok_or_else(|| FieldProblem { code: "invalid", message: "must be a UUID".into() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const ID: &str = "01a20942-1cc0-7306-9dae-728ba404bc81";

    #[test]
    fn any_object_is_kept_as_it_is() {
        let nothing = References::default();
        for raw in [
            json!({}),
            json!({ "notes": 5, "moves": { "x": [1.5, null, true] } }),
            json!({ "occurred_on": null, "led_by_membership_id": null, "membership_ids": null, "course_id": null }),
        ] {
            let data = RefinementData::parse(raw.clone()).expect("an object");
            assert_eq!(Value::Object(data.fields().clone()), raw);
            assert_eq!((data.occurred_on(), data.references()), (None, nothing.clone()));
        }
    }

    #[test]
    fn known_keys_are_read() {
        let raw = json!({
            "occurred_on": "2026-01-04", "led_by_membership_id": ID, "membership_ids": [ID, ID], "course_id": ID
        });
        let data = RefinementData::parse(raw).expect("all is well");
        assert_eq!(data.occurred_on(), NaiveDate::from_ymd_opt(2026, 1, 4));
        let id = Uuid::parse_str(ID).expect("a UUID");
        let membership = MembershipId::new(id);
        let expected = References {
            led_by: Some(membership),
            members: vec![membership, membership],
            course: Some(CourseId::new(id)),
        };
        assert_eq!(data.references(), expected);
    }

    #[test]
    fn each_key_that_makes_no_sense_is_named() {
        let raw = json!({
            "occurred_on": 20_260_104, "led_by_membership_id": "me", "membership_ids": ID, "course_id": [ID]
        });
        let errors = RefinementData::parse(raw).expect_err("all is wrong");
        let fields: Vec<_> = errors.iter().map(|(field, problems)| (field, problems[0].code)).collect();
        let names = ["course_id", "led_by_membership_id", "membership_ids", "occurred_on"];
        assert_eq!(
            fields,
            names.map(|name| (format!("data.{name}"), "invalid")).each_ref().map(|(n, c)| (n.as_str(), *c))
        );
        for raw in [json!([]), json!("x"), json!(null), json!({ "a": "\0" })] {
            let errors = RefinementData::parse(raw).expect_err("no object, or a NUL");
            assert_eq!(errors.iter().map(|(field, _)| field).collect::<Vec<_>>(), ["data"]);
        }
        assert!(RefinementData::parse(json!({ "membership_ids": [ID, 5] })).is_err());
        assert!(RefinementData::parse(json!({ "notes": "x".repeat(64 * 1024) })).is_err());
    }
}
