use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, Bool, Date, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_kernel::{
    AuditSubject, EmailAddress, InvitationId, InviteCode, MembershipId, OrgId, PersonName, Refusal,
    StorageError, TeamId, UserId,
};
use domain_memberships::ports::{MembershipEdit, MembershipRepository, NewMembership, RosterSettings};
use domain_memberships::{
    Added, ExternalId, Invitation, InvitationPreview, InvitationStatus, JobTitle, Membership,
    MembershipError, MembershipStatus, MembershipView, UserBrief,
};
use uuid::Uuid;

use crate::error::{PgError, unreadable};
use crate::schema::{invitations, memberships, organizations, team_admins, team_memberships, teams, users};
use crate::sql::statement;
use crate::{Pg, audit};

/// Memberships and invitations in PostgreSQL.
#[derive(Clone)]
pub struct PgMemberships {
    pg: Pg,
}

impl PgMemberships {
    /// Over this database.
    pub fn new(pg: Pg) -> Self {
        Self { pg }
    }
}

type Outcome<T> = Result<T, PgError<MembershipError>>;

fn refuse<T>(error: MembershipError) -> Outcome<T> {
    Err(PgError::Refused(error))
}

const VIEW: &str = "SELECT m.id, m.organization_id, m.user_id, m.external_id, m.first_name, m.last_name, \
    m.email::text AS email, m.job_title, m.org_admin, m.status, m.hired_on, m.first_seen_at, m.reporting_starts_on, \
    m.deactivated_at, m.created_at, m.updated_at, \
    ARRAY(SELECT tm.team_id FROM team_memberships tm JOIN teams t ON t.id = tm.team_id \
        WHERE tm.membership_id = m.id AND t.deleted_at IS NULL ORDER BY tm.joined_at, tm.team_id) AS team_ids, \
    ARRAY(SELECT ta.team_id FROM team_admins ta JOIN teams t ON t.id = ta.team_id \
        WHERE ta.membership_id = m.id AND t.deleted_at IS NULL ORDER BY ta.created_at, ta.team_id) AS admin_team_ids, \
    i.id AS invitation_id, i.code::text AS code, i.status AS invitation_status, i.expires_at, \
    i.created_at AS invited_at, u.username::text AS username, u.first_name AS user_first_name, \
    u.last_name AS user_last_name \
    FROM memberships m LEFT JOIN users u ON u.id = m.user_id \
    LEFT JOIN LATERAL (SELECT * FROM invitations WHERE membership_id = m.id ORDER BY created_at DESC, id DESC LIMIT 1) i \
        ON true \
    WHERE m.id = {}";

#[derive(QueryableByName)]
struct ViewRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    organization_id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    user_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    external_id: Option<String>,
    #[diesel(sql_type = Text)]
    first_name: String,
    #[diesel(sql_type = Text)]
    last_name: String,
    #[diesel(sql_type = Nullable<Text>)]
    email: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    job_title: Option<String>,
    #[diesel(sql_type = Bool)]
    org_admin: bool,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Nullable<Date>)]
    hired_on: Option<NaiveDate>,
    #[diesel(sql_type = Timestamptz)]
    first_seen_at: DateTime<Utc>,
    #[diesel(sql_type = Date)]
    reporting_starts_on: NaiveDate,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    deactivated_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    updated_at: DateTime<Utc>,
    #[diesel(sql_type = Array<SqlUuid>)]
    team_ids: Vec<Uuid>,
    #[diesel(sql_type = Array<SqlUuid>)]
    admin_team_ids: Vec<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    invitation_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    code: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    invitation_status: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    expires_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    invited_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    username: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    user_first_name: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    user_last_name: Option<String>,
}

fn wrong_status() -> StorageError {
    unreadable("memberships", "known status")
}

impl ViewRow {
    fn invitation(&self) -> Result<Option<Invitation>, StorageError> {
        let columns =
            (self.invitation_id, &self.code, &self.invitation_status, self.expires_at, self.invited_at);
        let (Some(id), Some(code), Some(status), Some(expires_at), Some(created_at)) = columns else {
            return Ok(None);
        };
        Ok(Some(Invitation {
            id: InvitationId::new(id),
            organization: OrgId::new(self.organization_id),
            membership: MembershipId::new(self.id),
            code: InviteCode::parse(code).map_err(|problem| unreadable("invitations", problem.code))?,
            status: InvitationStatus::parse(status).ok_or_else(wrong_status)?,
            expires_at,
            created_at,
        }))
    }

