use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use domain_kernel::{AssignmentId, CourseId, CourseVersionId, JobTitleKey, Refusal, TeamId};

use crate::{
    Assignment, AssignmentSource, AssignmentState, Calendar, CourseList, Lesson, PoolOverride,
    TrainingCategory,
};

/// Days a learner has for one of the basics.
const BASICS_DAYS: TimeDelta = TimeDelta::days(7);

/// The version of a course that learners who start now are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedVersion {
    /// Key.
    pub id: CourseVersionId,
    /// Since when.
    pub published_at: DateTime<Utc>,
}

/// What choosing needs to know of a course.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogCourse {
    /// Key.
    pub id: CourseId,
    /// Whether everybody takes it first.
    pub basics: bool,
    /// Place in the order of the basics, smallest first.
    pub position: i32,
    /// Whether it is given to nobody any more.
    pub archived: bool,
    /// Its published version, if it has one.
    pub published: Option<PublishedVersion>,
}

impl CatalogCourse {
    /// The version to give, if the course is given at all.
    fn on_offer(&self) -> Option<PublishedVersion> {
        self.published.filter(|_| !self.archived)
    }
}

/// A team that the member is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinedTeam {
    /// Which team.
    pub team: TeamId,
    /// Since when.
    pub joined_at: DateTime<Utc>,
}

/// What choosing needs to know of an assignment that the member has or had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastAssignment {
    /// Key.
    pub id: AssignmentId,
    /// Which course.
    pub course: CourseId,
    /// In which version.
    pub version: CourseVersionId,
    /// How far it is.
    pub state: AssignmentState,
    /// Why it was given.
    pub source: AssignmentSource,
    /// When it was given.
    pub assigned_at: DateTime<Utc>,
    /// When it was completed.
    pub completed_at: Option<DateTime<Utc>>,
}

impl From<&Assignment> for PastAssignment {
    fn from(assignment: &Assignment) -> Self {
        Self {
            id: assignment.id,
            course: assignment.course,
            version: assignment.version,
            state: assignment.state,
            source: assignment.source,
            assigned_at: assignment.assigned_at,
            completed_at: assignment.completed_at,
        }
    }
}

/// Everything that the choice of a member's current course depends on. The order of its lists means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// Whether the membership is active.
    pub active: bool,
    /// The member's job title, if any.
    pub job_title: Option<JobTitleKey>,
    /// The member's live teams.
    pub teams: Vec<JoinedTeam>,
    /// All assignments of the membership, in every state.
    pub assignments: Vec<PastAssignment>,
    /// Courses of the library and of the organization: at least all basics, and all that the lists below name. A course
    /// that is named but not here is not given.
    pub courses: Vec<CatalogCourse>,
    /// The organization's categories: at least the one of the job title and the default one.
    pub categories: Vec<TrainingCategory>,
    /// What the member's teams train instead of a category's list.
    pub overrides: Vec<PoolOverride>,
    /// How the organization counts its periods.
    pub calendar: Calendar,
    /// After how many days a completed course is given again once nothing else is left.
    pub recycle_after_days: i32,
    /// The time to choose for.
    pub now: DateTime<Utc>,
}

/// Which course is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The one the member has to do already.
    Existing(AssignmentId),
    /// A new one.
    Assign(Lesson),
    /// None before this time: the member had the one of this period.
    Gate {
        /// When the next one can be given.
        next_available_at: DateTime<Utc>,
    },
    /// None, and none to come as things stand.
    Nothing,
}

/// What decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// What is begun or given is done first.
    OpenAssignment,
    /// Basics come before everything else.
    Basics,
    /// The first course of the pool that was never completed.
    Pool,
    /// A course that was completed before is due again.
    Recycled,
    /// One course of the pool a period.
    CadenceGate,
    /// No course fits.
    NothingLeft,
}

impl Rule {
    /// The spelling of the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAssignment => "open_assignment",
            Self::Basics => "basics",
            Self::Pool => "pool",
            Self::Recycled => "recycled",
            Self::CadenceGate => "cadence_gate",
            Self::NothingLeft => "nothing_left",
        }
    }
}

