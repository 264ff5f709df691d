use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, Bool, Text, Timestamptz, Uuid as SqlUuid};
use domain_kernel::{
    EmailAddress, ExternalId, InviteCode, JobTitle, MembershipId, OrgId, Refusal, TeamId, UserId,
};
use domain_memberships::ports::{MembershipEdit, MembershipRepository, NewMembership, RosterSettings};
use domain_memberships::{
    Added, Invitation, InvitationPreview, Membership, MembershipError, MembershipStatus, MembershipView,
};
use uuid::Uuid;

use crate::assignments::withdraw_open;
use crate::error::{PgError, unreadable};
use crate::invitations::{insert_invitation, revoke_pending, take_membership};
use crate::membership_view::{ViewColumns, ViewRow, view_columns, view_joins};
use crate::orgs::lock_organization;
use crate::schema::{invitations, memberships, organizations, team_admins, team_memberships, teams, users};
use crate::sql::{row, statement};
use crate::team_links::{Link, appoint, join};
use crate::training::{Affected, withdraw_unlisted};
use crate::{Pg, audit};

/// Memberships and invitations in PostgreSQL.
#[derive(Clone)]
pub struct PgMemberships {
    pub(crate) pg: Pg,
}

impl PgMemberships {
    /// Over this database.
    pub fn new(pg: Pg) -> Self {
        Self { pg }
    }
}

pub(crate) type Outcome<T> = Result<T, PgError<MembershipError>>;

pub(crate) fn refuse<T>(error: MembershipError) -> Outcome<T> {
    Err(PgError::Refused(error))
}

const VIEW: &str =
    concat!("SELECT ", view_columns!(), " FROM memberships m ", view_joins!(), " WHERE m.id = {}");