    fn read(self) -> Result<MembershipView, StorageError> {
        let invitation = self.invitation()?;
        let user = match (self.user_id, self.username, self.user_first_name, self.user_last_name) {
            (Some(id), Some(username), Some(first_name), Some(last_name)) => {
                Some(UserBrief { id: UserId::new(id), username, first_name, last_name })
            }
            _ => None,
        };
        let membership = Membership {
            id: MembershipId::new(self.id),
            organization: OrgId::new(self.organization_id),
            user: self.user_id.map(UserId::new),
            external_id: self.external_id.map(ExternalId::from_stored),
            first_name: PersonName::from_stored(self.first_name),
            last_name: PersonName::from_stored(self.last_name),
            email: self.email.map(EmailAddress::from_stored),
            job_title: self.job_title.map(JobTitle::from_stored),
            org_admin: self.org_admin,
            status: MembershipStatus::parse(&self.status).ok_or_else(wrong_status)?,
            hired_on: self.hired_on,
            first_seen_at: self.first_seen_at,
            reporting_starts_on: self.reporting_starts_on,
            deactivated_at: self.deactivated_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
            teams: self.team_ids.into_iter().map(TeamId::new).collect(),
            administered_teams: self.admin_team_ids.into_iter().map(TeamId::new).collect(),
        };
        Ok(MembershipView { membership, invitation, user })
    }
}

fn load_view(connection: &mut PgConnection, id: Uuid) -> Outcome<MembershipView> {
    let row: ViewRow = statement(VIEW).bind::<SqlUuid, _>(id).get_result(connection)?;
    row.read().map_err(|error| PgError::Refused(error.into()))
}

/// Refuses, naming the field, unless all are live teams of the organization; they stay so until the transaction ends.
fn require_live_teams(
    connection: &mut PgConnection,
    field: &str,
    org: OrgId,
    wanted: &[TeamId],
) -> Outcome<()> {
    let ids: Vec<Uuid> = wanted.iter().map(|team| team.uuid()).collect();
    let live: Vec<Uuid> = teams::table
        .filter(teams::organization_id.eq(org.uuid()).and(teams::id.eq_any(ids)))
        .filter(teams::deleted_at.is_null())
        .select(teams::id)
        .for_share()
        .load(connection)?;
    let unknown: Vec<TeamId> = wanted.iter().copied().filter(|team| !live.contains(&team.uuid())).collect();
    if unknown.is_empty() { Ok(()) } else { refuse(MembershipError::teams_unknown(field, &unknown)) }
}

/// Takes somebody who is back off the teams of before that are not among the new ones, and takes their say in them.
fn leave_other_teams(connection: &mut PgConnection, membership: &Membership) -> QueryResult<()> {
    let uuids = |teams: &[TeamId]| teams.iter().map(|team| team.uuid()).collect::<Vec<_>>();
    let joined = team_memberships::table
        .filter(team_memberships::membership_id.eq(membership.id.uuid()))
        .filter(team_memberships::team_id.ne_all(uuids(&membership.teams)));
    diesel::delete(joined).execute(connection)?;
    let administered = team_admins::table
        .filter(team_admins::membership_id.eq(membership.id.uuid()))
        .filter(team_admins::team_id.ne_all(uuids(&membership.administered_teams)));
    diesel::delete(administered).execute(connection).map(drop)
}

fn link_teams(connection: &mut PgConnection, membership: &Membership) -> QueryResult<()> {
    let (id, org, at) = (membership.id.uuid(), membership.organization.uuid(), membership.updated_at);
    let joined: Vec<_> = membership
        .teams
        .iter()
        .map(|team| {
            (
                team_memberships::team_id.eq(team.uuid()),
                team_memberships::membership_id.eq(id),
                team_memberships::organization_id.eq(org),
                team_memberships::joined_at.eq(at),
            )
        })
        .collect();
    diesel::insert_into(team_memberships::table)
        .values(joined)
        .on_conflict_do_nothing()
        .execute(connection)?;
    let administered: Vec<_> = membership
        .administered_teams
        .iter()
        .map(|team| {
            (
                team_admins::team_id.eq(team.uuid()),
                team_admins::membership_id.eq(id),
                team_admins::organization_id.eq(org),
                team_admins::created_at.eq(at),
            )
        })
        .collect();
    diesel::insert_into(team_admins::table)
        .values(administered)
        .on_conflict_do_nothing()
        .execute(connection)?;
    Ok(())
}

