//! The permission table: which role may do what. This file is the only place that decides it.

/// Role of a person at Worklete itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StaffRole {
    /// Reads everything in the staff area.
    Employee,
    /// Reads and writes everything.
    Admin,
}

impl StaffRole {
    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Employee => "employee",
            Self::Admin => "admin",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Employee, Self::Admin].into_iter().find(|role| role.as_str() == text)
    }
}

/// What a person is in a given [`Scope`](crate::Scope), from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Has an active membership in the organization.
    Member,
    /// Is on the team in question.
    TeamMember,
    /// Is on the team in question and holds a valid certification as champion.
    Champion,
    /// Runs the team in question.
    TeamAdmin,
    /// Runs the organization; counts as admin of each of its teams.
    OrgAdmin,
    /// Worklete staff, reading.
    StaffEmployee,
    /// Worklete staff, reading and writing.
    StaffAdmin,
}

/// Everything that needs a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Open an organization.
    OrganizationCreate,
    /// See any organization with all of its settings.
    OrganizationRead,
    /// Change what an organization says of itself, such as its identity provider.
    OrganizationUpdate,
    /// Change the name, the folder and the settings of an organization.
    OrganizationManage,
    /// Add a person to an organization.
    MembershipCreate,
    /// See somebody else's membership, with the invite code.
    MembershipRead,
    /// See what somebody else's phone reported of a course.
    ProgressRead,
    /// List jobs.
    JobRead,
    /// See what was made of roster files.
    RosterRead,
    /// Put and import roster files.
    RosterImport,
    /// Change, end or take up again somebody's membership.
    MembershipUpdate,
    /// See on which teams somebody else is.
    MembershipTeamsRead,
    /// List, renew, replace and take back invitations.
    InvitationManage,
    /// See somebody else's account.
    UserRead,
    /// Change somebody else's address and sign-in name.
    UserRename,
    /// Change everything about an account, lock it, and say who is staff.
    UserUpdate,
    /// Give somebody a new password.
    PasswordIssue,
    /// Erase the personal data of somebody.
    UserErase,
    /// Take out everything that is kept of somebody.
    UserExport,
    /// Read what staff and admins changed.
    AuditRead,
    /// Say who runs the organization.
    OrgAdminManage,
    /// Open a team.
    TeamCreate,
    /// See a team.
    TeamRead,
    /// See the names of an organization's teams.
    TeamList,
    /// Change the name of a team.
    TeamRename,
    /// Open and change a team with everybody who is on it or runs it.
    TeamManage,
    /// Delete a team.
    TeamDelete,
    /// Say who runs a team.
    TeamAdminManage,
    /// Add a course to the library or to an organization.
    CourseCreate,
    /// Read a course and its versions in the staff area.
    CourseRead,
    /// Change or archive a course.
    CourseUpdate,
    /// Open, change, publish and archive versions of a course.
    CourseVersionManage,
    /// See who is certified as champion.
    CertificationRead,
    /// Certify a champion, or take a certification back.
    CertificationManage,
    /// See the refinements of a team.
    RefinementRead,
    /// Note a refinement of a team, and change the own notes.
    RefinementWrite,
    /// Change the refinements that others noted.
    RefinementManage,
    /// See the score of a team with what it is made of, and compare teams.
    ScoreRead,
    /// See who trains what: categories, job titles and course pools.
    TrainingRead,
    /// Say who trains what.
    TrainingManage,
}

