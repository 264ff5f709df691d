use chrono::{DateTime, Utc};
use domain_kernel::{
    Actor, AuditSubject, FieldErrors, JobTitle, OrgId, Permission, Refusal, Scope, TrainingCategoryId,
};
use serde_json::{Map, Value, json};

use crate::{CategoryName, CourseError, CourseList, TrainingCategory, TrainingService};

/// New values for a training category; absent ones stay.
#[derive(Debug, Clone, Default)]
pub struct CategoryChange {
    /// Name.
    pub name: Option<CategoryName>,
    /// All its job titles. Other categories lose them.
    pub job_titles: Option<Vec<JobTitle>>,
    /// All its courses, in the order of training.
    pub courses: Option<CourseList>,
    /// Whether it is for everybody whose job title is in no category. `true` takes that from the one that was, `false`
    /// leaves the organization without one.
    pub is_default: Option<bool>,
}

impl TrainingService {
    /// Changes a category and gives all categories of the organization, since others may have lost job titles to it, or being
    /// the default one.
    pub async fn update_category(
        &self,
        actor: &Actor,
        organization: OrgId,
        id: TrainingCategoryId,
        change: CategoryChange,
    ) -> Result<Vec<TrainingCategory>, CourseError> {
        actor.require(Permission::TrainingManage, Scope::Organization(organization))?;
        let (actor, now, audit_id) = (actor.clone(), self.clock.now(), self.ids.next());
        let courses = change.courses.as_ref().map(|list| list.as_slice().to_vec()).unwrap_or_default();
        let edit = Box::new(move |categories: &mut [TrainingCategory], known: &[_]| {
            let category =
                categories.iter_mut().find(|category| category.id == id).ok_or(Refusal::NotFound)?;
            let mut errors = FieldErrors::new();
            let problems = change.courses.as_ref().map(|list| list.problems(organization, known));
            problems.into_iter().flatten().for_each(|problem| errors.add("course_ids", problem));
            errors.into_result().map_err(CourseError::Invalid)?;
            let before = category.clone();
            apply(change, category, now);
            if *category == before {
                return Ok(None);
            }
            category.updated_at = now;
            let after = category.clone();
            let (old, mut new) = differences(&before, &after);
            let losers = take_from_others(categories, &after, now);
            if !losers.is_empty() {
                new.insert("taken_from".into(), losers.into());
            }
            let subject = AuditSubject::TrainingCategory(id);
            let audit = actor
                .audit(audit_id, now, "training_category.update", Some(organization), subject)
                .before(Value::Object(old))
                .after(Value::Object(new));
            Ok(Some(audit))
        });
        self.training.update(organization, courses, edit).await
    }
}

fn apply(change: CategoryChange, category: &mut TrainingCategory, now: DateTime<Utc>) {
    if let Some(name) = change.name {
        category.name = name;
    }
    if let Some(job_titles) = change.job_titles {
        let since = category.updated_at;
        category.take(job_titles, now);
        // Whether anything changed is seen from all fields together.
        category.updated_at = since;
    }
    if let Some(courses) = change.courses {
        category.courses = courses;
    }
    if let Some(is_default) = change.is_default {
        category.is_default = is_default;
    }
}

/// A job title is in one category at most, and one category at most is the default one. Gives the ids of those that lost
/// something.
fn take_from_others(
    categories: &mut [TrainingCategory],
    taker: &TrainingCategory,
    now: DateTime<Utc>,
) -> Vec<String> {
    let mut losers = Vec::new();
    for other in categories.iter_mut().filter(|other| other.id != taker.id) {
        let mut has_lost = other.give_up(taker, now);
        if taker.is_default && other.is_default {
            other.is_default = false;
            other.updated_at = now;
            has_lost = true;
        }
        if has_lost {
            losers.push(other.id.to_string());
        }
    }
    losers
}

