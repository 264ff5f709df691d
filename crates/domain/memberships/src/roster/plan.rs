use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain_kernel::{IdGenerator, InvitationId, MembershipId, OrgId, TeamId};

use super::{Column, HeldReason, ImportTrouble, RosterProblem, RosterRow, RowAction, RowKey};
use crate::ports::{InviteCodeGenerator, RosterSettings};
use crate::{Invitation, InvitationStatus, Membership, MembershipStatus, WantedStatus};

/// A line on its way from the file to the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedLine {
    /// Line of the file.
    pub line: i64,
    /// Whom it is about, if that can be read.
    pub key: Option<String>,
    /// The address, if that can be read: who has no number yet is found by it.
    pub address: Option<String>,
    /// What it says, or what is wrong with it.
    pub row: Result<Box<RosterRow>, Vec<RosterProblem>>,
}

/// A membership that the organization has already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// As it stands.
    pub membership: Membership,
    /// Whether its person still has an account.
    pub has_account: bool,
}

/// Lines that are decided together, and what the organization has that they may be about.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The lines.
    pub lines: Vec<StagedLine>,
    /// Memberships with one of their numbers or addresses.
    pub known: Vec<Known>,
    /// Live teams of their names, lower-cased.
    pub teams: BTreeMap<String, TeamId>,
    /// How many run the organization now.
    pub org_admins: i64,
}

/// A team that lines name and that is not there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTeam {
    /// Key.
    pub id: TeamId,
    /// Name, as the first line says it.
    pub name: String,
}

/// What is to become of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: it cannot be used.
    Rejected(Vec<RosterProblem>),
    /// Nothing: all is so already, or somebody has left whom nobody knew.
    Unchanged(Option<MembershipId>),
    /// The membership is to be written.
    Write {
        /// What happens to it.
        action: RowAction,
        /// As it was; none if it is new.
        before: Option<Box<Membership>>,
        /// As it will be.
        after: Box<Membership>,
        /// A new invitation, in the place of any earlier one.
        invitation: Option<Box<Invitation>>,
    },
}

impl Decision {
    /// What becomes of the line.
    pub fn action(&self) -> RowAction {
        match self {
            Self::Rejected(_) => RowAction::Rejected,
            Self::Unchanged(_) => RowAction::Unchanged,
            Self::Write { action, .. } => *action,
        }
    }

    /// Of which membership.
    pub fn membership(&self) -> Option<MembershipId> {
        match self {
            Self::Rejected(_) => None,
            Self::Unchanged(id) => *id,
            Self::Write { after, .. } => Some(after.id),
        }
    }
}

/// What is to become of a batch: a decision for each line, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Teams to be made first.
    pub teams: Vec<NewTeam>,
    /// One for each line.
    pub decisions: Vec<Decision>,
}

/// What a snapshot would do, all lines together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Survey {
    /// Pending and active memberships.
    pub present: i64,
    /// Of these, who would have left: not in the file, or there as deactivated.
    pub leaving: i64,
    /// Who runs the organization.
    pub org_admins: i64,
    /// Of these, who would still.
    pub staying_org_admins: i64,
    /// Lines of which it cannot be told whom they are about.
    pub lines_without_key: i64,
}

impl Survey {
    /// Why somebody has to confirm it first.
    pub fn held(&self) -> Option<ImportTrouble> {
        let held = |reason: HeldReason, message: String| {
            Some(ImportTrouble { code: reason.as_str().into(), message })
        };
        let Self { present, leaving, org_admins, staying_org_admins, lines_without_key } = *self;
        if org_admins > 0 && staying_org_admins == 0 {
            return held(HeldReason::LastOrgAdmin, "Nobody would be left to run the organization.".into());
        }
        if leaving * 10 > present {
            let message = format!("{leaving} of {present} people would be deactivated.");
            return held(HeldReason::TooManyDeactivations, message);
        }
        if lines_without_key > 0 && leaving > 0 {
            let message = format!(
                "Of {lines_without_key} lines it cannot be told whom they are about; {leaving} people would be deactivated."
            );
            return held(HeldReason::LinesWithoutKey, message);
        }
        None
    }
}

