use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Declares one id type per table, so that a team id can never be passed where a user id is wanted.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that is known to name this kind of thing.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID itself, for storage and for the wire.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// A person with an account.
    UserId,
    /// A signed-in device of a user.
    SessionId,
    /// A request for a new password by mail.
    PasswordResetId,
    /// A customer organization.
    OrgId,
    /// A person's place in one organization.
    MembershipId,
    /// The code that lets a person take a membership.
    InvitationId,
    /// A team of an organization.
    TeamId,
    /// A course of the library or of one organization.
    CourseId,
    /// One edition of a course's content.
    CourseVersionId,
    /// A set of job titles that train the same courses.
    TrainingCategoryId,
    /// A course given to a membership.
    AssignmentId,
    /// What says that a user is a champion.
    ChampionCertificationId,
    /// A roster file that was or is to be applied.
    ImportId,
    /// Work that goes on after an answer.
    JobId,
    /// A note of practice on a team's floor.
    RefinementId,
}
