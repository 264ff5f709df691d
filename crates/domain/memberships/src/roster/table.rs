use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek};

use csv::{ByteRecord, ReaderBuilder, Trim};
use domain_kernel::EmailAddress;
use encoding_rs_io::DecodeReaderBytes;

use super::row::Values;
use super::text::{QuoteWatch, decode};
use super::{Column, RosterFailure, RosterProblem, RosterRow, RowKey};

type Text<R> = QuoteWatch<BufReader<DecodeReaderBytes<R, Vec<u8>>>>;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// It says something of a person.
    Row(Box<RosterRow>),
    /// It cannot be used, for at least one reason.
    Rejected {
        /// Line of the file.
        line: u64,
        /// Whom it is about, if that much can be read.
        key: Option<RowKey>,
        /// The address, if that can be read.
        address: Option<EmailAddress>,
        /// Why.
        problems: Vec<RosterProblem>,
    },
}

impl Entry {
    /// Line of the file.
    pub fn line(&self) -> u64 {
        match self {
            Self::Row(row) => row.line,
            Self::Rejected { line, .. } => *line,
        }
    }

    /// The address, if that can be read.
    pub fn address(&self) -> Option<&EmailAddress> {
        match self {
            Self::Row(row) => row.email.as_ref(),
            Self::Rejected { address, .. } => address.as_ref(),
        }
    }

    /// Whom it is about, if that can be read.
    pub fn key(&self) -> Option<&RowKey> {
        match self {
            Self::Row(row) => Some(&row.key),
            Self::Rejected { key, .. } => key.as_ref(),
        }
    }
}

/// A roster file, read line by line: memory does not grow with it.
pub struct RosterTable<R> {
    reader: csv::Reader<Text<R>>,
    columns: BTreeMap<Column, usize>,
    width: usize,
    record: ByteRecord,
    unknown: Vec<RosterProblem>,
}

impl RosterTable<std::io::Empty> {
    /// Most columns.
    pub const MAX_COLUMNS: usize = 200;

    /// Longest value in bytes.
    pub const MAX_VALUE: usize = 4096;
}

impl<R: Read + Seek> RosterTable<R> {
    /// Looks through the whole file for what would make it unreadable further down, and then begins anew. So a file is either
    /// read to its end or not at all.
    pub fn open(mut file: R) -> Result<Self, RosterFailure>
    where
        for<'a> &'a mut R: Read + Seek,
    {
        let delimiter = {
            let mut head = vec![0; RosterTable::MAX_VALUE * 4];
            let read = read_some(decode(&mut file)?, &mut head)?;
            delimiter(&head[..read])
        };
        file.rewind().map_err(RosterFailure::unreadable)?;
        {
            let mut watch = QuoteWatch::new(BufReader::new(decode(&mut file)?), delimiter);
            std::io::copy(&mut watch, &mut std::io::sink()).map_err(RosterFailure::unreadable)?;
            if let Some(line) = watch.open_since() {
                return Err(RosterFailure::OpenQuote(line));
            }
        }
        file.rewind().map_err(RosterFailure::unreadable)?;
        let text = QuoteWatch::new(BufReader::new(decode(file)?), delimiter);
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(Trim::All).from_reader(text);
        let header = reader.byte_headers().map_err(unreadable)?.clone();
        let (columns, unknown) = columns(&header)?;
        Ok(Self { reader, columns, width: header.len(), record: ByteRecord::new(), unknown })
    }

    /// Columns of the file that nobody understands: they are passed over.
    pub fn unknown_columns(&self) -> &[RosterProblem] {
        &self.unknown
    }

    /// Whether people are found again by their number, and not by their address.
    pub fn has_numbers(&self) -> bool {
        self.columns.contains_key(&Column::ExternalId)
    }

    /// The next line that is not blank; none at the end.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, RosterFailure> {
        loop {
            if !self.reader.read_byte_record(&mut self.record).map_err(unreadable)? {
                return Ok(None);
            }
            // Excel writes lines of delimiters only.
            if self.record.iter().any(|value| !value.is_empty()) {
                return Ok(Some(self.entry()));
            }
        }
    }

    fn entry(&self) -> Entry {
        let line = self.record.position().map_or(0, csv::Position::line);
        let get = |column: Column| -> &str {
            let value = self.columns.get(&column).and_then(|index| self.record.get(*index));
            // The text was made by a decoder: it is UTF-8.
            std::str::from_utf8(value.unwrap_or_default()).unwrap_or_default()
        };
        let values = Values { line, has_numbers: self.has_numbers(), get: &get };
        let reject = |column: &str, code, message: String, value: &[u8]| {
            let value = String::from_utf8_lossy(value);
            let problems = vec![RosterProblem::new(line, column, code, message, &value)];
            Entry::Rejected { line, key: values.key(), address: values.address(), problems }
        };
        if self.record.len() > self.width {
            let message = format!("has {} values for {} columns", self.record.len(), self.width);
            return reject("", "too_many_values", message, b"");
        }
        for (column, index) in &self.columns {
            let value = self.record.get(*index).unwrap_or_default();
            if value.len() > RosterTable::MAX_VALUE {
                let message = format!("is longer than {} bytes", RosterTable::MAX_VALUE);
                return reject(column.as_str(), "too_long", message, value);
            }
        }
        match values.read() {
            Ok(row) => Entry::Row(Box::new(row)),
            Err(problems) => Entry::Rejected { line, key: values.key(), address: values.address(), problems },
        }
    }
}