/// A decision and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentCourse {
    /// Which course is current.
    pub decision: Decision,
    /// What decided.
    pub rule: Rule,
    /// The reason, for people.
    pub detail: String,
}

impl CurrentCourse {
    fn new(decision: Decision, rule: Rule, detail: impl Into<String>) -> Self {
        Self { decision, rule, detail: detail.into() }
    }
}

/// When a course was last completed, and in which version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Completion {
    at: DateTime<Utc>,
    assignment: AssignmentId,
    version: CourseVersionId,
}

impl Situation {
    /// Which course is current. The same situation always gives the same answer; refused unless the membership is
    /// active.
    ///
    /// 1. An open assignment stays current, the oldest first: a course never changes under a learner's feet.
    /// 2. The first of the basics that was never completed, without waiting for a period.
    /// 3. The first course of the [`pool`](Self::pool) that was never completed, in any version.
    /// 4. If all are completed: the one completed longest ago among those due again, because `recycle_after_days` have
    ///    passed or a newer version was published since.
    ///
    /// Of 3 and 4 there is one a period. While the period is used up, the answer is when it ends, provided that there
    /// will be a course then. An assignment that was withdrawn uses up nothing.
    pub fn current_course(&self) -> Result<CurrentCourse, Refusal> {
        if !self.active {
            return Err(Refusal::Forbidden);
        }
        let completions = self.completions();
        Ok(self
            .open_assignment()
            .or_else(|| self.next_basics(&completions))
            .unwrap_or_else(|| self.next_of_pool(&completions)))
    }

    /// The category that the member trains in: the one of the job title, else the default one.
    pub fn category(&self) -> Option<&TrainingCategory> {
        let of_job_title = |category: &&TrainingCategory| {
            self.job_title.as_ref().is_some_and(|job_title| category.is_for(job_title))
        };
        let by_id = |category: &&TrainingCategory| category.id;
        self.categories
            .iter()
            .filter(of_job_title)
            .min_by_key(by_id)
            .or_else(|| self.categories.iter().filter(|category| category.is_default).min_by_key(by_id))
    }

    /// The courses that the member trains after the basics, in order, whether completed or not: for each team, earliest
    /// joined first, the team's own list or else the category's. A member without a team trains the category's list.
    pub fn pool(&self) -> Vec<CourseId> {
        self.pool_on_offer().into_iter().map(|(course, _)| course).collect()
    }

    fn pool_on_offer(&self) -> Vec<(CourseId, PublishedVersion)> {
        let Some(category) = self.category() else { return Vec::new() };
        let mut teams = self.teams.clone();
        teams.sort_by_key(|joined| (joined.joined_at, joined.team));
        let own_list =
            |team: TeamId| self.overrides.iter().find(|own| own.team == team && own.category == category.id);
        let mut lists: Vec<_> = teams
            .into_iter()
            .map(|joined| own_list(joined.team).map_or(&category.courses, |own| &own.courses))
            .collect();
        if lists.is_empty() {
            lists.push(&category.courses);
        }
        let on_offer: BTreeMap<_, _> = self
            .courses
            .iter()
            .filter(|course| !course.basics)
            .filter_map(|course| Some((course.id, course.on_offer()?)))
            .collect();
        let mut seen = BTreeSet::new();
        lists
            .into_iter()
            .flat_map(CourseList::as_slice)
            .filter(|course| seen.insert(**course))
            .filter_map(|course| Some((*course, *on_offer.get(course)?)))
            .collect()
    }

    fn completions(&self) -> BTreeMap<CourseId, Completion> {
        let mut completions = BTreeMap::new();
        for past in &self.assignments {
            let Some(at) = past.completed_at else { continue };
            let completion = Completion { at, assignment: past.id, version: past.version };
            let last = completions.entry(past.course).or_insert(completion);
            *last = completion.max(*last);
        }
        completions
    }

    fn open_assignment(&self) -> Option<CurrentCourse> {
        let open = self.assignments.iter().filter(|past| past.state.is_open());
        let oldest = open.min_by_key(|past| (past.assigned_at, past.id))?;
        let detail = format!("The course given at {} is not completed yet.", time(oldest.assigned_at));
        Some(CurrentCourse::new(Decision::Existing(oldest.id), Rule::OpenAssignment, detail))
    }