fn differences(
    before: &TrainingCategory,
    after: &TrainingCategory,
) -> (Map<String, Value>, Map<String, Value>) {
    let facts = |category: &TrainingCategory| {
        let titles: Vec<&str> = category.job_titles.iter().map(JobTitle::as_str).collect();
        let courses: Vec<String> = category.courses.as_slice().iter().map(ToString::to_string).collect();
        [
            ("name", json!(category.name.as_str())),
            ("job_titles", json!(titles)),
            ("course_ids", json!(courses)),
            ("is_default", json!(category.is_default)),
        ]
    };
    let (mut old, mut new) = (Map::new(), Map::new());
    for ((name, was), (_, is)) in facts(before).into_iter().zip(facts(after)) {
        if was != is {
            old.insert(name.into(), was);
            new.insert(name.into(), is);
        }
    }
    (old, new)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use domain_kernel::testing::{FixedClock, member_of, staff};
    use domain_kernel::{AuditEntry, Clock, CourseId, DomainError, ErrorKind, StaffRole};
    use uuid::Uuid;

    use super::*;
    use crate::ListedCourse;
    use crate::training::tests::{Fixture, ORG, a_category};

    const COURSE: CourseId = CourseId::new(Uuid::from_u128(77));

    /// The audit row that the edit gave, if it ran.
    type Written = Arc<Mutex<Option<Option<AuditEntry>>>>;

    /// A store with two categories, the second one the default, and one course of the library.
    fn holding_two() -> (TrainingService, Written) {
        let mut fixture = Fixture::default();
        let written = Written::default();
        let seen = Arc::clone(&written);
        fixture.training.expect_update().returning(move |_, courses, edit| {
            let mut categories = two();
            let known = ListedCourse { id: COURSE, organization: None, basics: false, archived: false };
            let known: Vec<_> = [known].into_iter().filter(|course| courses.contains(&course.id)).collect();
            let audit = edit(&mut categories, &known)?;
            *seen.lock().expect("lock") = Some(audit);
            Ok(categories)
        });
        (fixture.service(), written)
    }

    fn two() -> Vec<TrainingCategory> {
        let rest = TrainingCategory { is_default: true, ..a_category(6, "Rest", &["Loader", "Picker"]) };
        vec![a_category(5, "Drivers", &["Driver"]), rest]
    }

    fn id(n: u128) -> TrainingCategoryId {
        TrainingCategoryId::new(Uuid::from_u128(n))
    }

    fn titles(raw: &[&str]) -> Option<Vec<JobTitle>> {
        raw.iter().map(|raw| JobTitle::parse(raw).ok()).collect()
    }

    async fn change(
        change: CategoryChange,
    ) -> Result<(Vec<TrainingCategory>, Option<AuditEntry>), CourseError> {
        let (service, written) = holding_two();
        let categories = service.update_category(&staff(StaffRole::Admin), ORG, id(5), change).await?;
        let audit = written.lock().expect("lock").take().expect("the edit ran");
        Ok((categories, audit))
    }

    #[tokio::test]
    async fn a_job_title_and_being_the_default_are_taken_from_the_other_category() {
        let wanted = CategoryChange {
            job_titles: titles(&["PICKER", "Driver"]),
            is_default: Some(true),
            ..CategoryChange::default()
        };
        let (categories, audit) = change(wanted).await.expect("changes");
        let now = FixedClock::default().now();
        let seen: Vec<_> = categories
            .iter()
            .map(|category| {
                let titles: Vec<&str> = category.job_titles.iter().map(JobTitle::as_str).collect();
                (titles, category.is_default, category.updated_at)
            })
            .collect();
        assert_eq!(seen, [(vec!["PICKER", "Driver"], true, now), (vec!["Loader"], false, now)]);
        let audit = audit.expect("an audit row");
        assert_eq!(
            (audit.action, audit.subject),
            ("training_category.update", AuditSubject::TrainingCategory(id(5)))
        );
        assert_eq!(audit.before, Some(json!({ "job_titles": ["Driver"], "is_default": false })));
        let taken_from = [id(6).to_string()];
        let after =
            json!({ "job_titles": ["PICKER", "Driver"], "is_default": true, "taken_from": taken_from });
        assert_eq!(audit.after, Some(after));
    }

    #[tokio::test]
    async fn what_is_so_already_changes_nothing() {
        let same = CategoryChange {
            name: CategoryName::parse("Drivers").ok(),
            job_titles: titles(&["Driver", "driver"]),
            courses: Some(CourseList::default()),
            is_default: Some(false),
        };
        for wanted in [CategoryChange::default(), same] {
            let (categories, audit) = change(wanted).await.expect("answers");
            assert_eq!((categories, audit), (two(), None));
        }
    }

    #[tokio::test]
    async fn a_course_that_cannot_be_trained_is_named_and_nothing_changes() {
        let nowhere = CourseId::new(Uuid::from_u128(78));
        let courses = CourseList::parse(vec![COURSE, nowhere]).ok();
        let refused =
            change(CategoryChange { courses, ..CategoryChange::default() }).await.expect_err("refused");
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Invalid, "validation_failed"));
        let fields: Vec<_> = refused.fields().expect("fields").iter().collect();
        assert_eq!((fields[0].0, fields[0].1[0].code), ("course_ids", "unknown"));
        assert!(fields[0].1[0].message.contains(&nowhere.to_string()));
        let courses = CourseList::parse(vec![COURSE]).ok();
        let (categories, _) =
            change(CategoryChange { courses, ..CategoryChange::default() }).await.expect("changes");
        assert_eq!(categories[0].courses.as_slice(), [COURSE]);
    }

    #[tokio::test]
    async fn a_category_of_nobody_is_not_found_and_only_staff_admins_change_one() {
        let (service, written) = holding_two();
        let admin = staff(StaffRole::Admin);
        let unknown = service.update_category(&admin, ORG, id(7), CategoryChange::default());
        assert_eq!(unknown.await.expect_err("refused").kind(), ErrorKind::NotFound);
        assert_eq!(*written.lock().expect("lock"), None);
        for actor in [staff(StaffRole::Employee), member_of(ORG, true)] {
            let service = Fixture::default().service();
            let refused = service.update_category(&actor, ORG, id(5), CategoryChange::default()).await;
            assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
        }
    }
}