fn unreadable(error: csv::Error) -> RosterFailure {
    RosterFailure::Unreadable(error.into())
}

/// As much as fits, or as there is.
fn read_some(mut text: impl Read, buffer: &mut [u8]) -> Result<usize, RosterFailure> {
    let mut read = 0;
    loop {
        match text.read(&mut buffer[read..]).map_err(RosterFailure::unreadable)? {
            0 => return Ok(read),
            more => read += more,
        }
    }
}

/// What parts the names in the first line: offices in many countries write semicolons.
fn delimiter(head: &[u8]) -> u8 {
    let first = head.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let count = |delimiter: &u8| first.split(|byte| byte == delimiter).count();
    // Of equals the last one wins, which is the comma.
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

fn columns(header: &ByteRecord) -> Result<(BTreeMap<Column, usize>, Vec<RosterProblem>), RosterFailure> {
    if header.iter().all(<[u8]>::is_empty) {
        return Err(RosterFailure::Empty);
    }
    if header.len() > RosterTable::MAX_COLUMNS {
        return Err(RosterFailure::TooManyColumns);
    }
    let (mut columns, mut unknown) = (BTreeMap::new(), Vec::new());
    for (index, raw) in header.iter().enumerate() {
        let raw = String::from_utf8_lossy(raw);
        let name = raw.trim().to_lowercase().replace([' ', '-'], "_");
        match Column::ALL.into_iter().find(|column| column.as_str() == name) {
            Some(column) if columns.insert(column, index).is_some() => {
                return Err(RosterFailure::ColumnTwice(column.as_str()));
            }
            Some(_) => {}
            None => {
                let message = "is not a column that is understood; it is passed over";
                unknown.push(RosterProblem::new(1, &raw, "unknown_column", message, &raw));
            }
        }
    }
    let missing =
        [Column::FirstName, Column::LastName].into_iter().find(|column| !columns.contains_key(column));
    if let Some(column) = missing {
        return Err(RosterFailure::ColumnMissing(column.as_str()));
    }
    if !columns.contains_key(&Column::ExternalId) && !columns.contains_key(&Column::Email) {
        return Err(RosterFailure::ColumnMissing(Column::ExternalId.as_str()));
    }
    Ok((columns, unknown))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn open(text: &[u8]) -> Result<RosterTable<Cursor<Vec<u8>>>, RosterFailure> {
        RosterTable::open(Cursor::new(text.to_vec()))
    }

    /// All rows, and line, column and code of all problems.
    fn read(text: &str) -> (Vec<RosterRow>, Vec<(u64, String, String)>) {
        let mut table = open(text.as_bytes()).expect("a table");
        let (mut rows, mut problems) = (Vec::new(), Vec::new());
        while let Some(entry) = table.next_entry().expect("readable") {
            match entry {
                Entry::Row(row) => rows.push(*row),
                Entry::Rejected { problems: found, .. } => {
                    let told = |found: RosterProblem| (found.line, found.column, found.code.into_owned());
                    problems.extend(found.into_iter().map(told));
                }
            }
        }
        (rows, problems)
    }

    #[test]
    fn a_line_is_read_whole() {
        let (rows, problems) = read(
            "External ID,first-name,Last_Name,email,job_title,team,org_admin,team_admin,hired_on,status\n\
             E-1, Ann ,\"Lee, the second\",ANN@example.org,Picker,Dock,no,YES,2026-01-05,active\n",
        );
        assert_eq!(problems, []);
        let [row] = &rows[..] else { panic!("one row but {rows:?}") };
        assert_eq!(
            (row.line, row.first_name.as_str(), row.last_name.as_str()),
            (2, "Ann", "Lee, the second")
        );
        assert!(matches!(&row.key, RowKey::ExternalId(id) if id.as_str() == "E-1"));
        assert_eq!(row.email.as_ref().map(domain_kernel::EmailAddress::as_str), Some("ann@example.org"));
        assert_eq!(
            (row.team.as_deref(), row.org_admin, row.team_admin),
            (Some("Dock"), Some(false), Some(true))
        );
    }

    #[test]
    fn any_of_three_delimiters_parts_the_values() {
        for delimiter in [",", ";", "\t"] {
            let text = "external_id,first_name,last_name\r\nE-1,Ann,Lee\r\n".replace(',', delimiter);
            assert_eq!(read(&text).0.len(), 1, "{text:?}");
        }
    }

    #[test]
    fn without_numbers_people_are_found_by_their_address() {
        let (rows, problems) = read("email,first_name,last_name\nann@example.org,Ann,Lee\n,Bo,Ek\n");
        assert!(matches!(&rows[0].key, RowKey::Email(email) if email.as_str() == "ann@example.org"));
        assert_eq!(problems, [(3, "email".to_owned(), "blank".to_owned())]);
    }

    #[test]
    fn a_bad_line_stops_no_other_and_names_all_that_is_wrong() {
        let (rows, problems) = read(
            "external_id,first_name,last_name,email,hired_on,team_admin\n\
             E-1,Ann,Lee,nonsense,05/01/2026,\n\
             ,Bo,Ek,,,\n\
             E-3,Cy,Fox,,,true\n\
             E-4,D\u{0}y,Gil,,,\n\
             E-5,Di,Hog,,,,,,\n\
             E-6,Ed\n\
             ,,,,,\n\
             E-8,Flo,Ito,,,\n",
        );
        let lines: Vec<u64> = rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [9]);
        let expected = [
            (2, "email", "invalid"),
            (2, "hired_on", "invalid"),
            (3, "external_id", "blank"),
            (4, "team_admin", "team_missing"),
            (5, "first_name", "invalid"),
            (6, "", "too_many_values"),
            (7, "last_name", "blank"),
        ];
        let expected = expected.map(|(line, column, code)| (line, column.to_owned(), code.to_owned()));
        assert_eq!(problems, expected);
    }

    #[test]
    fn whom_a_bad_line_is_about_is_told_if_it_can_be_read() {
        let mut table =
            open(b"external_id,first_name,last_name\nE-1,,Lee\nE-2,Bo,Ek,,\n,Cy,Fox\n").expect("a table");
        let mut keys = Vec::new();
        while let Some(entry) = table.next_entry().expect("readable") {
            keys.push((entry.line(), entry.key().map(|key| key.as_str().to_owned())));
        }
        assert_eq!(keys, [(2, Some("E-1".into())), (3, Some("E-2".into())), (4, None)]);
    }

    #[test]
    fn a_value_of_megabytes_is_one_bad_line() {
        let long = "x".repeat(10 << 20);
        let text = format!("external_id,first_name,last_name\nE-1,{long},Lee\nE-2,Bo,Ek\n");
        let (rows, problems) = read(&text);
        assert_eq!(rows.len(), 1);
        assert_eq!(problems, [(2, "first_name".to_owned(), "too_long".to_owned())]);
    }

    #[test]
    fn a_file_that_cannot_be_read_to_its_end_is_not_read_at_all() {
        for (text, code) in [
            ("", "empty_file"),
            ("\n\n", "empty_file"),
            ("external_id,first_name,last_name\nE-1,\"Ann,Lee\nE-2,Bo,Ek\n", "unclosed_quote"),
            ("external_id,first_name\nE-1,Ann\n", "missing_column"),
            ("first_name,last_name\nAnn,Lee\n", "missing_column"),
            ("external_id,first_name,last_name,First Name\n", "duplicate_column"),
        ] {
            assert_eq!(open(text.as_bytes()).err().map(|failure| failure.code()), Some(code), "{text:?}");
        }
        let wide = vec!["c"; 300].join(",");
        assert_eq!(open(wide.as_bytes()).err().map(|failure| failure.code()), Some("too_many_columns"));
        assert_eq!(open(b"PK\x03\x04").err().map(|failure| failure.code()), Some("not_text"));
    }

    #[test]
    fn columns_that_nobody_understands_are_told() {
        let table = open(b"external_id,first_name,last_name,shoe size\n").expect("a table");
        let [unknown] = table.unknown_columns() else { panic!("one column") };
        let told = (unknown.line, unknown.column.as_str(), unknown.code.as_ref());
        assert_eq!(told, (1, "shoe size", "unknown_column"));
    }

    #[test]
    fn a_line_that_would_end_a_copy_is_a_line_like_others() {
        let (rows, problems) = read("external_id,first_name,last_name\n\\.\nE-2,=1+1,@cmd\n");
        assert_eq!(problems.len(), 2, "the names are missing");
        assert_eq!(rows[0].first_name.as_str(), "=1+1", "stored as it is; reports make it harmless");
    }
}
