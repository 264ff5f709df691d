//! Ids in a query: one, or a list with commas between them, as repeated parameters, or both; in a body as arrays.

use std::collections::{BTreeSet, HashSet};

use domain_kernel::FieldProblem;
use uuid::Uuid;

/// Most ids of one list in a query.
const MAX_IDS: usize = 200;

/// The ids of an array, each once.
pub(crate) fn id_set<T: Ord>(
    ids: &[Uuid],
    most: usize,
    id: impl Fn(Uuid) -> T,
) -> Result<BTreeSet<T>, FieldProblem> {
    if ids.len() > most { Err(too_many(most)) } else { Ok(ids.iter().copied().map(id).collect()) }
}

fn too_many(most: usize) -> FieldProblem {
    FieldProblem { code: "too_many", message: format!("are too many (maximum is {most})") }
}

/// A parameter that is one id.
pub(crate) fn parse_id(raw: &str) -> Result<Uuid, FieldProblem> {
    raw.parse().map_err(|_| FieldProblem { code: "invalid", message: "must be a UUID".into() })
}

/// The ids that the parameter `name` of a query holds, each once; `None` without the parameter. A blank is no id: it must
/// neither find everything nor nothing by accident.
pub(crate) fn id_list(query: &str, name: &str) -> Result<Option<Vec<Uuid>>, FieldProblem> {
    let sent: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    let lists: Vec<String> =
        sent.into_iter().filter(|(sent, _)| sent == name).map(|(_, list)| list).collect();
    if lists.is_empty() {
        return Ok(None);
    }
    let no_id =
        |_| FieldProblem { code: "invalid", message: "must be UUIDs with commas between them".into() };
    let (mut ids, mut seen) = (Vec::new(), HashSet::new());
    for part in lists.iter().flat_map(|list| list.split(',')) {
        let id = Uuid::try_parse(part.trim()).map_err(no_id)?;
        if seen.insert(id) {
            ids.push(id);
        }
    }
    if ids.len() > MAX_IDS { Err(too_many(MAX_IDS)) } else { Ok(Some(ids)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> Uuid {
        Uuid::from_u128(n as u128)
    }

    fn list(query: &str) -> Result<Option<Vec<Uuid>>, &'static str> {
        id_list(query, "ids").map_err(|problem| problem.code)
    }

    #[test]
    fn commas_and_repeated_parameters_are_one_list_and_each_id_counts_once() {
        let [a, b, c] = [1, 2, 3].map(id);
        assert_eq!(list("other=1"), Ok(None));
        assert_eq!(list(&format!("ids={a}")), Ok(Some(vec![a])));
        assert_eq!(list(&format!("ids={b},{a}&page=1&ids={c}%2C+{b}")), Ok(Some(vec![b, a, c])));
    }

    #[test]
    fn what_is_no_id_is_refused_and_so_is_a_blank() {
        let a = id(1);
        for query in
            ["ids=", "ids", "ids=x", &format!("ids={a},"), &format!("ids={a}&ids="), &format!("ids={a};{a}")]
        {
            assert_eq!(list(query), Err("invalid"), "{query}");
        }
    }

    #[test]
    fn a_list_has_an_end() {
        let query = |n| format!("ids={}", (0..n).map(|n| id(n).to_string()).collect::<Vec<_>>().join(","));
        assert!(list(&query(200)).is_ok());
        assert_eq!(list(&query(201)), Err("too_many"));
    }
}
