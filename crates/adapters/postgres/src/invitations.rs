use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_kernel::{
    EmailAddress, InvitationId, InviteCode, MembershipId, OrgId, Page, PageRequest, Refusal, UserId,
};
use domain_memberships::ports::{
    InvitationChange, InvitationEdit, InvitationFilter, InvitationRepository, InvitationSelection,
};
use domain_memberships::{
    Invitation, InvitationDetails, InvitationStatus, MembershipError, MembershipStatus,
};
use uuid::Uuid;

use crate::audit;
use crate::error::{PgError, unreadable};
use crate::membership_view::wrong_status;
use crate::memberships::{Outcome, PgMemberships, named};
use crate::schema::{invitations, memberships};
use crate::sql::{PageColumns, PageRow, Statement, read_page, row, statement};

pub(crate) fn insert_invitation(connection: &mut PgConnection, invitation: &Invitation) -> QueryResult<()> {
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

/// Takes back the pending invitations of memberships; one whose time is over has expired and stays so.
pub(crate) fn revoke_pending(
    connection: &mut PgConnection,
    memberships: &[Uuid],
    at: DateTime<Utc>,
) -> QueryResult<()> {
    statement(
        "UPDATE invitations SET status = CASE WHEN expires_at > {} THEN 'revoked' ELSE 'expired' END, \
            revoked_at = CASE WHEN expires_at > {} THEN {}::timestamptz END, updated_at = {} \
         WHERE membership_id = ANY({}) AND status = 'pending'",
    )
    .bind::<Timestamptz, _>(at)
    .bind::<Timestamptz, _>(at)
    .bind::<Timestamptz, _>(at)
    .bind::<Timestamptz, _>(at)
    .bind::<Array<SqlUuid>, _>(memberships.to_vec())
    .execute(connection)
    .map(drop)
}

/// Links the user to the membership that a pending code names, makes it active and marks the invitation accepted. Gives
/// the membership, or `None` when the code cannot be used.
///
/// The row lock makes racing users of one code queue up; whoever comes second finds the invitation accepted.
pub(crate) fn take_membership(
    connection: &mut PgConnection,
    code: &InviteCode,
    user: UserId,
    at: DateTime<Utc>,
) -> QueryResult<Option<Uuid>> {
    let pending = invitations::table
        .filter(invitations::code.eq(code.as_str()).and(invitations::status.eq("pending")))
        .filter(invitations::expires_at.gt(at));
    let named: Option<Uuid> = pending.select(invitations::membership_id).first(connection).optional()?;
    let Some(membership) = named else { return Ok(None) };
    // First the membership, then its invitation: the order that everything else locks them in.
    let locked: Option<Uuid> = memberships::table
        .find(membership)
        .select(memberships::id)
        .for_update()
        .first(connection)
        .optional()?;
    let invitation: Option<Uuid> = pending
        .filter(invitations::membership_id.eq(membership))
        .select(invitations::id)
        .for_update()
        .first(connection)
        .optional()?;
    let (Some(membership), Some(invitation)) = (locked, invitation) else { return Ok(None) };
    let linked =
        diesel::update(memberships::table.find(membership).filter(memberships::status.eq("pending")))
            .set((
                memberships::user_id.eq(user.uuid()),
                memberships::status.eq("active"),
                memberships::updated_at.eq(at),
            ))
            .execute(connection)?;
    if linked == 0 {
        return Ok(None);
    }
    diesel::update(invitations::table.find(invitation))
        .set((
            invitations::status.eq("accepted"),
            invitations::accepted_at.eq(at),
            invitations::accepted_by.eq(user.uuid()),
            invitations::updated_at.eq(at),
        ))
        .execute(connection)?;
    Ok(Some(membership))
}

macro_rules! details_columns {
    () => {
        "i.id, i.organization_id, i.membership_id, i.code::text AS code, i.status, i.expires_at, i.created_at, \
         i.sent_to::text AS sent_to, i.sent_at, i.accepted_at, i.accepted_by, i.revoked_at, o.name AS organization_name, \
         m.first_name, m.last_name, m.status AS membership_status, m.email::text AS email, \
         (m.org_admin OR EXISTS (SELECT FROM team_admins a WHERE a.membership_id = m.id)) AS gives_say"
    };
}

const DETAILS: &str = concat!(
    "SELECT ",
    details_columns!(),
    " FROM invitations i JOIN memberships m ON m.id = i.membership_id JOIN organizations o ON o.id = i.organization_id \
     WHERE i.id = {}"
);

/// Only the conditions that are asked for stand in the statement: one for all cases would get one plan for all cases.
fn list_sql(filter: &InvitationFilter) -> String {
    // Time makes a pending invitation an expired one.
    let status = match filter.status {
        None => "",
        Some(InvitationStatus::Pending) => " AND i.status = 'pending' AND i.expires_at > {}",
        Some(InvitationStatus::Expired) => {
            " AND (i.status = 'expired' OR i.status = 'pending' AND i.expires_at <= {})"
        }
        Some(InvitationStatus::Accepted) => " AND i.status = 'accepted'",
        Some(InvitationStatus::Revoked) => " AND i.status = 'revoked'",
    };
    let membership = filter.membership.map_or("", |_| " AND i.membership_id = {}");
    let passes = format!("i.organization_id = o.id{status}{membership}");
    format!(
        "SELECT counted.total, page.* FROM organizations o \
         CROSS JOIN LATERAL (SELECT count(*) AS total FROM invitations i WHERE {passes}) counted \
         LEFT JOIN LATERAL (SELECT {} FROM (SELECT * FROM invitations i WHERE {passes} \
            ORDER BY i.created_at DESC, i.id DESC LIMIT {{}} OFFSET {{}}) i \
            JOIN memberships m ON m.id = i.membership_id) page \
         ON true WHERE o.id = {{}} ORDER BY page.created_at DESC, page.id DESC",
        details_columns!()
    )
}

/// The selected invitations of all organizations: one row for each of the page, or one row of nulls; each with the total.
fn selection_sql(selection: &InvitationSelection) -> String {
    let ids = selection.ids.as_ref().map_or("", |_| " AND i.id = ANY({})");
    let memberships = selection.memberships.as_ref().map_or("", |_| " AND i.membership_id = ANY({})");
    let passing = format!("FROM invitations i WHERE true{ids}{memberships}");
    format!(
        "SELECT counted.total, page.* FROM (SELECT count(*) AS total {passing}) counted LEFT JOIN LATERAL (SELECT {} \
            FROM (SELECT i.* {passing} ORDER BY i.id DESC LIMIT {{}} OFFSET {{}}) i \
            JOIN memberships m ON m.id = i.membership_id JOIN organizations o ON o.id = i.organization_id) page \
         ON true ORDER BY page.id DESC",
        details_columns!()
    )
}

fn bind_selection(list: Statement, selection: &InvitationSelection) -> Statement {
    list.bind_ids(selection.ids.as_deref(), InvitationId::uuid)
        .bind_ids(selection.memberships.as_deref(), MembershipId::uuid)
}

row! {
    struct DetailsRow, DetailsColumns {
        id: Uuid => SqlUuid,
        organization_id: Uuid => SqlUuid,
        membership_id: Uuid => SqlUuid,
        code: String => Text,
        status: String => Text,
        expires_at: DateTime<Utc> => Timestamptz,
        created_at: DateTime<Utc> => Timestamptz,
        sent_to: Option<String> => Nullable<Text>,
        sent_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        accepted_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        accepted_by: Option<Uuid> => Nullable<SqlUuid>,
        revoked_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        organization_name: String => Text,
        first_name: String => Text,
        last_name: String => Text,
        membership_status: String => Text,
        email: Option<String> => Nullable<Text>,
        gives_say: bool => Bool,
    }
}

impl DetailsRow {
    fn read(self) -> Result<InvitationDetails, MembershipError> {
        Ok(InvitationDetails {
            invitation: Invitation {
                id: InvitationId::new(self.id),
                organization: OrgId::new(self.organization_id),
                membership: MembershipId::new(self.membership_id),
                code: InviteCode::parse(&self.code)
                    .map_err(|problem| unreadable("invitations", problem.code))?,
                status: InvitationStatus::parse(&self.status).ok_or_else(wrong_status)?,
                expires_at: self.expires_at,
                created_at: self.created_at,
            },
            organization_name: self.organization_name,
            membership_name: format!("{} {}", self.first_name, self.last_name),
            membership_status: MembershipStatus::parse(&self.membership_status).ok_or_else(wrong_status)?,
            gives_say: self.gives_say,
            email: self.email.map(EmailAddress::from_stored),
            sent: self.sent_to.map(EmailAddress::from_stored).zip(self.sent_at),
            accepted: self.accepted_at.zip(self.accepted_by.map(UserId::new)),
            revoked_at: self.revoked_at,
        })
    }
}

fn load_details(connection: &mut PgConnection, id: Uuid) -> Outcome<Option<InvitationDetails>> {
    let row: Option<DetailsRow> = statement(DETAILS)
        .bind::<SqlUuid, _>(id)
        .rows::<DetailsColumns>()
        .get_result(connection)
        .optional()?;
    row.map(DetailsRow::read).transpose().map_err(PgError::Refused)
}

fn update(
    connection: &mut PgConnection,
    id: InvitationId,
    edit: InvitationEdit,
) -> Outcome<InvitationDetails> {
    let not_found = || PgError::Refused(Refusal::NotFound.into());
    let membership: Option<Uuid> =
        invitations::table.find(id.uuid()).select(invitations::membership_id).first(connection).optional()?;
    let membership = membership.ok_or_else(not_found)?;
    // First the membership, then its invitation: the order that everything else locks them in.
    let _: Uuid =
        memberships::table.find(membership).select(memberships::id).for_update().first(connection)?;
    let _: Uuid =
        invitations::table.find(id.uuid()).select(invitations::id).for_update().first(connection)?;
    let mut details = load_details(connection, id.uuid())?.ok_or_else(not_found)?;
    let (shown, entry) = match edit(&mut details).map_err(PgError::Refused)? {
        InvitationChange::None => return Ok(details),
        InvitationChange::Saved(entry) => {
            diesel::update(invitations::table.find(id.uuid()))
                .set((
                    invitations::status.eq(details.invitation.status.as_str()),
                    invitations::expires_at.eq(details.invitation.expires_at),
                    invitations::revoked_at.eq(details.revoked_at),
                    invitations::updated_at.eq(entry.at),
                ))
                .execute(connection)?;
            (id, entry)
        }
        InvitationChange::Replaced(new, entry) => {
            revoke_pending(connection, &[new.membership.uuid()], entry.at)?;
            insert_invitation(connection, &new)?;
            (new.id, entry)
        }
    };
    audit::insert(connection, *entry)?;
    load_details(connection, shown.uuid())?.ok_or_else(not_found)
}

#[async_trait]
impl InvitationRepository for PgMemberships {
    async fn find(&self, id: InvitationId) -> Result<Option<InvitationDetails>, MembershipError> {
        let found = self.pg.read(move |connection| load_details(connection, id.uuid()));
        found.await.map_err(PgError::into_storage)
    }

    async fn list_of_organization(
        &self,
        organization: OrgId,
        filter: InvitationFilter,
        now: DateTime<Utc>,
        page: PageRequest,
    ) -> Result<Option<Page<InvitationDetails>>, MembershipError> {
        let rows = self.pg.read(move |connection| {
            let mut list = statement(list_sql(&filter));
            // Once for the total and once for the page.
            for _ in 0..2 {
                if matches!(filter.status, Some(InvitationStatus::Pending | InvitationStatus::Expired)) {
                    list = list.bind::<Timestamptz, _>(now);
                }
                if let Some(membership) = filter.membership {
                    list = list.bind::<SqlUuid, _>(membership.uuid());
                }
            }
            let list = list
                .bind::<BigInt, _>(page.limit)
                .bind::<BigInt, _>(page.offset)
                .bind::<SqlUuid, _>(organization.uuid());
            Ok(list.rows::<PageColumns<DetailsColumns>>().load(connection)?)
        });
        let rows: Vec<PageRow<DetailsRow>> = rows.await.map_err(PgError::<MembershipError>::into_storage)?;
        read_page(rows).map(|page| page.try_map(DetailsRow::read)).transpose()
    }

    async fn list(
        &self,
        selection: InvitationSelection,
        page: PageRequest,
    ) -> Result<Page<InvitationDetails>, MembershipError> {
        let rows = self.pg.read(move |connection| {
            // Once for the total and once for the page.
            let list = bind_selection(statement(selection_sql(&selection)), &selection);
            let list = bind_selection(list, &selection);
            let list = list.bind::<BigInt, _>(page.limit).bind::<BigInt, _>(page.offset);
            Ok(list.rows::<PageColumns<DetailsColumns>>().load(connection)?)
        });
        let rows: Vec<PageRow<DetailsRow>> = rows.await.map_err(PgError::<MembershipError>::into_storage)?;
        read_page(rows).unwrap_or_default().try_map(DetailsRow::read)
    }

    async fn update(
        &self,
        id: InvitationId,
        edit: InvitationEdit,
    ) -> Result<InvitationDetails, MembershipError> {
        let updated = self.pg.write(move |connection| update(connection, id, edit));
        updated.await.map_err(|error| error.into_domain(named))
    }

    async fn note_sent(
        &self,
        id: InvitationId,
        to: EmailAddress,
        at: DateTime<Utc>,
    ) -> Result<(), MembershipError> {
        let noted = self.pg.write(move |connection| {
            diesel::update(invitations::table.find(id.uuid()))
                .set((invitations::sent_to.eq(to.as_str()), invitations::sent_at.eq(at)))
                .execute(connection)?;
            Ok(())
        });
        noted.await.map_err(PgError::into_storage)
    }
}
