use std::sync::Arc;

use domain_kernel::{Clock, IdGenerator};

use crate::ports::{AssignmentQueries, AssignmentRepository, ProgressSignals};

/// The use cases of those who learn: which course is theirs, and what their phones report of it.
#[derive(Clone)]
#[expect(missing_docs, reason = "the ports say what they are")]
pub struct LearningService {
    pub assignments: Arc<dyn AssignmentRepository>,
    pub queries: Arc<dyn AssignmentQueries>,
    pub signals: Arc<dyn ProgressSignals>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGenerator>,
}

#[cfg(test)]
pub(crate) mod tests {
    use chrono::{DateTime, Utc};
    use chrono_tz::Tz;
    use domain_kernel::testing::{CountingIds, FixedClock, nobody};
    use domain_kernel::{
        Actor, ActorMembership, AssignmentId, CourseId, CourseVersionId, MembershipId, OrgId, TeamId,
    };
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::ports::{MockAssignmentQueries, MockAssignmentRepository, MockProgressSignals, Standing};
    use crate::{
        Assignment, AssignmentSource, Cadence, Calendar, CatalogCourse, ClientTime, Course, CourseName,
        EventType, Learner, LearnerCourse, Lesson, PastAssignment, PlayerSessionId, ProgressData,
        ProgressEvent, PublishedVersion, Situation, VersionContent, VersionData,
    };

    pub(crate) const ORGANIZATION: OrgId = OrgId::new(Uuid::from_u128(0x10));
    pub(crate) const COURSE: CourseId = CourseId::new(Uuid::from_u128(0x20));
    pub(crate) const VERSION: CourseVersionId = CourseVersionId::new(Uuid::from_u128(0x21));
    pub(crate) const MEMBERSHIP: MembershipId = MembershipId::new(Uuid::from_u128(0x30));
    pub(crate) const TEAM: TeamId = TeamId::new(Uuid::from_u128(0x40));
    pub(crate) const ASSIGNMENT: AssignmentId = AssignmentId::new(Uuid::from_u128(0x50));

    /// Mocks of all ports; a call that was not prepared fails the test.
    #[derive(Default)]
    pub(crate) struct Fixture {
        pub(crate) assignments: MockAssignmentRepository,
        pub(crate) queries: MockAssignmentQueries,
        pub(crate) signals: MockProgressSignals,
    }

    impl Fixture {
        pub(crate) fn service(self) -> LearningService {
            LearningService {
                assignments: Arc::new(self.assignments),
                queries: Arc::new(self.queries),
                signals: Arc::new(self.signals),
                clock: Arc::new(FixedClock::default()),
                ids: Arc::new(CountingIds::default()),
            }
        }
    }

    pub(crate) fn now() -> DateTime<Utc> {
        FixedClock::default().now()
    }

    /// A person with [`MEMBERSHIP`], on [`TEAM`].
    pub(crate) fn learner() -> Actor {
        let membership = ActorMembership {
            id: MEMBERSHIP,
            organization: ORGANIZATION,
            org_admin: false,
            teams: vec![TEAM],
            administered_teams: vec![],
        };
        Actor { memberships: vec![membership], ..nobody() }
    }

    pub(crate) fn learner_of(actor: &Actor) -> Learner {
        Learner { organization: ORGANIZATION, membership: MEMBERSHIP, user: actor.user }
    }

    pub(crate) fn a_lesson() -> LearnerCourse {
        let course = Course {
            id: COURSE,
            organization: Some(ORGANIZATION),
            name: CourseName::parse("Lifting").expect("a name"),
            description: None,
            basics: true,
            position: 1,
            language_codes: vec![],
            published: None,
            archived_at: None,
            created_at: now(),
            updated_at: now(),
        };
        let data = VersionData::parse(json!({ "title": "Lifting" })).expect("an object");
        LearnerCourse {
            course,
            version: Some(VersionContent { id: VERSION, number: 1, data }),
            assignment: None,
        }
    }

    pub(crate) fn an_assignment(actor: &Actor) -> Assignment {
        let lesson = Lesson {
            course: COURSE,
            version: VERSION,
            source: AssignmentSource::Basics,
            due_at: Some(now()),
        };
        Assignment::give(ASSIGNMENT, learner_of(actor), lesson, now())
    }

    /// Somebody whose organization has [`COURSE`] as its only one of the basics.
    pub(crate) fn a_standing(actor: &Actor) -> Standing {
        let published = Some(PublishedVersion { id: VERSION, published_at: now() });
        let course = CatalogCourse { id: COURSE, basics: true, position: 1, archived: false, published };
        let situation = Situation {
            active: true,
            job_title: None,
            teams: vec![],
            assignments: vec![],
            courses: vec![course],
            categories: vec![],
            overrides: vec![],
            calendar: Calendar { cadence: Cadence::Weekly, time_zone: Tz::UTC },
            recycle_after_days: 180,
            now: now(),
        };
        Standing { learner: learner_of(actor), situation, open: None }
    }

    /// The same with [`COURSE`] under way.
    pub(crate) fn a_standing_with_open(actor: &Actor) -> Standing {
        let assignment = an_assignment(actor);
        let mut standing = a_standing(actor);
        standing.situation.assignments = vec![PastAssignment::from(&assignment)];
        standing.open = Some(LearnerCourse { assignment: Some(assignment), ..a_lesson() });
        standing
    }

    pub(crate) fn an_event() -> ProgressEvent {
        ProgressEvent {
            event_type: EventType::UpdateProgress,
            player_session: PlayerSessionId::new(Uuid::from_u128(0x60)),
            client_time: ClientTime::parse(1_767_600_000_000).expect("a time"),
            progress: ProgressData::parse(json!({ "percent": 40 })).expect("progress"),
        }
    }
}
