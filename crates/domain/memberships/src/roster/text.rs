//! From the bytes of a file to text, whatever wrote it.

use std::io::{self, Read, Seek};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::Encoding;
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};

use super::RosterFailure;

/// Bytes that are looked at together.
const CHUNK: usize = 64 * 1024;

/// What the first bytes of an archive are: Excel's own files are one, too.
const ARCHIVES: [&[u8]; 4] = [b"PK\x03\x04", b"\xD0\xCF\x11\xE0", b"\x1F\x8B", b"%PDF"];

/// The file as UTF-8: by its byte order mark, else as UTF-8 if it is all that, else as what it most likely is, which for rosters of
/// old systems is Windows-1252. Fails if it is no text.
pub(super) fn decode<R: Read + Seek>(mut file: R) -> Result<DecodeReaderBytes<R, Vec<u8>>, RosterFailure> {
    let encoding = detect(&mut file)?;
    file.rewind().map_err(RosterFailure::unreadable)?;
    let mut builder = DecodeReaderBytesBuilder::new();
    // A mark at the beginning wins over what was detected.
    builder.encoding(Some(encoding)).bom_override(true).strip_bom(true);
    Ok(builder.build(file))
}

fn detect(file: &mut impl Read) -> Result<&'static Encoding, RosterFailure> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let (mut chunk, mut rest, mut is_utf8, mut is_first) = (vec![0; CHUNK], Vec::new(), true, true);
    loop {
        let read = file.read(&mut chunk).map_err(RosterFailure::unreadable)?;
        let bytes = &chunk[..read];
        if is_first && ARCHIVES.iter().any(|mark| bytes.starts_with(mark)) {
            return Err(RosterFailure::NotText);
        }
        is_first &= read == 0;
        detector.feed(bytes, read == 0);
        if is_utf8 {
            rest.extend_from_slice(bytes);
            match std::str::from_utf8(&rest) {
                Ok(_) => rest.clear(),
                // Cut in the middle of a character: it goes on in the next chunk.
                Err(error) if error.error_len().is_none() => drop(rest.drain(..error.valid_up_to())),
                Err(_) => is_utf8 = false,
            }
        }
        if read == 0 {
            is_utf8 &= rest.is_empty();
            break;
        }
    }
    if is_utf8 {
        return Ok(encoding_rs::UTF_8);
    }
    Ok(detector.guess(None, Utf8Detection::Deny))
}

/// Text on its way to the parser, which gives it the quotes to watch: a quote that is never closed would make the rest of the file
/// one value, and nobody would be told.
pub(super) struct QuoteWatch<R> {
    inner: R,
    delimiter: u8,
    state: QuoteState,
    line: u64,
    opened_at: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum QuoteState {
    /// A value begins here.
    Start,
    /// In a value without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// Behind a quote that ends a value or doubles.
    Closing,
}

impl<R: Read> QuoteWatch<R> {
    pub(super) fn new(inner: R, delimiter: u8) -> Self {
        Self { inner, delimiter, state: QuoteState::Start, line: 1, opened_at: 0 }
    }

    /// The line of a quote that is still open.
    pub(super) fn open_since(&self) -> Option<u64> {
        (self.state == QuoteState::Quoted).then_some(self.opened_at)
    }

    fn watch(&mut self, byte: u8) {
        let is_end = byte == self.delimiter || byte == b'\n' || byte == b'\r';
        self.state = match (self.state, byte) {
            (QuoteState::Start, b'"') => {
                self.opened_at = self.line;
                QuoteState::Quoted
            }
            (QuoteState::Quoted, b'"') => QuoteState::Closing,
            (QuoteState::Closing, b'"') | (QuoteState::Quoted, _) => QuoteState::Quoted,
            _ if is_end => QuoteState::Start,
            _ => QuoteState::Plain,
        };
        if byte == b'\n' {
            self.line += 1;
        }
    }
}

impl<R: Read> Read for QuoteWatch<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        buffer[..read].iter().for_each(|byte| self.watch(*byte));
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn decoded(bytes: &[u8]) -> String {
        let mut text = String::new();
        decode(Cursor::new(bytes)).expect("text").read_to_string(&mut text).expect("UTF-8");
        text
    }

    #[test]
    fn what_offices_write_is_read() {
        let utf16: Vec<u8> = "\u{FEFF}Zoë;€".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let utf16_be: Vec<u8> = "\u{FEFF}Zoë;€".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in ["Zoë;€".as_bytes(), "\u{FEFF}Zoë;€".as_bytes(), b"Zo\xEB;\x80", &utf16, &utf16_be]
        {
            assert_eq!(decoded(bytes), "Zoë;€", "{bytes:?}");
        }
        assert_eq!(decoded(b""), "");
    }

    #[test]
    fn a_character_on_the_border_of_two_chunks_is_whole() {
        for padding in (CHUNK - 3)..=CHUNK {
            let text = format!("{}漢字", "a".repeat(padding));
            assert_eq!(decoded(text.as_bytes()), text);
        }
    }

    #[test]
    fn archives_are_no_text() {
        for bytes in ["PK\u{3}\u{4}rest".as_bytes(), b"\xD0\xCF\x11\xE0", b"%PDF-1.7"] {
            assert!(matches!(decode(Cursor::new(bytes)), Err(RosterFailure::NotText)), "{bytes:?}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_noticed() {
        for (text, open) in [
            ("a,\"b\nc\nd", Some(1)),
            ("a,b\n\"c", Some(2)),
            ("a,\"b\"\"", Some(1)),
            ("a,\"b\",c\n", None),
            ("a,b\"c,\"\"\n", None),
            ("\"a\nb\",\"c\"\"d\"", None),
        ] {
            let mut watch = QuoteWatch::new(text.as_bytes(), b',');
            io::copy(&mut watch, &mut io::sink()).expect("reads");
            assert_eq!(watch.open_since(), open, "{text:?}");
        }
    }
}