/// Whether `role` may do `permission` in the scope where it holds that role.
#[expect(clippy::too_many_lines, reason = "a table, which grows with the permissions")]
pub fn allows(role: Role, permission: Permission) -> bool {
    use Permission as P;
    match role {
        Role::StaffAdmin => true,
        Role::StaffEmployee => match permission {
            P::OrganizationRead
            | P::JobRead
            | P::RosterRead
            | P::CourseRead
            | P::TrainingRead
            | P::TeamRead
            | P::TeamList
            | P::MembershipRead
            | P::ProgressRead
            | P::MembershipTeamsRead
            | P::UserRead
            | P::AuditRead
            | P::CertificationRead
            | P::RefinementRead
            | P::ScoreRead => true,
            P::OrganizationCreate
            | P::RosterImport
            | P::TeamManage
            | P::OrganizationManage
            | P::MembershipCreate
            | P::OrgAdminManage
            | P::TeamCreate
            | P::TeamRename
            | P::TeamDelete
            | P::TeamAdminManage
            | P::CourseCreate
            | P::CourseUpdate
            | P::CourseVersionManage
            | P::TrainingManage
            | P::OrganizationUpdate
            | P::MembershipUpdate
            | P::InvitationManage
            | P::UserRename
            | P::UserUpdate
            | P::PasswordIssue
            | P::UserErase
            | P::UserExport
            | P::CertificationManage
            | P::RefinementWrite
            | P::RefinementManage => false,
        },
        Role::OrgAdmin => match permission {
            P::MembershipCreate
            | P::MembershipRead
            | P::ProgressRead
            | P::OrgAdminManage
            | P::TeamCreate
            | P::TeamRead
            | P::TeamList
            | P::TeamRename
            | P::TeamDelete
            | P::TeamAdminManage
            | P::OrganizationUpdate
            | P::MembershipUpdate
            | P::MembershipTeamsRead
            | P::InvitationManage
            | P::UserRead
            | P::UserRename
            | P::RefinementRead
            | P::RefinementWrite
            | P::ScoreRead => true,
            P::OrganizationCreate
            | P::JobRead
            | P::RosterRead
            | P::RosterImport
            | P::TeamManage
            | P::OrganizationRead
            | P::OrganizationManage
            | P::CourseCreate
            | P::CourseRead
            | P::CourseUpdate
            | P::CourseVersionManage
            | P::TrainingRead
            | P::TrainingManage
            | P::UserUpdate
            | P::PasswordIssue
            | P::UserErase
            | P::UserExport
            | P::AuditRead
            | P::CertificationRead
            | P::CertificationManage
            | P::RefinementManage => false,
        },
        Role::TeamAdmin => match permission {
            P::MembershipRead
            | P::ProgressRead
            | P::TeamRead
            | P::TeamList
            | P::TeamRename
            | P::UserRead
            | P::RefinementRead
            | P::RefinementWrite
            | P::ScoreRead => true,
            P::OrganizationCreate
            | P::JobRead
            | P::RosterRead
            | P::RosterImport
            | P::TeamManage
            | P::OrganizationRead
            | P::OrganizationManage
            | P::MembershipCreate
            | P::OrgAdminManage
            | P::TeamCreate
            | P::TeamDelete
            | P::TeamAdminManage
            | P::CourseCreate
            | P::CourseRead
            | P::CourseUpdate
            | P::CourseVersionManage
            | P::TrainingRead
            | P::TrainingManage
            | P::OrganizationUpdate
            | P::MembershipUpdate
            | P::MembershipTeamsRead
            | P::InvitationManage
            | P::UserRename
            | P::UserUpdate
            | P::PasswordIssue
            | P::UserErase
            | P::UserExport
            | P::AuditRead
            | P::CertificationRead
            | P::CertificationManage
            | P::RefinementManage => false,
        },
        Role::Champion => match permission {
            P::TeamRead | P::TeamList | P::RefinementRead | P::RefinementWrite => true,
            P::OrganizationCreate
            | P::JobRead
            | P::RosterRead
            | P::RosterImport
            | P::TeamManage
            | P::OrganizationRead
            | P::OrganizationManage
            | P::MembershipCreate
            | P::OrgAdminManage
            | P::MembershipRead
            | P::ProgressRead
            | P::TeamCreate
            | P::TeamRename
            | P::TeamDelete
            | P::TeamAdminManage
            | P::CourseCreate
            | P::CourseRead
            | P::CourseUpdate
            | P::CourseVersionManage
            | P::TrainingRead
            | P::TrainingManage
            | P::OrganizationUpdate
            | P::MembershipUpdate
            | P::MembershipTeamsRead
            | P::InvitationManage
            | P::UserRead
            | P::UserRename
            | P::UserUpdate
            | P::PasswordIssue
            | P::UserErase
            | P::UserExport
            | P::AuditRead
            | P::CertificationRead
            | P::CertificationManage
            | P::RefinementManage
            | P::ScoreRead => false,
        },
        Role::TeamMember => match permission {
            P::TeamRead | P::TeamList => true,
            P::OrganizationCreate
            | P::JobRead
            | P::RosterRead
            | P::RosterImport
            | P::TeamManage
            | P::OrganizationRead
            | P::OrganizationManage
            | P::MembershipCreate
            | P::OrgAdminManage
            | P::MembershipRead
            | P::ProgressRead
            | P::TeamCreate
            | P::TeamRename
            | P::TeamDelete
            | P::TeamAdminManage
            | P::CourseCreate
            | P::CourseRead
            | P::CourseUpdate
            | P::CourseVersionManage
            | P::TrainingRead
            | P::TrainingManage
            | P::OrganizationUpdate
            | P::MembershipUpdate
            | P::MembershipTeamsRead
            | P::InvitationManage
            | P::UserRead
            | P::UserRename
            | P::UserUpdate
            | P::PasswordIssue
            | P::UserErase
            | P::UserExport
            | P::AuditRead
            | P::CertificationRead
            | P::CertificationManage
            | P::RefinementRead
            | P::RefinementWrite
            | P::RefinementManage
            | P::ScoreRead => false,
        },
        Role::Member => match permission {
            P::TeamList => true,
            P::OrganizationCreate
            | P::JobRead
            | P::RosterRead
            | P::RosterImport
            | P::TeamManage
            | P::OrganizationRead
            | P::OrganizationManage
            | P::MembershipCreate
            | P::OrgAdminManage
            | P::MembershipRead
            | P::ProgressRead
            | P::TeamCreate
            | P::TeamRead
            | P::TeamRename
            | P::TeamDelete
            | P::TeamAdminManage
            | P::CourseCreate
            | P::CourseRead
            | P::CourseUpdate
            | P::CourseVersionManage
            | P::TrainingRead
            | P::TrainingManage
            | P::OrganizationUpdate
            | P::MembershipUpdate
            | P::MembershipTeamsRead
            | P::InvitationManage
            | P::UserRead
            | P::UserRename
            | P::UserUpdate
            | P::PasswordIssue
            | P::UserErase
            | P::UserExport
            | P::AuditRead
            | P::CertificationRead
            | P::CertificationManage
            | P::RefinementRead
            | P::RefinementWrite
            | P::RefinementManage
            | P::ScoreRead => false,
        },
    }
}