fn load_view(connection: &mut PgConnection, id: Uuid) -> Outcome<MembershipView> {
    let view = statement(VIEW).bind::<SqlUuid, _>(id).rows::<ViewColumns>();
    let row: ViewRow = view.get_result(connection)?;
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

/// Takes somebody off the teams that are not among the named ones, and takes their say in them.
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
    let link = |team: &TeamId| Link {
        organization: membership.organization,
        team: *team,
        membership: membership.id,
        at: membership.updated_at,
    };
    join(connection, membership.teams.iter().map(link))?;
    appoint(connection, membership.administered_teams.iter().map(link))
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
            memberships::job_title_key.eq($membership.job_title.as_ref().map(|title| title.key().as_str())),
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

fn add(connection: &mut PgConnection, mut new: NewMembership) -> Outcome<Added> {
    let organization = new.membership.organization;
    require_live_teams(connection, "team_ids", organization, &new.membership.teams)?;
    let field = "administered_team_ids";
    require_live_teams(connection, field, organization, &new.membership.administered_teams)?;
    let existing = find_by_external_id(connection, &new.membership)?;
    let is_back = existing.is_some();
    match existing {
        Some((_, _, status)) if status != "deactivated" => {
            return refuse(MembershipError::external_id_taken());
        }
        Some((id, user, _)) => {
            new.take_up(&load_view(connection, id)?.membership, user.map(UserId::new));
            let membership = &new.membership;
            diesel::update(memberships::table.find(id))
                .set(roster_values!(membership))
                .execute(connection)?;
            leave_other_teams(connection, membership)?;
            revoke_pending(connection, &[membership.id.uuid()], membership.updated_at)?;
        }
        None => insert_membership(connection, &new.membership)?,
    }
    let NewMembership { membership, invitation, audit } = new;
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
    let columns = (memberships::organization_id, memberships::user_id);
    let found: Option<(Uuid, Option<Uuid>)> =
        memberships::table.find(id.uuid()).select(columns).first(connection).optional()?;
    let (organization, user) = found.ok_or_else(not_found)?;
    // The organization before its memberships, as deleting an account does: changes of admins queue up here.
    lock_organization(connection, OrgId::new(organization))?;
    // The user before the membership: of two organizations that let the same person go, the second sees the first.
    let user_row = users::table.find(user.unwrap_or_default()).select(users::id).for_no_key_update();
    let _: Option<Uuid> = user_row.first(connection).optional()?;
    let _: Uuid =
        memberships::table.find(id.uuid()).select(memberships::id).for_update().first(connection)?;
    let before = load_view(connection, id.uuid())?;
    let mut view = before.clone();
    let Some(audit) = edit(&mut view).map_err(PgError::Refused)? else { return Ok(before) };
    let (old, new) = (&before.membership, &view.membership);
    if old.runs_organization() && !new.runs_organization() && !has_other_admin(connection, new)? {
        return refuse(MembershipError::LastOrgAdmin);
    }
    if new.teams != old.teams {
        require_live_teams(connection, "team_ids", new.organization, &new.teams)?;
    }
    if new.administered_teams != old.administered_teams {
        require_live_teams(connection, "administered_team_ids", new.organization, &new.administered_teams)?;
    }
    diesel::update(memberships::table.find(id.uuid())).set(roster_values!(new)).execute(connection)?;
    leave_other_teams(connection, new)?;
    // Only what is new: a say taken meanwhile, or a team deleted meanwhile, does not come back.
    let beyond = |wanted: &[TeamId], had: &[TeamId]| {
        wanted.iter().copied().filter(|team| !had.contains(team)).collect::<Vec<_>>()
    };
    let joined = Membership {
        teams: beyond(&new.teams, &old.teams),
        administered_teams: beyond(&new.administered_teams, &old.administered_teams),
        ..new.clone()
    };
    link_teams(connection, &joined)?;
    if new.job_title != old.job_title || new.teams != old.teams {
        withdraw_unlisted(connection, &Affected::Memberships(vec![id.uuid()]), new.updated_at)?;
    }
    let is_new = |invitation: &&Invitation| Some(invitation.id) != before.invitation.as_ref().map(|i| i.id);
    let invitation = view.invitation.as_ref().filter(is_new);
    let has_left = new.status == MembershipStatus::Deactivated && old.status != new.status;
    if has_left || invitation.is_some() {
        revoke_pending(connection, &[id.uuid()], new.updated_at)?;
    }
    if let Some(invitation) = invitation {
        insert_invitation(connection, invitation)?;
    }
    if has_left {
        withdraw_open(connection, &[id.uuid()], new.updated_at)?;
        // Not the user of the first look: somebody may have accepted the invitation since.
        end_sessions_of_departed(connection, old.user.as_slice())?;
    }
    audit::insert(connection, audit)?;
    load_view(connection, id.uuid())
}

/// Signs those out who belong nowhere any more. Staff need no membership to be here.
pub(crate) fn end_sessions_of_departed(connection: &mut PgConnection, users: &[UserId]) -> QueryResult<()> {
    if users.is_empty() {
        return Ok(());
    }
    statement(
        "DELETE FROM sessions s USING users u WHERE s.user_id = ANY({}) AND u.id = s.user_id AND u.staff_role IS NULL \
         AND NOT EXISTS (SELECT FROM memberships m WHERE m.user_id = u.id AND m.status = 'active')",
    )
    .bind::<Array<SqlUuid>, _>(users.iter().map(|user| user.uuid()).collect::<Vec<_>>())
    .execute(connection)
    .map(drop)
}

/// The domain errors that constraints on a membership and its invitation stand for.
pub(crate) fn named(constraint: &str) -> Option<MembershipError> {
    match constraint {
        "memberships_organization_id_external_id_key" => Some(MembershipError::external_id_taken()),
        "memberships_organization_id_user_id_key" => Some(MembershipError::AlreadyMember),
        "invitations_pending_code_key" => Some(MembershipError::CodeTaken),
        _ => None,
    }
}

row! {
    struct PreviewRow, PreviewColumns {
        code: String => Text,
        expires_at: DateTime<Utc> => Timestamptz,
        first_name: String => Text,
        last_name: String => Text,
        organization_name: String => Text,
        sso_enforced: bool => Bool,
    }
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
        let added = self.pg.write(move |connection| add(connection, new));
        added.await.map_err(|error| error.into_domain(named))
    }

    async fn find(&self, id: MembershipId) -> Result<Option<MembershipView>, MembershipError> {
        let row = self
            .pg
            .read(move |connection| {
                let found = statement(VIEW).bind::<SqlUuid, _>(id.uuid());
                Ok(found.rows::<ViewColumns>().get_result::<ViewRow>(connection).optional()?)
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
        let updated = self.pg.write(move |connection| update(connection, id, edit));
        updated.await.map_err(|error| error.into_domain(named))
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
                Ok(found.rows::<PreviewColumns>().get_result::<PreviewRow>(connection).optional()?)
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
            let Some(membership) = take_membership(connection, &code, user, now)? else {
                return refuse(MembershipError::InvitationNotUsable);
            };
            load_view(connection, membership)
        });
        accepted.await.map_err(|error| error.into_domain(named))
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
