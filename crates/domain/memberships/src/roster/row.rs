use chrono::NaiveDate;
use domain_kernel::{
    EmailAddress, ExternalId, FieldProblem, JobTitle, PersonName, TextRule, parse_day, parse_text,
};

use super::{Column, RosterProblem};
use crate::WantedStatus;

/// By what somebody is found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowKey {
    /// The customer's own number.
    ExternalId(ExternalId),
    /// The address, in files without numbers.
    Email(EmailAddress),
}

impl RowKey {
    /// The number or the address.
    pub fn as_str(&self) -> &str {
        match self {
            Self::ExternalId(id) => id.as_str(),
            Self::Email(email) => email.as_str(),
        }
    }
}

/// What a good line says of a person. What is blank is not said, and stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterRow {
    /// Line of the file; the first one, which names the columns, is 1.
    pub line: u64,
    /// By what the person is found again.
    pub key: RowKey,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Address.
    pub email: Option<EmailAddress>,
    /// What the person does.
    pub job_title: Option<JobTitle>,
    /// Name of the team.
    pub team: Option<String>,
    /// Whether they run the organization.
    pub org_admin: Option<bool>,
    /// Whether they run that team.
    pub team_admin: Option<bool>,
    /// First day of work.
    pub hired_on: Option<NaiveDate>,
    /// Whether they are here or have left.
    pub status: Option<WantedStatus>,
}

/// The values of a line, by column; what a file has no column for is blank.
pub(super) struct Values<'a> {
    pub(super) line: u64,
    pub(super) has_numbers: bool,
    pub(super) get: &'a dyn Fn(Column) -> &'a str,
}

impl Values<'_> {
    /// By what the person is found again, if that much is good.
    pub(super) fn key(&self) -> Option<RowKey> {
        if self.has_numbers {
            ExternalId::parse((self.get)(Column::ExternalId)).ok().map(RowKey::ExternalId)
        } else {
            self.address().map(RowKey::Email)
        }
    }

    /// The address, if that is good.
    pub(super) fn address(&self) -> Option<EmailAddress> {
        EmailAddress::parse((self.get)(Column::Email)).ok()
    }

    /// The row, or everything that is wrong with it.
    pub(super) fn read(&self) -> Result<RosterRow, Vec<RosterProblem>> {
        let mut problems = Vec::new();
        let first_name = self.required(Column::FirstName, PersonName::parse, &mut problems);
        let last_name = self.required(Column::LastName, PersonName::parse, &mut problems);
        let email = self.optional(Column::Email, EmailAddress::parse, &mut problems);
        let key = if self.has_numbers {
            self.required(Column::ExternalId, ExternalId::parse, &mut problems).map(RowKey::ExternalId)
        } else if (self.get)(Column::Email).trim().is_empty() {
            problems.push(self.problem(Column::Email, FieldProblem::blank()));
            None
        } else {
            email.clone().map(RowKey::Email)
        };
        let job_title = self.optional(Column::JobTitle, JobTitle::parse, &mut problems);
        let team = self.optional(Column::Team, team_name, &mut problems);
        let org_admin = self.optional(Column::OrgAdmin, yes_or_no, &mut problems);
        let team_admin = self.optional(Column::TeamAdmin, yes_or_no, &mut problems);
        let hired_on = self.optional(Column::HiredOn, parse_day, &mut problems);
        let status = self.optional(Column::Status, status, &mut problems);
        if team_admin == Some(true) && team.is_none() && (self.get)(Column::Team).trim().is_empty() {
            let message = "needs a team in the same line".into();
            problems.push(self.problem(Column::TeamAdmin, FieldProblem { code: "team_missing", message }));
        }
        match (key, first_name, last_name) {
            (Some(key), Some(first_name), Some(last_name)) if problems.is_empty() => Ok(RosterRow {
                line: self.line,
                key,
                first_name,
                last_name,
                email,
                job_title,
                team,
                org_admin,
                team_admin,
                hired_on,
                status,
            }),
            _ => Err(problems),
        }
    }

    fn problem(&self, column: Column, problem: FieldProblem) -> RosterProblem {
        let FieldProblem { code, message } = problem;
        RosterProblem::new(self.line, column.as_str(), code, message, (self.get)(column))
    }

    fn required<T>(
        &self,
        column: Column,
        parse: impl FnOnce(&str) -> Result<T, FieldProblem>,
        problems: &mut Vec<RosterProblem>,
    ) -> Option<T> {
        parse((self.get)(column)).map_err(|problem| problems.push(self.problem(column, problem))).ok()
    }

    fn optional<T>(
        &self,
        column: Column,
        parse: impl FnOnce(&str) -> Result<T, FieldProblem>,
        problems: &mut Vec<RosterProblem>,
    ) -> Option<T> {
        if (self.get)(column).trim().is_empty() {
            return None;
        }
        self.required(column, parse, problems)
    }
}

/// As teams are named everywhere: 1 to 100 characters.
fn team_name(raw: &str) -> Result<String, FieldProblem> {
    parse_text(raw, TextRule { min: 1, max: 100 })
}

fn yes_or_no(raw: &str) -> Result<bool, FieldProblem> {
    match raw.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Ok(true),
        "false" | "f" | "no" | "n" | "0" => Ok(false),
        _ => Err(FieldProblem { code: "invalid", message: "must be true or false".into() }),
    }
}

fn status(raw: &str) -> Result<WantedStatus, FieldProblem> {
    match raw.trim().to_ascii_lowercase().as_str() {
        "active" => Ok(WantedStatus::Active),
        "deactivated" => Ok(WantedStatus::Deactivated),
        _ => Err(FieldProblem { code: "invalid", message: "must be active or deactivated".into() }),
    }
}
