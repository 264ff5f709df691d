use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain_kernel::{
    CourseId, FieldProblem, JobTitle, JobTitleKey, OrgId, TeamId, TextRule, TrainingCategoryId, parse_text,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::CourseName;

/// Name of a training category: 1 to 200 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryName(String);

impl CategoryName {
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

/// At most 500 courses in the order they are trained, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CourseList(Vec<CourseId>);

impl CourseList {
    /// Most courses.
    pub const MAX: usize = 500;

    /// Keeps the first mention of each course.
    pub fn parse(mut courses: Vec<CourseId>) -> Result<Self, FieldProblem> {
        let mut seen = BTreeSet::new();
        courses.retain(|course| seen.insert(*course));
        if courses.len() > Self::MAX {
            let message = format!("has too many courses (maximum is {})", Self::MAX);
            return Err(FieldProblem { code: "too_many", message });
        }
        Ok(Self(courses))
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(courses: Vec<CourseId>) -> Self {
        Self(courses)
    }

    /// The courses in order.
    pub fn as_slice(&self) -> &[CourseId] {
        &self.0
    }

    /// What keeps an organization from training these courses, of which `known` are there at all.
    pub fn problems(&self, organization: OrgId, known: &[ListedCourse]) -> Vec<FieldProblem> {
        let reason = |id: CourseId| {
            let usable = |course: &&ListedCourse| {
                course.id == id && course.organization.is_none_or(|owner| owner == organization)
            };
            match known.iter().find(usable) {
                None => Some("unknown"),
                Some(course) if course.basics => Some("basics"),
                Some(course) if course.archived => Some("archived"),
                Some(_) => None,
            }
        };
        let named = |code: &str| {
            let ids = self.0.iter().filter(|id| reason(**id) == Some(code)).map(ToString::to_string);
            ids.collect::<Vec<_>>().join(", ")
        };
        [
            ("unknown", "are not courses of the library or of the organization"),
            ("basics", "are basics, which everybody takes first anyway"),
            ("archived", "are archived, so nobody is given them"),
        ]
        .into_iter()
        .map(|(code, message)| (code, message, named(code)))
        .filter(|(_, _, ids)| !ids.is_empty())
        .map(|(code, message, ids)| FieldProblem { code, message: format!("{message}: {ids}") })
        .collect()
    }
}

/// What it takes to know whether a course may stand in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedCourse {
    /// Key.
    pub id: CourseId,
    /// Whose it is; none for the library.
    pub organization: Option<OrgId>,
    /// Whether everybody takes it first.
    pub basics: bool,
    /// Whether it is given to nobody any more.
    pub archived: bool,
}

/// A set of job titles of an organization, and the courses that people with them train, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingCategory {
    /// Key.
    pub id: TrainingCategoryId,
    /// In which organization.
    pub organization: OrgId,
    /// Name.
    pub name: CategoryName,
    /// Whose training it is. A job title belongs to at most one category of the organization.
    pub job_titles: Vec<JobTitle>,
    /// What is trained. Basics are not among it: everybody takes them first anyway.
    pub courses: CourseList,
    /// Whether it is for everybody whose job title is in no category. At most one of the organization is.
    pub is_default: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl TrainingCategory {
    /// Most job titles of one category.
    pub const MAX_JOB_TITLES: usize = 500;

    /// Replaces the job titles; of several with one key the first stays. The other categories must
    /// [`give_up`](Self::give_up) what this one takes.
    pub fn take(&mut self, mut job_titles: Vec<JobTitle>, now: DateTime<Utc>) {
        let mut seen = BTreeSet::new();
        job_titles.retain(|title| seen.insert(title.key().clone()));
        self.job_titles = job_titles;
        self.updated_at = now;
    }

    /// Drops the job titles that `other` took. Tells whether anything changed.
    pub fn give_up(&mut self, other: &Self, now: DateTime<Utc>) -> bool {
        let before = self.job_titles.len();
        self.job_titles.retain(|title| !other.is_for(title.key()));
        let changed = self.job_titles.len() != before;
        if changed {
            self.updated_at = now;
        }
        changed
    }

    /// Whether people with this job title train here.
    pub fn is_for(&self, key: &JobTitleKey) -> bool {
        self.job_titles.iter().any(|title| title.key() == key)
    }
}

/// What one team trains instead of a category's own list. An empty list means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolOverride {
    /// Which team.
    pub team: TeamId,
    /// Instead of which category's list.
    pub category: TrainingCategoryId,
    /// What is trained.
    pub courses: CourseList,
}

/// A wish for what one team trains of a category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolChange {
    /// Which team.
    pub team: TeamId,
    /// Of which category.
    pub category: TrainingCategoryId,
    /// A list of its own, or none for the category's.
    pub courses: Option<CourseList>,
}

/// A job title that people on the roster have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobTitleInUse {
    /// As most of them have it written.
    pub title: JobTitle,
    /// How many people have it, in whatever spelling.
    pub memberships_count: i64,
    /// Where they train: the category of the title, else the organization's default one.
    pub category: Option<TrainingCategoryId>,
}

/// Names a course pool. Made from its team and its category, because most pools are stored nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CoursePoolId(Uuid);