fn insert_invitation(connection: &mut PgConnection, invitation: &Invitation) -> QueryResult<()> {
    diesel::insert_into(invitations::table)
        .values((
            invitations::id.eq(invitation.id.uuid()),
            invitations::organization_id.eq(invitation.organization.uuid()),
            invitations::membership_id.eq(invitation.membership.uuid()),
            invitations::code.eq(invitation.code.as_str()),
            invitations::status.eq(invitation.status.as_str()),
            invitations::expires_at.eq(invitation.expires_at),
            invitations::created_at.eq(invitation.created_at),
            invitations::updated_at.eq(invitation.created_at),
        ))
        .execute(connection)
        .map(drop)
}

/// What the roster says of a person; the same for a new membership and for one that is taken up again.
macro_rules! roster_values {
    ($membership:expr) => {
        (
            memberships::external_id.eq($membership.external_id.as_ref().map(ExternalId::as_str)),
            memberships::first_name.eq($membership.first_name.as_str()),
            memberships::last_name.eq($membership.last_name.as_str()),
            memberships::email.eq($membership.email.as_ref().map(EmailAddress::as_str)),
            memberships::job_title.eq($membership.job_title.as_ref().map(JobTitle::as_str)),
            memberships::org_admin.eq($membership.org_admin),
            memberships::status.eq($membership.status.as_str()),
            memberships::hired_on.eq($membership.hired_on),
            memberships::reporting_starts_on.eq($membership.reporting_starts_on),
            memberships::deactivated_at.eq($membership.deactivated_at),
            memberships::updated_at.eq($membership.updated_at),
            memberships::user_id.eq($membership.user.map(UserId::uuid)),
        )
    };
}

fn insert_membership(connection: &mut PgConnection, membership: &Membership) -> QueryResult<()> {
    diesel::insert_into(memberships::table)
        .values((
            (
                memberships::id.eq(membership.id.uuid()),
                memberships::organization_id.eq(membership.organization.uuid()),
                memberships::first_seen_at.eq(membership.first_seen_at),
                memberships::created_at.eq(membership.created_at),
            ),
            roster_values!(membership),
        ))
        .execute(connection)
        .map(drop)
}

/// The membership that the external id of a new one belongs to already: its id, its user unless they deleted their account,
/// and its status.
fn find_by_external_id(
    connection: &mut PgConnection,
    membership: &Membership,
) -> QueryResult<Option<(Uuid, Option<Uuid>, String)>> {
    let Some(external_id) = &membership.external_id else {
        return Ok(None);
    };
    let same = memberships::table
        .filter(memberships::organization_id.eq(membership.organization.uuid()))
        .filter(memberships::external_id.eq(external_id.as_str()));
    // The user is locked before the membership, as deleting an account does, so that the two never wait for each other.
    let user: Option<Option<Uuid>> = same.select(memberships::user_id).first(connection).optional()?;
    let kept: Option<Uuid> = match user.flatten() {
        Some(user) => users::table
            .find(user)
            .filter(users::deleted_at.is_null())
            .select(users::id)
            .for_share()
            .first(connection)
            .optional()?,
        None => None,
    };
    let found: Option<(Uuid, String)> =
        same.select((memberships::id, memberships::status)).for_update().first(connection).optional()?;
    Ok(found.map(|(id, status)| (id, kept, status)))
}

/// Takes back the pending invitations of a membership.
fn revoke_invitations(connection: &mut PgConnection, membership: &Membership) -> QueryResult<()> {
    let at = membership.updated_at;
    let pending = invitations::membership_id.eq(membership.id.uuid()).and(invitations::status.eq("pending"));
    diesel::update(invitations::table.filter(pending))
        .set((
            invitations::status.eq("revoked"),
            invitations::revoked_at.eq(at),
            invitations::updated_at.eq(at),
        ))
        .execute(connection)
        .map(drop)
}