/// Decides what becomes of lines.
pub struct Planner {
    /// Whose people.
    pub organization: OrgId,
    /// What the organization's roster depends on.
    pub settings: RosterSettings,
    /// Whether the last admin may go, because somebody confirmed it.
    pub is_confirmed: bool,
    /// Now.
    pub now: DateTime<Utc>,
    /// How long a new invitation works.
    pub invitation_lifespan: TimeDelta,
    /// Source of ids.
    pub ids: Arc<dyn IdGenerator>,
    /// Source of invite codes.
    pub codes: Arc<dyn InviteCodeGenerator>,
}

/// What has been decided so far in a batch.
struct Course<'a> {
    by_number: HashMap<&'a str, &'a Known>,
    by_address: HashMap<&'a str, Vec<&'a Known>>,
    teams: BTreeMap<String, TeamId>,
    new_teams: Vec<NewTeam>,
    org_admins: i64,
    /// Memberships that a line of the batch is about.
    taken: BTreeSet<MembershipId>,
}

impl Planner {
    /// Decides each line. The same batch gives the same decisions, but for new ids and codes.
    pub fn plan(&self, batch: &Batch) -> Plan {
        let mut by_number = HashMap::new();
        let mut by_address: HashMap<&str, Vec<&Known>> = HashMap::new();
        for known in &batch.known {
            if let Some(number) = &known.membership.external_id {
                by_number.insert(number.as_str(), known);
            }
            if let Some(email) = &known.membership.email {
                by_address.entry(email.as_str()).or_default().push(known);
            }
        }
        let mut course = Course {
            by_number,
            by_address,
            teams: batch.teams.clone(),
            new_teams: Vec::new(),
            org_admins: batch.org_admins,
            taken: BTreeSet::new(),
        };
        let decide = |line: &StagedLine| match &line.row {
            Err(problems) => Decision::Rejected(problems.clone()),
            Ok(row) => self.decide(row, &mut course),
        };
        let decisions = batch.lines.iter().map(decide).collect();
        Plan { teams: course.new_teams, decisions }
    }

    fn decide(&self, row: &RosterRow, course: &mut Course<'_>) -> Decision {
        let found = match Self::find(row, course) {
            Ok(found) => found,
            Err(problem) => return Decision::Rejected(vec![problem]),
        };
        let Some(known) = found else {
            if row.status == Some(WantedStatus::Deactivated) {
                return Decision::Unchanged(None);
            }
            let after = self.newcomer(row, course);
            let invitation = Some(Box::new(self.invitation(after.id)));
            return Decision::Write {
                action: RowAction::Created,
                before: None,
                after: Box::new(after),
                invitation,
            };
        };
        course.taken.insert(known.membership.id);
        let (before, mut after) = (&known.membership, known.membership.clone());
        let mut invitation = None;
        let teams_before = course.new_teams.len();
        let action = match (row.status.unwrap_or(WantedStatus::Active), before.status) {
            (WantedStatus::Active, MembershipStatus::Deactivated) => {
                after.deactivated_at = None;
                if known.has_account {
                    after.status = MembershipStatus::Active;
                } else {
                    after.status = MembershipStatus::Pending;
                    after.user = None;
                    invitation = Some(Box::new(self.invitation(before.id)));
                }
                RowAction::Reactivated
            }
            (WantedStatus::Deactivated, MembershipStatus::Pending | MembershipStatus::Active) => {
                after.deactivate(self.now);
                RowAction::Deactivated
            }
            _ => RowAction::Updated,
        };
        self.take_over(row, &mut after, course);
        if after == *before {
            return Decision::Unchanged(Some(before.id));
        }
        if let Some(problem) = self.keep_an_admin(row, before, &after, course) {
            // What is rejected makes no team either.
            for team in course.new_teams.drain(teams_before..) {
                course.teams.retain(|_, id| *id != team.id);
            }
            return Decision::Rejected(vec![problem]);
        }
        after.updated_at = self.now;
        Decision::Write { action, before: Some(Box::new(before.clone())), after: Box::new(after), invitation }
    }

