//! A membership with its teams, newest invitation and account as one row, so that it costs one round trip.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::sql_types::{Array, Bool, Date, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use domain_kernel::{
    EmailAddress, ExternalId, InvitationId, InviteCode, JobTitle, MembershipId, OrgId, PersonName,
    StorageError, TeamId, TrainingCategoryId, UserId,
};
use domain_memberships::{
    Invitation, InvitationStatus, Membership, MembershipStatus, MembershipView, UserBrief,
};
use uuid::Uuid;

use crate::error::unreadable;
use crate::sql::row;

/// The columns of [`MembershipRow`], of a membership `m`.
macro_rules! membership_columns {
    () => {
        "m.id, m.organization_id, m.user_id, m.external_id, m.first_name, m.last_name, m.email::text AS email, \
         m.job_title, m.org_admin, m.status, m.hired_on, m.first_seen_at, m.reporting_starts_on, m.deactivated_at, \
         m.created_at, m.updated_at, \
         ARRAY(SELECT tm.team_id FROM team_memberships tm JOIN teams t ON t.id = tm.team_id \
            WHERE tm.membership_id = m.id AND t.deleted_at IS NULL ORDER BY tm.joined_at, tm.team_id) AS team_ids, \
         ARRAY(SELECT ta.team_id FROM team_admins ta JOIN teams t ON t.id = ta.team_id \
            WHERE ta.membership_id = m.id AND t.deleted_at IS NULL ORDER BY ta.created_at, ta.team_id) AS admin_team_ids"
    };
}

/// The columns of [`ViewRow`], of a membership `m` and what [`view_joins`] puts beside it.
macro_rules! view_columns {
    () => {
        concat!($crate::membership_view::membership_columns!(), ", i.id AS invitation_id, i.code::text AS code, i.status AS invitation_status, i.expires_at, \
         i.created_at AS invited_at, u.username::text AS username, u.first_name AS user_first_name, \
         u.last_name AS user_last_name, \
         coalesce((SELECT j.category_id FROM category_job_titles j WHERE j.organization_id = m.organization_id \
            AND j.job_title_key = m.job_title_key), (SELECT d.id FROM training_categories d \
            WHERE d.organization_id = m.organization_id AND d.is_default)) AS training_category_id")
    };
}

macro_rules! view_joins {
    () => {
        "LEFT JOIN users u ON u.id = m.user_id AND u.deleted_at IS NULL \
         LEFT JOIN LATERAL (SELECT * FROM invitations WHERE membership_id = m.id ORDER BY created_at DESC, id DESC LIMIT 1) i \
            ON true"
    };
}

pub(crate) use {membership_columns, view_columns, view_joins};

row! {
    pub(crate) struct MembershipRow, MembershipColumns {
        id: Uuid => SqlUuid,
        organization_id: Uuid => SqlUuid,
        user_id: Option<Uuid> => Nullable<SqlUuid>,
        external_id: Option<String> => Nullable<Text>,
        first_name: String => Text,
        last_name: String => Text,
        email: Option<String> => Nullable<Text>,
        job_title: Option<String> => Nullable<Text>,
        org_admin: bool => Bool,
        status: String => Text,
        hired_on: Option<NaiveDate> => Nullable<Date>,
        first_seen_at: DateTime<Utc> => Timestamptz,
        reporting_starts_on: NaiveDate => Date,
        deactivated_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        created_at: DateTime<Utc> => Timestamptz,
        updated_at: DateTime<Utc> => Timestamptz,
        team_ids: Vec<Uuid> => Array<SqlUuid>,
        admin_team_ids: Vec<Uuid> => Array<SqlUuid>,
    }
}

row! {
    pub(crate) struct ViewRow, ViewColumns {
        membership: MembershipRow => MembershipColumns,
        invitation_id: Option<Uuid> => Nullable<SqlUuid>,
        code: Option<String> => Nullable<Text>,
        invitation_status: Option<String> => Nullable<Text>,
        expires_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        invited_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        username: Option<String> => Nullable<Text>,
        user_first_name: Option<String> => Nullable<Text>,
        user_last_name: Option<String> => Nullable<Text>,
        training_category_id: Option<Uuid> => Nullable<SqlUuid>,
    }
}

pub(crate) fn wrong_status() -> StorageError {
    unreadable("memberships", "known status")
}

impl MembershipRow {
    pub(crate) fn read(self) -> Result<Membership, StorageError> {
        Ok(Membership {
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
        })
    }
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
            organization: OrgId::new(self.membership.organization_id),
            membership: MembershipId::new(self.membership.id),
            code: InviteCode::parse(code).map_err(|problem| unreadable("invitations", problem.code))?,
            status: InvitationStatus::parse(status).ok_or_else(wrong_status)?,
            expires_at,
            created_at,
        }))
    }

    pub(crate) fn read(self) -> Result<MembershipView, StorageError> {
        let invitation = self.invitation()?;
        let user = match (self.membership.user_id, self.username, self.user_first_name, self.user_last_name) {
            (Some(id), Some(username), Some(first_name), Some(last_name)) => {
                Some(UserBrief { id: UserId::new(id), username, first_name, last_name })
            }
            _ => None,
        };
        let membership = self.membership.read()?;
        let training_category = self.training_category_id.map(TrainingCategoryId::new);
        Ok(MembershipView { membership, invitation, user, training_category })
    }
}
