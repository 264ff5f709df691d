use std::collections::BTreeSet;

use domain_kernel::{Actor, AuditSubject, FieldErrors, FieldProblem, OrgId, Permission, Scope};
use serde_json::{Value, json};

use crate::ports::PoolFacts;
use crate::{CourseError, CourseList, CoursePool, PoolChange, TrainingService};

impl TrainingService {
    /// Gives teams lists of their own in the place of a category's, or takes them away. Pools that are not named stay. Gives
    /// those that are.
    pub async fn set_course_pools(
        &self,
        actor: &Actor,
        organization: OrgId,
        changes: Vec<PoolChange>,
    ) -> Result<Vec<CoursePool>, CourseError> {
        actor.require(Permission::TrainingManage, Scope::Organization(organization))?;
        let (actor, now, audit_id) = (actor.clone(), self.clock.now(), self.ids.next());
        let wanted = changes.clone();
        let judge = Box::new(move |facts: &PoolFacts| {
            problems(organization, &wanted, facts).into_result().map_err(CourseError::Invalid)?;
            let (old, new) = differences(&wanted, facts);
            if new.is_empty() {
                return Ok(None);
            }
            let subject = AuditSubject::Organization(organization);
            let audit = actor
                .audit(audit_id, now, "course_pools.set", Some(organization), subject)
                .before(old.into())
                .after(new.into());
            Ok(Some(audit))
        });
        self.training.set_pools(organization, changes, judge).await
    }
}

/// Everything that is wrong, by the place in the list.
fn problems(organization: OrgId, wanted: &[PoolChange], facts: &PoolFacts) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let mut seen = BTreeSet::new();
    for (index, change) in wanted.iter().enumerate() {
        let mut add = |field: &str, code: &'static str, message: String| {
            errors.add(&format!("[{index}]{field}"), FieldProblem { code, message });
        };
        if !facts.teams.contains(&change.team) {
            add(".team_id", "unknown", format!("is not a team of the organization: {}", change.team));
        }
        if !facts.categories.contains(&change.category) {
            let message = format!("is not a training category of the organization: {}", change.category);
            add(".training_category_id", "unknown", message);
        }
        if !seen.insert((change.team, change.category)) {
            add("", "duplicate", "names the pool of another entry".into());
        }
        let of_courses = change.courses.as_ref().map(|list| list.problems(organization, &facts.courses));
        for problem in of_courses.into_iter().flatten() {
            add(".course_ids", problem.code, problem.message);
        }
    }
    errors
}

/// The pools that change, before and after.
fn differences(wanted: &[PoolChange], facts: &PoolFacts) -> (Vec<Value>, Vec<Value>) {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for change in wanted {
        let own =
            facts.overrides.iter().find(|own| own.team == change.team && own.category == change.category);
        let present = own.map(|own| &own.courses);
        if present != change.courses.as_ref() {
            let described = |list: Option<&CourseList>| {
                let ids =
                    list.map(|list| list.as_slice().iter().map(ToString::to_string).collect::<Vec<_>>());
                json!({
                    "team_id": change.team.to_string(),
                    "training_category_id": change.category.to_string(),
                    "course_ids": ids,
                })
            };
            old.push(described(present));
            new.push(described(change.courses.as_ref()));
        }
    }
    (old, new)
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{
        AuditEntry, CourseId, DomainError, ErrorKind, StaffRole, TeamId, TrainingCategoryId,
    };
    use std::sync::{Arc, Mutex};
    use uuid::Uuid;

    use super::*;
    use crate::training::tests::{Fixture, ORG};
    use crate::{ListedCourse, PoolOverride};

    const TEAM: TeamId = TeamId::new(Uuid::from_u128(3));
    const CATEGORY: TrainingCategoryId = TrainingCategoryId::new(Uuid::from_u128(4));
    const COURSE: CourseId = CourseId::new(Uuid::from_u128(5));

    fn list(courses: &[CourseId]) -> CourseList {
        CourseList::parse(courses.to_vec()).expect("a list")
    }

    fn wish(courses: Option<&[CourseId]>) -> PoolChange {
        PoolChange { team: TEAM, category: CATEGORY, courses: courses.map(list) }
    }

    /// Asks where the team has a list of its own with the one course.
    async fn ask(changes: Vec<PoolChange>) -> Result<Option<AuditEntry>, CourseError> {
        let mut fixture = Fixture::default();
        let written = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&written);
        fixture.training.expect_set_pools().return_once(move |_, _, judge| {
            let facts = PoolFacts {
                teams: vec![TEAM],
                categories: vec![CATEGORY],
                courses: vec![ListedCourse {
                    id: COURSE,
                    organization: Some(ORG),
                    basics: false,
                    archived: false,
                }],
                overrides: vec![PoolOverride { team: TEAM, category: CATEGORY, courses: list(&[COURSE]) }],
            };
            *seen.lock().expect("lock") = judge(&facts)?;
            Ok(vec![])
        });
        fixture.service().set_course_pools(&staff(StaffRole::Admin), ORG, changes).await?;
        let audit = written.lock().expect("lock").take();
        Ok(audit)
    }

    #[tokio::test]
    async fn a_list_is_set_or_taken_away_and_the_trail_tells_from_what_to_what() {
        for (courses, after) in [(Some(&[][..]), json!([])), (None, Value::Null)] {
            let audit = ask(vec![wish(courses)]).await.expect("passes").expect("an audit row");
            assert_eq!((audit.action, audit.subject), ("course_pools.set", AuditSubject::Organization(ORG)));
            let (team, category) = (TEAM.to_string(), CATEGORY.to_string());
            let told = |ids: Value| json!([{ "team_id": team, "training_category_id": category, "course_ids": ids }]);
            assert_eq!(audit.before, Some(told(json!([COURSE.to_string()]))));
            assert_eq!(audit.after, Some(told(after)));
        }
    }

    #[tokio::test]
    async fn what_is_so_already_leaves_no_trail() {
        assert_eq!(ask(vec![wish(Some(&[COURSE]))]).await.expect("passes"), None);
        assert_eq!(ask(vec![]).await.expect("passes"), None);
    }

    #[tokio::test]
    async fn everything_that_is_wrong_is_named_by_its_place() {
        let nowhere = Uuid::from_u128(99);
        let strange = PoolChange {
            team: TeamId::new(nowhere),
            category: TrainingCategoryId::new(nowhere),
            courses: Some(list(&[COURSE, CourseId::new(nowhere)])),
        };
        let refused = ask(vec![wish(None), strange, wish(None)]).await.expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        let codes: Vec<_> = refused
            .fields()
            .expect("fields")
            .iter()
            .flat_map(|(field, problems)| problems.iter().map(move |problem| (field, problem.code)))
            .collect();
        assert_eq!(
            codes,
            [
                ("[1].course_ids", "unknown"),
                ("[1].team_id", "unknown"),
                ("[1].training_category_id", "unknown"),
                ("[2]", "duplicate"),
            ]
        );
    }

    #[tokio::test]
    async fn only_staff_admins_set_pools() {
        for actor in [staff(StaffRole::Employee), member_of(ORG, true)] {
            let refused = Fixture::default().service().set_course_pools(&actor, ORG, vec![]).await;
            assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
        }
    }
}
