use std::sync::Arc;

use chrono::TimeDelta;
use domain_kernel::{Clock, IdGenerator, Throttle};

use crate::ports::{
    InvitationMailer, InvitationRepository, InviteCodeGenerator, MembershipQueries, MembershipRepository,
};

/// The use cases of the memberships domain.
#[derive(Clone)]
#[expect(missing_docs, reason = "the ports say what they are")]
pub struct MembershipService {
    pub memberships: Arc<dyn MembershipRepository>,
    pub queries: Arc<dyn MembershipQueries>,
    pub invitations: Arc<dyn InvitationRepository>,
    pub mailer: Arc<dyn InvitationMailer>,
    pub codes: Arc<dyn InviteCodeGenerator>,
    pub throttle: Arc<dyn Throttle>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGenerator>,
    /// How long a new invitation works.
    pub invitation_lifespan: TimeDelta,
}
