use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain_kernel::{
    EmailAddress, ExternalId, JobTitle, MembershipId, OrgId, PersonName, TeamId, TrainingCategoryId, UserId,
};

use crate::Invitation;
use crate::ports::RosterSettings;

/// Where a membership stands: `pending` until its person signs up, then `active`, and `deactivated` once they leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipStatus {
    /// Nobody has taken it yet.
    Pending,
    /// Taken by a person.
    Active,
    /// Ended; history is kept, and a re-hire takes it up again.
    Deactivated,
}

impl MembershipStatus {
    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Deactivated => "deactivated",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Active, Self::Deactivated].into_iter().find(|status| status.as_str() == text)
    }
}

/// A person's place in one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Key.
    pub id: MembershipId,
    /// In which organization.
    pub organization: OrgId,
    /// Who took it; none while pending.
    pub user: Option<UserId>,
    /// The customer's own number for the person.
    pub external_id: Option<ExternalId>,
    /// First name as on the roster.
    pub first_name: PersonName,
    /// Last name as on the roster.
    pub last_name: PersonName,
    /// Address as on the roster.
    pub email: Option<EmailAddress>,
    /// What the person does.
    pub job_title: Option<JobTitle>,
    /// Whether they run the organization.
    pub org_admin: bool,
    /// Where it stands.
    pub status: MembershipStatus,
    /// First day of work.
    pub hired_on: Option<NaiveDate>,
    /// When the platform first heard of the person.
    pub first_seen_at: DateTime<Utc>,
    /// First day that counts in reports.
    pub reporting_starts_on: NaiveDate,
    /// When it ended.
    pub deactivated_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Teams the person is on, in the order of joining.
    pub teams: Vec<TeamId>,
    /// Teams the person runs.
    pub administered_teams: Vec<TeamId>,
}

impl Membership {
    /// The first day that counts in reports: the first day of work, or else today in the organization's time zone, plus
    /// the organization's grace days.
    pub fn reporting_start(
        hired_on: Option<NaiveDate>,
        now: DateTime<Utc>,
        settings: &RosterSettings,
    ) -> NaiveDate {
        let first_day = hired_on.unwrap_or_else(|| now.with_timezone(&settings.time_zone).date_naive());
        let grace = TimeDelta::days(i64::from(settings.reporting_grace_days));
        first_day.checked_add_signed(grace).unwrap_or(first_day)
    }

    /// Whether it has a say in its organization now.
    pub fn runs_organization(&self) -> bool {
        self.org_admin && self.status == MembershipStatus::Active
    }

    /// Ends it. Its say in the organization and in teams ends with it; which teams it was on stays, for history.
    pub fn deactivate(&mut self, now: DateTime<Utc>) {
        self.status = MembershipStatus::Deactivated;
        self.deactivated_at = Some(now);
        self.org_admin = false;
        self.administered_teams.clear();
    }
}

/// The account behind a membership, as others in the organization may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserBrief {
    /// Key.
    pub id: UserId,
    /// Sign-in name.
    pub username: String,
    /// First name as the person gave it.
    pub first_name: String,
    /// Last name as the person gave it.
    pub last_name: String,
}

/// A membership with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipView {
    /// The membership.
    pub membership: Membership,
    /// Its newest invitation.
    pub invitation: Option<Invitation>,
    /// The account behind it.
    pub user: Option<UserBrief>,
    /// What its job title trains: the category of the title, else the organization's default one.
    pub training_category: Option<TrainingCategoryId>,
}

impl MembershipView {
    /// The same as it stands at `now`: time makes a pending invitation an expired one before anything writes that down.
    #[must_use]
    pub fn at(mut self, now: DateTime<Utc>) -> Self {
        if let Some(invitation) = &mut self.invitation {
            invitation.status = invitation.status_at(now);
        }
        self
    }
}

/// A membership among those that a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundMember {
    /// The membership with what belongs to it.
    pub view: MembershipView,
    /// Whether the person is on the team that the search is about.
    pub on_team: bool,
}

/// What became of a person put on the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// A new membership.
    Created(MembershipView),
    /// The person had left and is back: the old membership was taken up again.
    Reactivated(MembershipView),
}

impl Added {
    pub(crate) fn at(self, now: DateTime<Utc>) -> Self {
        match self {
            Self::Created(view) => Self::Created(view.at(now)),
            Self::Reactivated(view) => Self::Reactivated(view.at(now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;

    fn settings(time_zone: Tz, reporting_grace_days: i32) -> RosterSettings {
        RosterSettings { time_zone, reporting_grace_days }
    }

    #[test]
    fn reports_start_after_the_grace_days_counted_in_the_organizations_own_days() {
        let late_monday = DateTime::from_timestamp(1_767_657_600, 0).expect("2026-01-06T00:00:00Z");
        let day = |d| NaiveDate::from_ymd_opt(2026, 1, d).expect("a day");
        let start = |hired, tz, grace| Membership::reporting_start(hired, late_monday, &settings(tz, grace));
        assert_eq!(start(None, Tz::UTC, 0), day(6));
        assert_eq!(start(None, Tz::America__Chicago, 0), day(5), "still Monday there");
        assert_eq!(start(Some(day(1)), Tz::UTC, 14), day(15));
    }
}
