use async_trait::async_trait;
use domain_kernel::{AuditEntry, CourseId, OrgId, Page, PageRequest, TeamId, TrainingCategoryId};

use crate::{
    CourseError, CoursePool, JobTitleInUse, ListedCourse, PoolChange, PoolOverride, TrainingCategory,
};

/// A pure change of an organization's categories, given those courses that were asked for and exist. Gives the audit row, or
/// `None` when nothing changes. It neither adds nor removes categories.
pub type CategoriesEdit = Box<
    dyn FnOnce(&mut [TrainingCategory], &[ListedCourse]) -> Result<Option<AuditEntry>, CourseError> + Send,
>;

/// What a wish for course pools is judged by.
#[derive(Debug, Clone, Default)]
pub struct PoolFacts {
    /// Those of the named teams that are live teams of the organization.
    pub teams: Vec<TeamId>,
    /// Those of the named categories that the organization has.
    pub categories: Vec<TrainingCategoryId>,
    /// Those of the named courses that exist.
    pub courses: Vec<ListedCourse>,
    /// The lists of their own that the named teams have.
    pub overrides: Vec<PoolOverride>,
}

/// Judges a wish for course pools. Gives the audit row, or `None` when everything is so already.
pub type PoolJudge = Box<dyn FnOnce(&PoolFacts) -> Result<Option<AuditEntry>, CourseError> + Send>;

/// Which course pools are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolFilter {
    /// Only those of these teams.
    pub teams: Option<Vec<TeamId>>,
    /// Only those of these categories.
    pub categories: Option<Vec<TrainingCategoryId>>,
}

/// Stores who trains what.
///
/// Whatever changes it also withdraws the assignments of a course pool that are not begun and whose course is in no list of
/// their member any more. Assignments that are begun, basics and those given by hand stay. Changes in one organization, those
/// of members' job titles and teams included, queue up.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait TrainingRepository: Send + Sync {
    /// One atomic fact: adds the category, without job titles and courses, and its audit row. If it is the default one, the
    /// one that was is not any more, and was changed at the same time; `taken_from` of the audit row's `after` names it, as the
    /// row of a change does. Fails, writing nothing, with
    /// [`Refusal::NotFound`](domain_kernel::Refusal::NotFound) if there is no such organization, and with
    /// [`CourseError::CategoryNameTaken`] if the organization has a category of this name in any case.
    async fn insert(&self, category: TrainingCategory, audit: AuditEntry) -> Result<(), CourseError>;

    /// One atomic fact: loads all categories of the organization and those of the `courses` that exist, which stay as they
    /// are until it is over, runs `edit`, stores what it changed with its audit row. If `edit` gives `None` or an error,
    /// nothing is written. Gives all categories as they are then, by name. Fails with
    /// [`Refusal::NotFound`](domain_kernel::Refusal::NotFound) if there is no such organization, and with
    /// [`CourseError::CategoryNameTaken`] if another category has the new name in any case.
    async fn update(
        &self,
        organization: OrgId,
        courses: Vec<CourseId>,
        edit: CategoriesEdit,
    ) -> Result<Vec<TrainingCategory>, CourseError>;

    /// One atomic fact: asks `judge` about the facts, which stay as they are until it is over, and stores the lists with the
    /// audit row. Lists that are so already keep the time of their last change. If `judge` gives `None` or an error, nothing
    /// is written. Gives the pools that the wish names as they are then, in the order of
    /// [`TrainingQueries::pools`], with or without members. Fails with
    /// [`Refusal::NotFound`](domain_kernel::Refusal::NotFound) if there is no such organization.
    async fn set_pools(
        &self,
        organization: OrgId,
        changes: Vec<PoolChange>,
        judge: PoolJudge,
    ) -> Result<Vec<CoursePool>, CourseError>;
}

/// Reads who trains what. All lists are `None` for an organization that does not exist.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait TrainingQueries: Send + Sync {
    /// The categories of an organization, by name with case ignored.
    async fn categories(
        &self,
        organization: OrgId,
        page: PageRequest,
    ) -> Result<Option<Page<TrainingCategory>>, CourseError>;

    /// The job titles of the people on the roster, pending ones included and those who left not, by key. Spellings with one
    /// key are one, in the spelling that most people have; of equally frequent ones the first.
    async fn job_titles(
        &self,
        organization: OrgId,
        page: PageRequest,
    ) -> Result<Option<Page<JobTitleInUse>>, CourseError>;

    /// The course pools of an organization, by the names of team and category with case ignored: one for each live team and
    /// category with a member, pending ones included and those who left not, and one for each live team with a list of its
    /// own. The courses are those of that list, else of the category, in order.
    async fn pools(
        &self,
        organization: OrgId,
        filter: PoolFilter,
        page: PageRequest,
    ) -> Result<Option<Page<CoursePool>>, CourseError>;
}
