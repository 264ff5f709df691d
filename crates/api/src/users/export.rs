//! The archive of a person: one JSON object, written while it is read.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::Bytes;
use domain_kernel::UserId;
use domain_users::{ExportRecord, ExportSection, UserError, UserExport};
use futures_util::{Stream, stream};

/// How an archive begins. `format` counts up when what it holds means something else.
const BEGINNING: &str = "{\"format\":1,\"";

/// As an attachment whose parts are read when the client takes them.
pub(crate) fn answer(user: UserId, export: UserExport, request_id: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"worklete-user-{user}.json\"")))
        .content_type("application/json")
        .streaming(parts(export, request_id))
}

/// Ends with an error, which cuts the answer off, when a part cannot be read: half an archive must not look whole.
fn parts(export: UserExport, request_id: String) -> impl Stream<Item = Result<Bytes, UserError>> {
    let state = Some((export, Writer::default(), request_id));
    stream::try_unfold(state, |state| async move {
        let Some((mut export, mut writer, request_id)) = state else { return Ok(None) };
        match export.next().await {
            Ok(Some(records)) => {
                let text = writer.write(&records);
                Ok(Some((text.into(), Some((export, writer, request_id)))))
            }
            Ok(None) => Ok(Some((writer.end().into(), None))),
            Err(error) => {
                tracing::error!(request_id, cause = %error, "an export was cut off");
                Err(error)
            }
        }
    })
}

/// Puts the records of each section into an array, and the account beside them.
#[derive(Default)]
struct Writer {
    /// Sections begun so far.
    begun: usize,
    /// Whether the array of the last one holds something.
    is_filled: bool,
}

impl Writer {
    fn write(&mut self, records: &[ExportRecord]) -> String {
        let mut text = String::new();
        for record in records {
            while self.begun <= record.place.section as usize {
                self.begin_next(&mut text);
            }
            if self.is_filled {
                text.push(',');
            }
            text.push_str(&record.json);
            self.is_filled = true;
        }
        text
    }

    fn end(&mut self) -> String {
        let mut text = String::new();
        while self.begun < ExportSection::ALL.len() {
            self.begin_next(&mut text);
        }
        text.push_str("]}\n");
        text
    }

    fn begin_next(&mut self, text: &mut String) {
        let section = ExportSection::ALL[self.begun];
        let (before, after) = match section {
            ExportSection::Account => (BEGINNING, "\":"),
            ExportSection::Memberships => (",\"", "\":["),
            _ => ("],\"", "\":["),
        };
        for part in [before, section.as_str(), after] {
            text.push_str(part);
        }
        self.begun += 1;
        self.is_filled = false;
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain_users::ExportPlace;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn record(section: ExportSection, n: u128) -> ExportRecord {
        let place = ExportPlace { section, id: Uuid::from_u128(n), at: DateTime::UNIX_EPOCH, number: 0 };
        ExportRecord { place, json: json!({ "n": n.to_string() }).to_string() }
    }

    fn written(parts: &[&[ExportRecord]]) -> Value {
        let mut writer = Writer::default();
        let mut text: String = parts.iter().map(|part| writer.write(part)).collect();
        text.push_str(&writer.end());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    #[test]
    fn an_archive_is_one_object_however_its_parts_are_cut() {
        let account = record(ExportSection::Account, 1);
        let events = [2, 3, 4].map(|n| record(ExportSection::ProgressEvents, n));
        let [a, b, c] = events.clone();
        let whole = written(&[&[account.clone(), a.clone(), b.clone(), c.clone()]]);
        assert_eq!(whole["account"], json!({ "n": "1" }));
        assert_eq!(whole["progress_events"], json!([{ "n": "2" }, { "n": "3" }, { "n": "4" }]));
        assert_eq!(written(&[std::slice::from_ref(&account), &events]), whole);
        assert_eq!(written(&[&[account, a], &[b], &[c]]), whole);
    }

    #[test]
    fn a_section_without_records_is_an_empty_list() {
        let alone = written(&[&[record(ExportSection::Account, 1)]]);
        for section in &ExportSection::ALL[1..] {
            assert_eq!(alone[section.as_str()], json!([]));
        }
        assert_eq!(alone["format"], 1);
    }
}