    /// Who has the number; else who has none yet, and the address. Without numbers, who has the address.
    fn find<'a>(row: &RosterRow, course: &Course<'a>) -> Result<Option<&'a Known>, RosterProblem> {
        let at = |address: &str| course.by_address.get(address).map_or(&[][..], Vec::as_slice);
        match &row.key {
            RowKey::ExternalId(number) => {
                if let Some(known) = course.by_number.get(number.as_str()) {
                    return Ok(Some(known));
                }
                let Some(address) = &row.email else { return Ok(None) };
                let mut nameless = at(address.as_str()).iter().filter(|known| {
                    known.membership.external_id.is_none() && !course.taken.contains(&known.membership.id)
                });
                Ok(nameless.next().copied().filter(|_| nameless.next().is_none()))
            }
            RowKey::Email(address) => {
                let all = at(address.as_str());
                let is_present = |known: &&&Known| known.membership.status != MembershipStatus::Deactivated;
                let present: Vec<_> = all.iter().filter(is_present).collect();
                match (&present[..], all) {
                    ([one], _) => Ok(Some(**one)),
                    ([], [one]) => Ok(Some(one)),
                    ([], []) => Ok(None),
                    _ => Err(RosterProblem::new(
                        row.line,
                        Column::Email.as_str(),
                        "ambiguous",
                        "several members of the organization have this address; use external_id",
                        address.as_str(),
                    )),
                }
            }
        }
    }

    fn newcomer(&self, row: &RosterRow, course: &mut Course<'_>) -> Membership {
        let mut membership = Membership {
            id: MembershipId::new(self.ids.next()),
            organization: self.organization,
            user: None,
            external_id: None,
            first_name: row.first_name.clone(),
            last_name: row.last_name.clone(),
            email: None,
            job_title: None,
            org_admin: false,
            status: MembershipStatus::Pending,
            hired_on: None,
            first_seen_at: self.now,
            reporting_starts_on: Membership::reporting_start(row.hired_on, self.now, &self.settings),
            deactivated_at: None,
            created_at: self.now,
            updated_at: self.now,
            teams: vec![],
            administered_teams: vec![],
        };
        self.take_over(row, &mut membership, course);
        membership
    }

    /// Takes over what the line says. What is blank is not said. Who has left gets no say and no team.
    fn take_over(&self, row: &RosterRow, membership: &mut Membership, course: &mut Course<'_>) {
        membership.first_name = row.first_name.clone();
        membership.last_name = row.last_name.clone();
        if let RowKey::ExternalId(number) = &row.key {
            membership.external_id = Some(number.clone());
        }
        if row.email.is_some() {
            membership.email.clone_from(&row.email);
        }
        if row.job_title.is_some() {
            membership.job_title.clone_from(&row.job_title);
        }
        if row.hired_on.is_some() && row.hired_on != membership.hired_on {
            membership.hired_on = row.hired_on;
            membership.reporting_starts_on =
                Membership::reporting_start(row.hired_on, membership.first_seen_at, &self.settings);
        }
        if membership.status == MembershipStatus::Deactivated {
            return;
        }
        if let Some(org_admin) = row.org_admin {
            membership.org_admin = org_admin;
        }
        let Some(name) = &row.team else { return };
        let team = self.team(name, course);
        if membership.teams != [team] {
            membership.teams = vec![team];
        }
        match row.team_admin {
            Some(true) if !membership.administered_teams.contains(&team) => {
                membership.administered_teams.push(team);
            }
            Some(false) => membership.administered_teams.retain(|administered| *administered != team),
            _ => {}
        }
    }

    fn team(&self, name: &str, course: &mut Course<'_>) -> TeamId {
        *course.teams.entry(name.to_lowercase()).or_insert_with(|| {
            let id = TeamId::new(self.ids.next());
            course.new_teams.push(NewTeam { id, name: name.to_owned() });
            id
        })
    }

    /// The last one who runs the organization stays, unless somebody confirmed a snapshot without them.
    fn keep_an_admin(
        &self,
        row: &RosterRow,
        before: &Membership,
        after: &Membership,
        course: &mut Course<'_>,
    ) -> Option<RosterProblem> {
        match (before.runs_organization(), after.runs_organization()) {
            (true, false) if course.org_admins <= 1 && !self.is_confirmed => {
                let is_leaving = after.status == MembershipStatus::Deactivated;
                let column = if is_leaving { Column::Status } else { Column::OrgAdmin };
                let message = "is the last admin of the organization; make somebody else admin first";
                return Some(RosterProblem::new(row.line, column.as_str(), "last_org_admin", message, ""));
            }
            (true, false) => course.org_admins -= 1,
            (false, true) => course.org_admins += 1,
            _ => {}
        }
        None
    }

    /// Who is not in a snapshot has left.
    pub fn leave(&self, known: &Known) -> Decision {
        let mut after = known.membership.clone();
        after.deactivate(self.now);
        after.updated_at = self.now;
        let before = Some(Box::new(known.membership.clone()));
        Decision::Write { action: RowAction::Deactivated, before, after: Box::new(after), invitation: None }
    }

    fn invitation(&self, membership: MembershipId) -> Invitation {
        Invitation {
            id: InvitationId::new(self.ids.next()),
            organization: self.organization,
            membership,
            code: self.codes.code(),
            status: InvitationStatus::Pending,
            expires_at: self.now + self.invitation_lifespan,
            created_at: self.now,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use domain_kernel::{ExternalId, JobTitle, UserId};
    use uuid::Uuid;

    use super::*;
    use crate::roster::tests::{a_planner, a_row, email, now};
    use crate::tests::a_view;

    const TEAM: TeamId = TeamId::new(Uuid::from_u128(0x7E));

    /// Somebody active with this number, who was taken over from the line of [`a_row`].
    fn known(number: &str) -> Known {
        let mut membership = a_view().membership;
        membership.id = MembershipId::new(Uuid::from_u128(0xAB));
        membership.external_id = ExternalId::parse(number).ok();
        membership.first_name = a_row("x").first_name;
        membership.last_name = a_row("x").last_name;
        membership.status = MembershipStatus::Active;
        membership.user = Some(UserId::new(Uuid::from_u128(0xA1)));
        Known { membership, has_account: true }
    }

    fn left(mut known: Known) -> Known {
        known.membership.deactivate(now());
        known
    }

    fn plan(rows: Vec<RosterRow>, known: Vec<Known>, org_admins: i64) -> Plan {
        let line = |row: RosterRow| StagedLine { line: 2, key: None, address: None, row: Ok(Box::new(row)) };
        let teams = BTreeMap::from([("dock".to_owned(), TEAM)]);
        let lines = rows.into_iter().map(line).collect();
        a_planner().plan(&Batch { lines, known, teams, org_admins })
    }

    fn decide(row: RosterRow, known: Vec<Known>) -> Decision {
        let mut plan = plan(vec![row], known, 2);
        assert_eq!(plan.decisions.len(), 1);
        plan.decisions.remove(0)
    }

    fn after(decision: &Decision) -> Membership {
        match decision {
            Decision::Write { after, .. } => (**after).clone(),
            other => panic!("expected a write but {other:?}"),
        }
    }

    fn code(decision: &Decision) -> &str {
        match decision {
            Decision::Rejected(problems) => &problems[0].code,
            other => panic!("expected a rejection but {other:?}"),
        }
    }

    #[test]
    fn somebody_new_is_pending_with_a_code_and_all_that_the_line_says() {
        let row = RosterRow {
            email: Some(email("ann@example.org")),
            job_title: JobTitle::parse("Picker").ok(),
            team: Some("DOCK".into()),
            team_admin: Some(true),
            org_admin: Some(true),
            hired_on: NaiveDate::from_ymd_opt(2026, 1, 5),
            ..a_row("E-1")
        };
        let decision = decide(row, vec![]);
        let made = after(&decision);
        assert_eq!((decision.action(), made.status), (RowAction::Created, MembershipStatus::Pending));
        assert_eq!((made.teams, made.administered_teams, made.org_admin), (vec![TEAM], vec![TEAM], true));
        assert_eq!(made.external_id.as_ref().map(ExternalId::as_str), Some("E-1"));
        assert_eq!(Some(made.reporting_starts_on), NaiveDate::from_ymd_opt(2026, 1, 5));
        let Decision::Write { invitation: Some(invitation), .. } = decision else { panic!("an invitation") };
        assert_eq!((invitation.membership, invitation.expires_at), (made.id, now() + TimeDelta::days(30)));
    }

    #[test]
    fn a_team_that_is_not_there_is_made_once() {
        let on = |number: &str, team: &str| RosterRow { team: Some(team.into()), ..a_row(number) };
        let plan = plan(vec![on("E-1", "Yard"), on("E-2", "YARD"), on("E-3", "dock")], vec![], 1);
        let names: Vec<&str> = plan.teams.iter().map(|team| team.name.as_str()).collect();
        assert_eq!(names, ["Yard"]);
        let teams: Vec<TeamId> = plan.decisions.iter().map(|decision| after(decision).teams[0]).collect();
        assert_eq!(teams, [plan.teams[0].id, plan.teams[0].id, TEAM]);
    }

    #[test]
    fn what_is_so_already_is_not_written_and_what_is_blank_stays() {
        let mut there = known("E-1");
        there.membership.job_title = JobTitle::parse("Picker").ok();
        there.membership.email = Some(email("ann@example.org"));
        there.membership.org_admin = true;
        there.membership.teams = vec![TEAM];
        assert_eq!(decide(a_row("E-1"), vec![there.clone()]), Decision::Unchanged(Some(there.membership.id)));
        let renamed = RosterRow { job_title: JobTitle::parse("Driver").ok(), ..a_row("E-1") };
        let decision = decide(renamed, vec![there.clone()]);
        let made = after(&decision);
        assert_eq!(decision.action(), RowAction::Updated);
        let expected = Membership {
            job_title: JobTitle::parse("Driver").ok(),
            updated_at: made.updated_at,
            ..there.membership
        };
        assert_eq!(made, expected, "the account is left alone");
    }

    #[test]
    fn a_team_takes_the_place_of_the_others_and_a_say_is_given_and_taken() {
        let other = TeamId::new(Uuid::from_u128(0x7F));
        let mut there = known("E-1");
        there.membership.teams = vec![other];
        there.membership.administered_teams = vec![other];
        let row = |team_admin| RosterRow { team: Some("Dock".into()), team_admin, ..a_row("E-1") };
        let made = after(&decide(row(Some(true)), vec![there.clone()]));
        assert_eq!((made.teams, made.administered_teams), (vec![TEAM], vec![other, TEAM]));
        there.membership.administered_teams = vec![other, TEAM];
        let made = after(&decide(row(Some(false)), vec![there]));
        assert_eq!(made.administered_teams, [other]);
    }

    #[test]
    fn who_had_left_is_back_at_once_with_an_account_and_else_with_a_new_code() {
        for (has_account, status) in [(true, MembershipStatus::Active), (false, MembershipStatus::Pending)] {
            let there = Known { has_account, ..left(known("E-1")) };
            let decision = decide(a_row("E-1"), vec![there]);
            let made = after(&decision);
            assert_eq!((decision.action(), made.status), (RowAction::Reactivated, status));
            assert_eq!((made.deactivated_at, made.user.is_some()), (None, has_account));
            let Decision::Write { invitation, .. } = decision else { panic!("a write") };
            assert_eq!(invitation.is_some(), !has_account);
        }
    }

    #[test]
    fn who_leaves_loses_every_say_and_keeps_the_teams() {
        let mut there = known("E-1");
        there.membership.org_admin = true;
        there.membership.teams = vec![TEAM];
        there.membership.administered_teams = vec![TEAM];
        let gone = RosterRow {
            status: Some(WantedStatus::Deactivated),
            org_admin: Some(true),
            team: Some("Yard".into()),
            ..a_row("E-1")
        };
        let decision = decide(gone.clone(), vec![there]);
        let made = after(&decision);
        assert_eq!((decision.action(), made.status), (RowAction::Deactivated, MembershipStatus::Deactivated));
        assert_eq!((made.org_admin, made.teams, made.administered_teams), (false, vec![TEAM], vec![]));
        let id = known("E-1").membership.id;
        assert_eq!(decide(gone.clone(), vec![left(known("E-1"))]), Decision::Unchanged(Some(id)));
        assert_eq!(decide(gone, vec![]), Decision::Unchanged(None), "nobody knew them");
    }

    #[test]
    fn the_last_admin_stays_unless_it_was_confirmed() {
        let mut there = known("E-1");
        there.membership.org_admin = true;
        let demoted = RosterRow { org_admin: Some(false), ..a_row("E-1") };
        let gone = RosterRow { status: Some(WantedStatus::Deactivated), ..a_row("E-1") };
        for row in [demoted.clone(), gone] {
            let row = RosterRow { team: Some("Yard".into()), ..row };
            let refused = plan(vec![row.clone()], vec![there.clone()], 1);
            assert_eq!(code(&refused.decisions[0]), "last_org_admin");
            assert_eq!(refused.teams, [], "what is rejected makes no team");
            assert_ne!(plan(vec![row], vec![there.clone()], 2).decisions[0].action(), RowAction::Rejected);
        }
        let planner = Planner { is_confirmed: true, ..a_planner() };
        let line = StagedLine { line: 2, key: None, address: None, row: Ok(Box::new(demoted)) };
        let batch = Batch { lines: vec![line], known: vec![there], org_admins: 1, ..Batch::default() };
        assert!(!after(&planner.plan(&batch).decisions[0]).org_admin);
    }

    #[test]
    fn of_two_admins_in_one_batch_one_stays() {
        let admin = |number: &str, id| {
            let mut there = known(number);
            there.membership.id = MembershipId::new(Uuid::from_u128(id));
            there.membership.org_admin = true;
            there
        };
        let demoted = |number: &str| RosterRow { org_admin: Some(false), ..a_row(number) };
        let plan = plan(vec![demoted("E-1"), demoted("E-2")], vec![admin("E-1", 1), admin("E-2", 2)], 2);
        let actions: Vec<RowAction> = plan.decisions.iter().map(Decision::action).collect();
        assert_eq!(actions, [RowAction::Updated, RowAction::Rejected]);
    }

    #[test]
    fn who_has_no_number_yet_is_found_by_the_address_once() {
        let mut there = known("E-9");
        there.membership.external_id = None;
        there.membership.email = Some(email("ann@example.org"));
        let row = |number: &str| RosterRow { email: Some(email("ann@example.org")), ..a_row(number) };
        let plan = plan(vec![row("E-1"), row("E-2")], vec![there.clone()], 1);
        let made: Vec<_> =
            plan.decisions.iter().map(|d| (d.action(), after(d).id == there.membership.id)).collect();
        assert_eq!(made, [(RowAction::Updated, true), (RowAction::Created, false)]);
    }

    #[test]
    fn an_address_of_several_members_names_nobody() {
        let with = |id, known: Known| {
            let mut known = known;
            known.membership.id = MembershipId::new(Uuid::from_u128(id));
            known.membership.email = Some(email("ann@example.org"));
            known
        };
        let address = email("ann@example.org");
        let row = RosterRow { key: RowKey::Email(address.clone()), email: Some(address), ..a_row("x") };
        let two = vec![with(1, known("E-1")), with(2, known("E-2"))];
        assert_eq!(code(&decide(row.clone(), two)), "ambiguous");
        let one_left = vec![with(1, left(known("E-1"))), with(2, known("E-2"))];
        assert_eq!(decide(row, one_left).membership(), Some(MembershipId::new(Uuid::from_u128(2))));
    }

    #[test]
    fn a_bad_line_stays_bad() {
        let problem = RosterProblem::new(3, "email", "invalid", "is no address", "x");
        let line = StagedLine { line: 3, key: None, address: None, row: Err(vec![problem.clone()]) };
        let plan = a_planner().plan(&Batch { lines: vec![line], ..Batch::default() });
        assert_eq!(plan.decisions, [Decision::Rejected(vec![problem])]);
    }

    #[test]
    fn a_snapshot_is_held_when_it_would_do_too_much() {
        let survey = |present, leaving, org_admins, staying_org_admins, lines_without_key| {
            let survey = Survey { present, leaving, org_admins, staying_org_admins, lines_without_key };
            survey.held().map(|trouble| trouble.code.into_owned())
        };
        assert_eq!(survey(100, 10, 1, 1, 0), None, "a tenth may go");
        assert_eq!(survey(100, 11, 1, 1, 0).as_deref(), Some("too_many_deactivations"));
        assert_eq!(survey(100, 1, 1, 0, 0).as_deref(), Some("last_org_admin"));
        assert_eq!(survey(100, 1, 0, 0, 0), None, "there was none before");
        assert_eq!(survey(100, 1, 1, 1, 2).as_deref(), Some("lines_without_key"));
        assert_eq!(survey(100, 0, 1, 1, 2), None, "nobody leaves");
        assert_eq!(survey(0, 0, 0, 0, 0), None);
    }
}