    fn next_basics(&self, completions: &BTreeMap<CourseId, Completion>) -> Option<CurrentCourse> {
        let mut basics: Vec<_> = self
            .courses
            .iter()
            .filter(|course| course.basics)
            .filter_map(|course| Some((course.position, course.id, course.on_offer()?)))
            .collect();
        basics.sort_by_key(|(position, course, _)| (*position, *course));
        let missing = |(_, course, _): &(i32, CourseId, PublishedVersion)| !completions.contains_key(course);
        let next = basics.iter().position(missing)?;
        let (_, course, version) = basics[next];
        let lesson = Lesson {
            course,
            version: version.id,
            source: AssignmentSource::Basics,
            due_at: Some(self.now + BASICS_DAYS),
        };
        let detail = format!("Course {} of {} basics, which come first.", next + 1, basics.len());
        Some(CurrentCourse::new(Decision::Assign(lesson), Rule::Basics, detail))
    }

    fn next_of_pool(&self, completions: &BTreeMap<CourseId, Completion>) -> CurrentCourse {
        let nothing = |detail| CurrentCourse::new(Decision::Nothing, Rule::NothingLeft, detail);
        if self.category().is_none() {
            return nothing(
                "No training category is for the member's job title, and there is no default one.",
            );
        }
        let pool = self.pool_on_offer();
        if pool.is_empty() {
            return nothing("The member's course pool has no published course.");
        }
        let opens_at = self.gate();
        let fresh = pool.iter().find(|(course, _)| !completions.contains_key(course));
        let chosen = fresh
            .map(|chosen| (chosen, Rule::Pool, "The first course of the pool that was never completed."))
            .or_else(|| {
                let due_again = self.due_again(&pool, completions, opens_at.unwrap_or(self.now))?;
                Some((
                    due_again,
                    Rule::Recycled,
                    "All courses of the pool are completed; this one is due again.",
                ))
            });
        match (chosen, opens_at) {
            (None, _) => nothing("All courses of the member's pool are completed, and none is due again."),
            (Some(_), Some(next_available_at)) => {
                let detail = format!(
                    "The course of this period was given already. The next one can be given at {}.",
                    time(next_available_at)
                );
                CurrentCourse::new(Decision::Gate { next_available_at }, Rule::CadenceGate, detail)
            }
            (Some(((course, version), rule, detail)), None) => {
                let lesson = Lesson {
                    course: *course,
                    version: version.id,
                    source: AssignmentSource::CoursePool,
                    due_at: self.calendar.period_used_by(self.now).map(|period| period.end),
                };
                CurrentCourse::new(Decision::Assign(lesson), rule, detail)
            }
        }
    }

    /// When the next course of the pool can be given; none if one can be given now. What was withdrawn does not count,
    /// or a member whose pool was changed in the middle of a period would get nothing for the rest of it.
    fn gate(&self) -> Option<DateTime<Utc>> {
        self.assignments
            .iter()
            .filter(|past| past.source == AssignmentSource::CoursePool)
            .filter(|past| past.state != AssignmentState::Withdrawn)
            .filter_map(|past| self.calendar.period_used_by(past.assigned_at))
            .map(|period| period.end)
            .filter(|end| *end > self.now)
            .max()
    }

    /// The course completed longest ago among those due again at `at`; of several the first in the pool.
    fn due_again<'a>(
        &self,
        pool: &'a [(CourseId, PublishedVersion)],
        completions: &BTreeMap<CourseId, Completion>,
        at: DateTime<Utc>,
    ) -> Option<&'a (CourseId, PublishedVersion)> {
        let recycle_after = TimeDelta::days(i64::from(self.recycle_after_days));
        pool.iter()
            .filter_map(|offer| Some((offer, completions.get(&offer.0)?)))
            .filter(|((_, version), last)| {
                let old = at - last.at > recycle_after;
                // A phone's clock can put a completion before the publication of the very version completed.
                let renewed = version.published_at > last.at && version.id != last.version;
                old || renewed
            })
            .min_by_key(|(_, last)| last.at)
            .map(|(offer, _)| offer)
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests;
