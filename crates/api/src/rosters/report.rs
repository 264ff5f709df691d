//! The report of an import as CSV, written while it is read.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::Bytes;
use domain_kernel::{Actor, ImportId, OrgId};
use domain_memberships::MembershipError;
use domain_memberships::roster::{ReportRow, RosterService};
use futures_util::{Stream, stream};

const HEADER: [&str; 8] = ["line", "action", "key", "membership_id", "column", "code", "message", "value"];

/// A report of which the first part has been read.
pub(crate) struct Report {
    pub(crate) rosters: RosterService,
    pub(crate) actor: Actor,
    pub(crate) organization: OrgId,
    pub(crate) import: ImportId,
    pub(crate) rows: Vec<ReportRow>,
}

impl Report {
    /// As an attachment whose further parts are read when the client takes them.
    pub(crate) fn answer(self) -> HttpResponse {
        let name = format!("attachment; filename=\"worklete-import-{}.csv\"", self.import);
        HttpResponse::Ok()
            .insert_header((CONTENT_DISPOSITION, name))
            .content_type("text/csv; charset=utf-8")
            .streaming(self.parts())
    }

    /// Ends with an error, which cuts the answer off, when a part cannot be read: half a report must not look whole.
    fn parts(self) -> impl Stream<Item = Result<Bytes, MembershipError>> {
        stream::try_unfold(Some((self, true)), |state| async move {
            let Some((mut report, is_first)) = state else { return Ok(None) };
            let text = write(is_first, &report.rows);
            let last =
                report.rows.last().filter(|_| report.rows.len() == usize::from(RosterService::REPORT_ROWS));
            let Some(after) = last.map(|row| row.position) else { return Ok(Some((text.into(), None))) };
            let Report { rosters, actor, organization, import, .. } = &report;
            let next = rosters.read_report(actor, *organization, *import, after).await.inspect_err(|error| {
                tracing::error!(request_id = actor.origin.request_id, cause = %error, "a report was cut off");
            })?;
            report.rows = next;
            Ok(Some((text.into(), Some((report, false)))))
        })
    }
}

/// What a spreadsheet would take for a formula gets a `'` in front.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

fn write(with_header: bool, rows: &[ReportRow]) -> Vec<u8> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    // Writing to memory does not fail.
    if with_header {
        drop(csv.write_record(HEADER));
    }
    for row in rows {
        let line = row.line.map(|line| line.to_string()).unwrap_or_default();
        let key = harmless(row.key.as_deref().unwrap_or_default());
        let membership = row.membership.map(|id| id.to_string()).unwrap_or_default();
        let head = [line, row.action.as_str().to_owned(), key, membership];
        if row.problems.is_empty() {
            drop(csv.write_record(head.iter().map(String::as_str).chain([""; 4])));
        }
        for problem in &row.problems {
            let tail = [&problem.column, &*problem.code, &problem.message, &problem.value].map(harmless);
            drop(csv.write_record(head.iter().chain(&tail)));
        }
    }
    csv.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use domain_memberships::roster::{RosterProblem, RowAction};

    use super::*;

    #[test]
    fn each_thing_that_is_wrong_has_a_line_and_no_cell_is_a_formula() {
        let problem = |column: &str, value: &str| RosterProblem {
            line: 3,
            column: column.into(),
            code: "invalid".into(),
            message: "must be good, really".into(),
            value: value.into(),
        };
        let row = |line, key: &str, problems| ReportRow {
            position: 1,
            line,
            key: Some(key.into()),
            action: if line.is_some() { RowAction::Rejected } else { RowAction::Deactivated },
            membership: None,
            problems,
        };
        let rows = [
            row(Some(3), "=1+1", vec![problem("email", "@x"), problem("-hired_on", "a\"b")]),
            row(None, "E-2", vec![]),
        ];
        let text = String::from_utf8(write(true, &rows)).expect("text");
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(
            lines,
            [
                "line,action,key,membership_id,column,code,message,value",
                "3,rejected,'=1+1,,email,invalid,\"must be good, really\",'@x",
                "3,rejected,'=1+1,,'-hired_on,invalid,\"must be good, really\",\"a\"\"b\"",
                ",deactivated,E-2,,,,,",
                "",
            ]
        );
        assert!(write(false, &[]).is_empty());
    }
}
