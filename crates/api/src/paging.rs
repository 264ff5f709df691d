//! Parts of lists: what a client asks for, and the headers that tell where it is.

use actix_web::http::header::LINK;
use actix_web::{HttpRequest, HttpResponse};
use domain_kernel::{FieldErrors, FieldProblem, MAX_ROWS, Page, PageRequest};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

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
        let sent: Vec<(String, String)> =
            serde_urlencoded::from_str(request.query_string()).unwrap_or_default();
        let mut query: Vec<(String, String)> =
            sent.into_iter().filter(|(name, _)| name != "page" && name != "size").collect();
        query.push(("page".into(), page.to_string()));
        query.push(("size".into(), self.size.to_string()));
        let query = serde_urlencoded::to_string(query).unwrap_or_default();
        format!("<{}?{query}>; rel=\"{relation}\"", request.path())
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
}
