use std::sync::Arc;

use chrono::TimeDelta;
use domain_kernel::{Clock, IdGenerator};

use crate::ports::{
    ImportQueries, ImportRepository, ImportRun, InviteCodeGenerator, MembershipRepository, RosterFiles,
};

/// How much is taken, and how long things last.
#[derive(Debug, Clone, Copy)]
pub struct RosterLimits {
    /// Most bytes of a file.
    pub max_bytes: u64,
    /// How long the permission to put a file lasts.
    pub upload_lifespan: TimeDelta,
    /// How long a new invitation works.
    pub invitation_lifespan: TimeDelta,
}

/// The use cases of rosters.
#[derive(Clone)]
#[expect(missing_docs, reason = "the ports say what they are")]
pub struct RosterService {
    pub imports: Arc<dyn ImportRepository>,
    pub runs: Arc<dyn ImportRun>,
    pub queries: Arc<dyn ImportQueries>,
    pub memberships: Arc<dyn MembershipRepository>,
    pub files: Arc<dyn RosterFiles>,
    pub codes: Arc<dyn InviteCodeGenerator>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGenerator>,
    pub limits: RosterLimits,
}
