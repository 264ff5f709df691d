//! Parts of lists: what a client asks for, and the headers that tell where it is.

use std::fmt;

use actix_web::http::header::LINK;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike, Utc};
use domain_kernel::{FieldErrors, FieldProblem, MAX_ROWS, Page, PageRequest};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::error::{ApiError, ApiResult};

/// Most rows of a page that a client may ask for; more is cut to it.
const MAX_SIZE: i64 = 200;

/// Which part of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// Number of the page.
    #[param(required = false, value_type = i32)]
    page: Option<String>,
    /// Rows of a page, 1 to 200; more is cut to 200.
    #[param(required = false, value_type = i32, example = 25)]
    size: Option<String>,
}

/// Number of a list's first page.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FirstPage {
    /// As one list of the published API has it.
    Zero,
    /// As all others have it.
    One,
}

/// What a list does when the client names no page.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unasked {
    /// Gives the first page of this size.
    Size(i64),
    /// Gives everything, up to a hard cap.
    Everything,
}

/// A part of a list, checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paging {
    first: i64,
    page: i64,
    size: i64,
}

impl PageParams {
    /// Checks what was asked for.
    pub(crate) fn paging(&self, first: FirstPage, unasked: Unasked) -> ApiResult<Paging> {
        let first = match first {
            FirstPage::Zero => 0,
            FirstPage::One => 1,
        };
        let mut errors = FieldErrors::new();
        let page = errors.take("page", number(self.page.as_deref(), first, first));
        let default = match unasked {
            Unasked::Size(size) => size,
            Unasked::Everything if self.page.is_some() => 25,
            Unasked::Everything => MAX_ROWS,
        };
        let size = errors.take("size", number(self.size.as_deref(), 1, default));
        errors.into_result().map_err(ApiError::invalid)?;
        let size = size.unwrap_or(default);
        let size = if self.size.is_some() { size.min(MAX_SIZE) } else { size };
        Ok(Paging { first, page: page.unwrap_or(first), size })
    }
}

fn number(raw: Option<&str>, min: i64, default: i64) -> Result<i64, FieldProblem> {
    let Some(raw) = raw else { return Ok(default) };
    let number = raw.parse::<i32>().ok().map(i64::from).filter(|number| *number >= min);
    number.ok_or_else(|| FieldProblem {
        code: "invalid",
        message: format!("must be a whole number from {min}"),
    })
}

impl Paging {
    /// For the domain.
    pub(crate) fn request(self) -> PageRequest {
        PageRequest { offset: (self.page - self.first) * self.size, limit: self.size }
    }

    /// The same with smaller pages, for long rows.
    pub(crate) fn at_most(self, size: i64) -> Self {
        Self { size: self.size.min(size), ..self }
    }

    /// A bare array, with the paging facts as headers.
    pub(crate) fn answer<T, U: From<T> + Serialize>(
        self,
        request: &HttpRequest,
        page: Page<T>,
    ) -> HttpResponse {
        let last = self.first + ((page.total - 1).max(0) / self.size);
        let mut links = vec![self.link(request, self.first, "first")];
        if self.page > self.first {
            links.push(self.link(request, (self.page - 1).min(last), "prev"));
        }
        if self.page < last {
            links.push(self.link(request, self.page + 1, "next"));
        }
        links.push(self.link(request, last, "last"));
        let total = page.total;
        let items: Vec<U> = page.items.into_iter().map(U::from).collect();
        HttpResponse::Ok()
            .insert_header(("x-total-count", total.to_string()))
            .insert_header(("x-page", self.page.to_string()))
            .insert_header(("x-per-page", self.size.to_string()))
            .insert_header((LINK, links.join(", ")))
            .json(items)
    }

    fn link(self, request: &HttpRequest, page: i64, relation: &str) -> String {
        link(request, &[("page", page.to_string()), ("size", self.size.to_string())], relation)
    }
}

/// The request's own address, with other values for some parameters.
fn link(request: &HttpRequest, values: &[(&str, String); 2], relation: &str) -> String {
    let sent: Vec<(String, String)> = serde_urlencoded::from_str(request.query_string()).unwrap_or_default();
    let is_replaced = |name: &str| values.iter().any(|(replaced, _)| *replaced == name);
    let kept = sent.iter().filter(|(name, _)| !is_replaced(name)).map(|(name, value)| (name.as_str(), value));
    let query: Vec<(&str, &String)> = kept.chain(values.iter().map(|(name, value)| (*name, value))).collect();
    let query = serde_urlencoded::to_string(query).unwrap_or_default();
    format!("<{}?{query}>; rel=\"{relation}\"", request.path())
}