fn add(connection: &mut PgConnection, new: NewMembership) -> Outcome<Added> {
    let NewMembership { mut membership, mut invitation, mut audit } = new;
    require_live_teams(connection, "team_ids", membership.organization, &membership.teams)?;
    let field = "administered_team_ids";
    require_live_teams(connection, field, membership.organization, &membership.administered_teams)?;
    let existing = find_by_external_id(connection, &membership)?;
    let is_back = existing.is_some();
    match existing {
        Some((_, _, status)) if status != "deactivated" => {
            return refuse(MembershipError::external_id_taken());
        }
        Some((id, user, _)) => {
            membership.id = MembershipId::new(id);
            membership.user = user.map(UserId::new);
            membership.status =
                if user.is_some() { MembershipStatus::Active } else { MembershipStatus::Pending };
            invitation.membership = membership.id;
            audit.action = "membership.reactivate";
            audit.subject = AuditSubject::Membership(membership.id);
            diesel::update(memberships::table.find(id))
                .set(roster_values!(membership))
                .execute(connection)?;
            leave_other_teams(connection, &membership)?;
            revoke_invitations(connection, &membership)?;
        }
        None => insert_membership(connection, &membership)?,
    }
    link_teams(connection, &membership)?;
    if membership.status == MembershipStatus::Pending {
        insert_invitation(connection, &invitation)?;
    }
    audit::insert(connection, audit)?;
    let view = load_view(connection, membership.id.uuid())?;
    Ok(if is_back { Added::Reactivated(view) } else { Added::Created(view) })
}

/// Whether the organization has an active admin beside this membership.
fn has_other_admin(connection: &mut PgConnection, membership: &Membership) -> QueryResult<bool> {
    let others = memberships::table
        .filter(memberships::organization_id.eq(membership.organization.uuid()))
        .filter(memberships::org_admin.and(memberships::status.eq("active")))
        .filter(memberships::id.ne(membership.id.uuid()));
    diesel::select(diesel::dsl::exists(others)).get_result(connection)
}

fn update(connection: &mut PgConnection, id: MembershipId, edit: MembershipEdit) -> Outcome<MembershipView> {
    let not_found = || PgError::Refused(Refusal::NotFound.into());
    let organization: Option<Uuid> = memberships::table
        .find(id.uuid())
        .select(memberships::organization_id)
        .first(connection)
        .optional()?;
    let organization = organization.ok_or_else(not_found)?;
    // The organization before its memberships, as deleting an account does: changes of admins queue up here.
    let _: Uuid = organizations::table
        .find(organization)
        .select(organizations::id)
        .for_no_key_update()
        .first(connection)?;
    let _: Uuid =
        memberships::table.find(id.uuid()).select(memberships::id).for_update().first(connection)?;
    let mut membership = load_view(connection, id.uuid())?.membership;
    let runs_it =
        |membership: &Membership| membership.org_admin && membership.status == MembershipStatus::Active;
    let ran_it = runs_it(&membership);
    let audit = edit(&mut membership).map_err(PgError::Refused)?;
    if let Some(audit) = audit {
        if ran_it && !runs_it(&membership) && !has_other_admin(connection, &membership)? {
            return refuse(MembershipError::LastOrgAdmin);
        }
        diesel::update(memberships::table.find(id.uuid()))
            .set((
                memberships::org_admin.eq(membership.org_admin),
                memberships::updated_at.eq(membership.updated_at),
            ))
            .execute(connection)?;
        audit::insert(connection, audit)?;
    }
    load_view(connection, id.uuid())
}

#[derive(QueryableByName)]
struct PreviewRow {
    #[diesel(sql_type = Text)]
    code: String,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    first_name: String,
    #[diesel(sql_type = Text)]
    last_name: String,
    #[diesel(sql_type = Text)]
    organization_name: String,
    #[diesel(sql_type = Bool)]
    sso_enforced: bool,
}

#[async_trait]
impl MembershipRepository for PgMemberships {
    async fn find_settings(&self, organization: OrgId) -> Result<Option<RosterSettings>, MembershipError> {
        let row: Option<(String, i32)> = self
            .pg
            .read(move |connection| {
                let columns = (organizations::time_zone, organizations::reporting_grace_days);
                Ok(organizations::table
                    .find(organization.uuid())
                    .select(columns)
                    .first(connection)
                    .optional()?)
            })
            .await
            .map_err(PgError::<MembershipError>::into_storage)?;
        row.map(|(time_zone, reporting_grace_days)| {
            let time_zone = time_zone.parse().map_err(|_| unreadable("organizations", "known time zone"))?;
            Ok(RosterSettings { time_zone, reporting_grace_days })
        })
        .transpose()
    }