impl CoursePoolId {
    /// The same id whenever the pool of this team and category is looked at.
    pub fn of(team: TeamId, category: TrainingCategoryId) -> Self {
        let digest = Sha256::new()
            .chain_update(b"course pool")
            .chain_update(team.uuid().as_bytes())
            .chain_update(category.uuid().as_bytes())
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The UUID itself, for the wire.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

/// A course of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolCourse {
    /// Key.
    pub id: CourseId,
    /// Name.
    pub name: CourseName,
    /// Place in the pool, from 1.
    pub position: i32,
}

/// What the members of a team who belong to a category train, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoursePool {
    /// Key.
    pub id: CoursePoolId,
    /// In which organization.
    pub organization: OrgId,
    /// Which team.
    pub team: TeamId,
    /// Which category.
    pub category: TrainingCategoryId,
    /// What is trained, in order.
    pub courses: Vec<PoolCourse>,
    /// Whether the team has a list of its own.
    pub overridden: bool,
    /// Members of the team who belong to the category, pending ones too.
    pub memberships_count: i64,
    /// When the team's own list was last changed, or else the category.
    pub updated_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(n: u128) -> CourseId {
        CourseId::new(Uuid::from_u128(n))
    }

    fn titles(raw: &[&str]) -> Vec<JobTitle> {
        raw.iter().map(|raw| JobTitle::parse(raw).expect("a title")).collect()
    }

    fn spelled(category: &TrainingCategory) -> Vec<&str> {
        category.job_titles.iter().map(JobTitle::as_str).collect()
    }

    fn a_category(id: u128, job_titles: &[&str]) -> TrainingCategory {
        TrainingCategory {
            id: TrainingCategoryId::new(Uuid::from_u128(id)),
            organization: OrgId::new(Uuid::from_u128(9)),
            name: CategoryName::parse("Drivers").expect("a name"),
            job_titles: titles(job_titles),
            courses: CourseList::default(),
            is_default: false,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_course_stands_in_a_list_once_at_its_first_mention() {
        let list = CourseList::parse([3, 1, 3, 2, 1].map(course).to_vec()).expect("a list");
        assert_eq!(list.as_slice(), [3, 1, 2].map(course));
    }

    #[test]
    fn a_list_has_an_end() {
        let list = |n| CourseList::parse((0..n).map(course).collect()).map_err(|problem| problem.code);
        assert!(list(500).is_ok());
        assert_eq!(list(501), Err("too_many"));
    }

    #[test]
    fn basics_and_courses_that_are_archived_foreign_or_nowhere_are_named() {
        let (own, foreign) = (OrgId::new(Uuid::from_u128(9)), OrgId::new(Uuid::from_u128(8)));
        let known = |n, organization, basics, archived| ListedCourse {
            id: course(n),
            organization,
            basics,
            archived,
        };
        let known = [
            known(1, None, false, false),
            known(2, Some(own), false, false),
            known(3, Some(foreign), false, false),
            known(4, None, true, true),
            known(5, Some(own), false, true),
        ];
        let problems = |ids: &[u128]| {
            let list = CourseList::parse(ids.iter().copied().map(course).collect()).expect("a list");
            list.problems(own, &known)
        };
        assert_eq!(problems(&[1, 2]), []);
        let wrong = problems(&[6, 5, 1, 4, 3]);
        assert_eq!(
            wrong.iter().map(|problem| problem.code).collect::<Vec<_>>(),
            ["unknown", "basics", "archived"]
        );
        for (problem, ids) in wrong.iter().zip([vec![6, 3], vec![4], vec![5]]) {
            let ids: Vec<String> = ids.into_iter().map(|n| course(n).to_string()).collect();
            assert!(problem.message.ends_with(&format!(": {}", ids.join(", "))), "{problem:?}");
        }
    }

    #[test]
    fn job_titles_that_differ_in_case_alone_are_one() {
        let mut category = a_category(1, &[]);
        category.take(titles(&["Driver", "DRIVER", "Loader"]), DateTime::UNIX_EPOCH);
        assert_eq!(spelled(&category), ["Driver", "Loader"]);
    }

    #[test]
    fn a_job_title_taken_by_one_category_leaves_the_other() {
        let (taker, mut giver) = (a_category(1, &["Driver"]), a_category(2, &["driver", "Loader"]));
        let later = DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(1);
        assert!(giver.give_up(&taker, later));
        assert_eq!((spelled(&giver), giver.updated_at), (vec!["Loader"], later));
        assert!(!giver.give_up(&taker, later + chrono::TimeDelta::hours(1)), "nothing left to give");
        assert_eq!(giver.updated_at, later);
    }

    #[test]
    fn a_pool_keeps_its_id_and_shares_it_with_no_other() {
        let (team, category) =
            (|n| TeamId::new(Uuid::from_u128(n)), |n| TrainingCategoryId::new(Uuid::from_u128(n)));
        let id = CoursePoolId::of(team(1), category(2));
        assert_eq!(id, CoursePoolId::of(team(1), category(2)));
        assert_ne!(id, CoursePoolId::of(team(2), category(1)));
        assert_eq!(id.uuid().get_version_num(), 8, "made by a rule of our own");
    }
}