/// Which part of a list that only ever grows at its beginning: pages of it would shift.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CursorParams {
    /// Where to go on: as the `link` of the part before has it. Absent: at the beginning.
    #[param(required = false)]
    after: Option<String>,
    /// Rows of a part, 1 to 200; more is cut to 200.
    #[param(required = false, value_type = i32, example = 25)]
    size: Option<String>,
}

/// The row that a part goes on after. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Its time.
    pub(crate) at: DateTime<Utc>,
    /// Its id.
    pub(crate) id: Uuid,
}

/// A part of such a list, checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// The row to go on after.
    pub(crate) after: Option<Cursor>,
    /// Most rows of it.
    pub(crate) size: i64,
}

impl CursorParams {
    /// Checks what was asked for.
    pub(crate) fn part(&self) -> ApiResult<Part> {
        let mut errors = FieldErrors::new();
        let after = self.after.as_deref().and_then(|raw| errors.take("after", Cursor::parse(raw)));
        let size = errors.take("size", number(self.size.as_deref(), 1, 25));
        errors.into_result().map_err(ApiError::invalid)?;
        Ok(Part { after, size: size.unwrap_or(25).min(MAX_SIZE) })
    }
}

impl Cursor {
    fn parse(raw: &str) -> Result<Self, FieldProblem> {
        let read = || {
            let bytes = URL_SAFE_NO_PAD.decode(raw).ok()?;
            let (at, id) = bytes.split_first_chunk::<8>()?;
            let at = DateTime::from_timestamp_micros(i64::from_be_bytes(*at))?;
            // No other years can have been written, and the database knows fewer than we do.
            let is_possible = (0..=9999).contains(&at.year());
            Some(Self { at, id: Uuid::from_slice(id).ok()? }).filter(|_| is_possible)
        };
        let message = "must be as the link of the part before has it";
        read().ok_or_else(|| FieldProblem { code: "invalid", message: message.into() })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.at.timestamp_micros().to_be_bytes()[..], self.id.as_bytes()].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl Part {
    /// A bare array, with the next part in a header.
    pub(crate) fn answer<T, U: From<T> + Serialize>(
        self,
        request: &HttpRequest,
        rows: Vec<T>,
        next: Option<Cursor>,
    ) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        if let Some(next) = next {
            let values = [("after", next.to_string()), ("size", self.size.to_string())];
            response.insert_header((LINK, link(request, &values, "next")));
        }
        response.json(rows.into_iter().map(U::from).collect::<Vec<U>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Style;

    fn paging(
        page: Option<&str>,
        size: Option<&str>,
        first: FirstPage,
        unasked: Unasked,
    ) -> Result<PageRequest, String> {
        let params = PageParams { page: page.map(Into::into), size: size.map(Into::into) };
        let paging = params.paging(first, unasked);
        paging.map(Paging::request).map_err(|error| error.body(Style::PROBLEM, "r")["fields"].to_string())
    }

    #[test]
    fn pages_count_from_where_the_list_begins() {
        let size = Unasked::Size(25);
        let part = |offset, limit| Ok(PageRequest { offset, limit });
        assert_eq!(paging(None, None, FirstPage::Zero, size), part(0, 25));
        assert_eq!(paging(Some("2"), Some("10"), FirstPage::Zero, size), part(20, 10));
        assert_eq!(paging(Some("2"), Some("10"), FirstPage::One, size), part(10, 10));
        assert_eq!(paging(None, None, FirstPage::One, Unasked::Everything), part(0, 1000));
        assert_eq!(paging(Some("1"), None, FirstPage::One, Unasked::Everything), part(0, 25));
    }

    #[test]
    fn a_large_size_is_cut_and_nonsense_is_named() {
        let size = Unasked::Size(25);
        assert_eq!(paging(None, Some("5000"), FirstPage::One, size).map(|part| part.limit), Ok(200));
        for (page, rows, field) in [
            (Some("0"), None, "page"),
            (Some("x"), None, "page"),
            (Some("2147483648"), None, "page"),
            (None, Some("0"), "size"),
            (None, Some(""), "size"),
        ] {
            let refused = paging(page, rows, FirstPage::One, size).expect_err("refused");
            assert_eq!(refused, format!("{{\"{field}\":[\"invalid\"]}}"));
        }
    }

    #[test]
    fn a_cursor_comes_back_as_it_was_given_and_nothing_else_is_one() {
        let at = DateTime::from_timestamp_micros(1_767_600_000_123_456).expect("a time");
        let cursor = Cursor { at, id: Uuid::from_u128(7) };
        assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
        let too_late = Cursor { at: DateTime::<Utc>::MAX_UTC, ..cursor };
        for raw in ["", "x", "AAAA", &format!("{cursor}A"), &too_late.to_string(), &"!".repeat(32)] {
            assert!(Cursor::parse(raw).is_err(), "{raw}");
        }
    }
}