    async fn add(&self, new: NewMembership) -> Result<Added, MembershipError> {
        self.pg.write(move |connection| add(connection, new)).await.map_err(|error| {
            error.into_domain(|constraint| match constraint {
                "memberships_organization_id_external_id_key" => Some(MembershipError::external_id_taken()),
                "invitations_pending_code_key" => Some(MembershipError::CodeTaken),
                _ => None,
            })
        })
    }

    async fn find(&self, id: MembershipId) -> Result<Option<MembershipView>, MembershipError> {
        let row = self
            .pg
            .read(move |connection| {
                let found = statement(VIEW).bind::<SqlUuid, _>(id.uuid());
                Ok(found.get_result::<ViewRow>(connection).optional()?)
            })
            .await
            .map_err(PgError::<MembershipError>::into_storage)?;
        Ok(row.map(ViewRow::read).transpose()?)
    }

    async fn update(
        &self,
        id: MembershipId,
        edit: MembershipEdit,
    ) -> Result<MembershipView, MembershipError> {
        self.pg.write(move |connection| update(connection, id, edit)).await.map_err(PgError::into_storage)
    }

    async fn preview(
        &self,
        code: &InviteCode,
        now: DateTime<Utc>,
    ) -> Result<Option<InvitationPreview>, MembershipError> {
        let code = code.as_str().to_owned();
        let row = self
            .pg
            .read(move |connection| {
                let found = statement(
                    "SELECT i.code::text AS code, i.expires_at, m.first_name, m.last_name, o.name AS organization_name, \
                     o.sso_enforced FROM invitations i JOIN memberships m ON m.id = i.membership_id \
                     JOIN organizations o ON o.id = i.organization_id \
                     WHERE i.code = {}::char(6) AND i.status = 'pending' AND i.expires_at > {} AND m.status = 'pending'",
                );
                let found = found.bind::<Text, _>(code).bind::<Timestamptz, _>(now);
                Ok(found.get_result::<PreviewRow>(connection).optional()?)
            })
            .await
            .map_err(PgError::<MembershipError>::into_storage)?;
        row.map(|row| {
            let code =
                InviteCode::parse(&row.code).map_err(|problem| unreadable("invitations", problem.code))?;
            Ok(InvitationPreview {
                code,
                organization_name: row.organization_name,
                membership_name: format!("{} {}", row.first_name, row.last_name),
                expires_at: row.expires_at,
                sso_required: row.sso_enforced,
            })
        })
        .transpose()
    }

    async fn accept(
        &self,
        code: &InviteCode,
        user: UserId,
        now: DateTime<Utc>,
    ) -> Result<MembershipView, MembershipError> {
        let code = code.clone();
        let accepted = self.pg.write(move |connection| {
            // Somebody who is deleting the account in another window must not end up with a membership.
            let active = users::deleted_at.is_null().and(users::locked_at.is_null());
            let person: Option<Uuid> = users::table
                .find(user.uuid())
                .filter(active)
                .select(users::id)
                .for_share()
                .first(connection)
                .optional()?;
            if person.is_none() {
                return refuse(MembershipError::InvitationNotUsable);
            }
            let Some(membership) = crate::invitations::take_membership(connection, &code, user, now)? else {
                return refuse(MembershipError::InvitationNotUsable);
            };
            load_view(connection, membership)
        });
        accepted.await.map_err(|error| {
            error.into_domain(|constraint| {
                (constraint == "memberships_organization_id_user_id_key")
                    .then_some(MembershipError::AlreadyMember)
            })
        })
    }

    async fn expire_invitations(&self, now: DateTime<Utc>) -> Result<u64, MembershipError> {
        let expired = self.pg.write(move |connection| {
            let over = invitations::table
                .filter(invitations::status.eq("pending").and(invitations::expires_at.le(now)));
            let stamp = (invitations::status.eq("expired"), invitations::updated_at.eq(now));
            Ok(diesel::update(over).set(stamp).execute(connection)? as u64)
        });
        expired.await.map_err(PgError::into_storage)
    }
}
