//! What all searches for people take.

use domain_kernel::{FieldErrors, FieldProblem, NameKey, SearchWords, Sort};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::{ApiError, ApiResult};

/// Who is looked for, and in which order they come.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchParams {
    /// Parts of names, at most 200 characters. Found is who has, for each word, a name that begins so; case, accents and
    /// punctuation do not matter.
    #[param(required = true, max_length = 200, example = "John")]
    q: Option<String>,
    /// `first_name` and `last_name`, comma-separated, each with `-` in front for descending. Ties go by id.
    #[param(required = false, example = "first_name,last_name")]
    sort: Option<String>,
}

impl SearchParams {
    pub(crate) fn parse(&self) -> ApiResult<(SearchWords, Sort<NameKey>)> {
        let mut errors = FieldErrors::new();
        let words = errors.take("q", FieldProblem::required(self.q.as_deref(), SearchWords::parse));
        let default = || Ok(Sort::by([NameKey::First, NameKey::Last]));
        let sort = self.sort.as_deref().map_or_else(default, |raw| Sort::parse(raw, &NameKey::WORDS));
        let sort = errors.take("sort", sort);
        words.zip(sort).ok_or_else(|| ApiError::invalid(errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Style;

    #[test]
    fn words_are_needed_and_the_order_is_by_first_and_last_name_unless_said() {
        let params = |q: Option<&str>, sort: Option<&str>| {
            let text = |text: Option<&str>| text.map(str::to_owned);
            let parsed = SearchParams { q: text(q), sort: text(sort) }.parse();
            parsed.map_err(|error| error.body(Style::PROBLEM, "r")["fields"].to_string())
        };
        let (words, sort) = params(Some(" John "), None).expect("good");
        assert_eq!((words.as_str(), sort), ("John", Sort::by([NameKey::First, NameKey::Last])));
        assert_eq!(params(None, Some("name")), Err(r#"{"q":["blank"],"sort":["unknown"]}"#.into()));
    }
}
