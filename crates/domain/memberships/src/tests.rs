//! What the unit tests of this crate share.

use std::sync::Arc;

use chrono::TimeDelta;
use chrono_tz::Tz;
use domain_kernel::testing::{CountingIds, FakeThrottle, FixedClock};
use domain_kernel::{Budget, Clock, InvitationId, InviteCode, MembershipId, OrgId, PersonName};
use uuid::Uuid;

use crate::ports::{
    MockInvitationMailer, MockInvitationRepository, MockInviteCodeGenerator, MockMembershipQueries,
    MockMembershipRepository, RosterSettings,
};
use crate::{
    Invitation, InvitationDetails, InvitationStatus, Membership, MembershipService, MembershipStatus,
    MembershipView,
};

pub(crate) const ORG: OrgId = OrgId::new(Uuid::from_u128(1));

/// A call to a mock that a test did not prepare fails the test.
#[derive(Default)]
pub(crate) struct Fixture {
    pub(crate) memberships: MockMembershipRepository,
    pub(crate) queries: MockMembershipQueries,
    pub(crate) invitations: MockInvitationRepository,
    pub(crate) mailer: MockInvitationMailer,
    pub(crate) throttle: Arc<FakeThrottle>,
    pub(crate) clock: Arc<FixedClock>,
}

impl Fixture {
    pub(crate) fn with_used_up(budget: Budget) -> Self {
        let throttle = Arc::new(FakeThrottle { used_up: vec![budget], ..FakeThrottle::default() });
        Self { throttle, ..Self::default() }
    }

    /// With an organization that counts days in UTC and has no grace days.
    pub(crate) fn with_settings() -> Self {
        let mut fixture = Self::default();
        let settings = RosterSettings { time_zone: Tz::UTC, reporting_grace_days: 0 };
        fixture.memberships.expect_find_settings().return_once(|_| Ok(Some(settings)));
        fixture
    }

    pub(crate) fn service(self) -> MembershipService {
        let mut codes = MockInviteCodeGenerator::new();
        codes.expect_code().returning(a_code);
        MembershipService {
            memberships: Arc::new(self.memberships),
            queries: Arc::new(self.queries),
            invitations: Arc::new(self.invitations),
            mailer: Arc::new(self.mailer),
            codes: Arc::new(codes),
            throttle: self.throttle,
            clock: self.clock,
            ids: Arc::new(CountingIds::default()),
            invitation_lifespan: TimeDelta::days(30),
        }
    }
}

pub(crate) fn a_code() -> InviteCode {
    InviteCode::parse("289BZP").expect("a code")
}

pub(crate) fn an_invitation() -> Invitation {
    let now = FixedClock::default().now();
    Invitation {
        id: InvitationId::new(Uuid::from_u128(0x1D)),
        organization: ORG,
        membership: MembershipId::new(Uuid::from_u128(3)),
        code: a_code(),
        status: InvitationStatus::Pending,
        expires_at: now + TimeDelta::days(30),
        created_at: now,
    }
}

pub(crate) fn details() -> InvitationDetails {
    InvitationDetails {
        invitation: an_invitation(),
        organization_name: "Harbor".into(),
        membership_name: "Demo Learner".into(),
        membership_status: MembershipStatus::Pending,
        gives_say: false,
        email: None,
        sent: None,
        accepted: None,
        revoked_at: None,
    }
}

pub(crate) fn a_view() -> MembershipView {
    let (invitation, now) = (an_invitation(), FixedClock::default().now());
    let name = |text| PersonName::parse(text).expect("a name");
    let membership = Membership {
        id: invitation.membership,
        organization: ORG,
        user: None,
        external_id: None,
        first_name: name("Demo"),
        last_name: name("Learner"),
        email: None,
        job_title: None,
        org_admin: false,
        status: MembershipStatus::Pending,
        hired_on: None,
        first_seen_at: now,
        reporting_starts_on: now.date_naive(),
        deactivated_at: None,
        created_at: now,
        updated_at: now,
        teams: vec![],
        administered_teams: vec![],
    };
    MembershipView { membership, invitation: Some(invitation), user: None, training_category: None }
}
