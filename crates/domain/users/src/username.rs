use std::fmt;

use domain_kernel::{EmailAddress, FieldProblem};

/// What kind of name a person signs in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// The username is an e-mail address.
    Email,
    /// The username is a name of its own; most frontline workers have no address.
    Username,
}

impl Provider {
    /// The spelling of the wire and of storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Username => "username",
        }
    }

    /// Reads the spelling of [`as_str`](Self::as_str).
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        [Self::Email, Self::Username].into_iter().find(|provider| provider.as_str() == raw).ok_or_else(|| {
            FieldProblem { code: "invalid", message: "must be one of: email, username".into() }
        })
    }

    /// The provider a name belongs to when the client does not say: an `@` makes it an address.
    pub fn of(name: &str) -> Self {
        if name.contains('@') { Self::Email } else { Self::Username }
    }
}

/// The name a person signs in with, unique over all users with case ignored. It is also the `uid` of the session headers.
///
/// 4 to 254 printable ASCII characters without blanks, because it travels in an HTTP header. With [`Provider::Email`] an
/// address; with [`Provider::Username`] without `@`, so that a sign-in is never ambiguous.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

impl Username {
    /// Fewest characters.
    pub const MIN: usize = 4;

    /// Parses what a person typed.
    pub fn parse(raw: &str, provider: Provider) -> Result<Self, FieldProblem> {
        match provider {
            Provider::Email => EmailAddress::parse(raw).map(|address| Self(address.as_str().to_owned())),
            Provider::Username => Self::parse_name(raw),
        }
    }

    fn parse_name(raw: &str) -> Result<Self, FieldProblem> {
        let name = raw.trim();
        if !name.bytes().all(|b| b.is_ascii_graphic()) {
            let message = "may only hold printable ASCII characters without blanks".into();
            return Err(FieldProblem { code: "invalid", message });
        }
        if name.len() < Self::MIN {
            return Err(FieldProblem {
                code: "too_short",
                message: "is too short (minimum is 4 characters)".into(),
            });
        }
        if name.len() > 254 {
            return Err(FieldProblem {
                code: "too_long",
                message: "is too long (maximum is 254 characters)".into(),
            });
        }
        if name.contains('@') {
            let message = "must not hold an @ unless the provider is email".into();
            return Err(FieldProblem { code: "invalid", message });
        }
        Ok(Self(name.to_owned()))
    }

    /// Reads back what was good when it was stored: the rules may have become stricter since.
    pub fn from_stored(name: String) -> Self {
        Self(name)
    }

    /// The name as the person chose it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What somebody typed to sign in: looked up as it is, so anything that no user could be called finds nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Which of the two names it is.
    pub provider: Provider,
    /// The name, trimmed and in lower case.
    pub name: String,
}

impl Login {
    /// Trims and lower-cases; `None` when no user can have such a name.
    pub fn parse(raw: &str, provider: Option<Provider>) -> Option<Self> {
        let name = raw.trim().to_ascii_lowercase();
        let provider = provider.unwrap_or_else(|| Provider::of(&name));
        Username::parse(&name, provider).ok().map(|_| Self { provider, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(raw: &str, provider: Provider) -> Result<String, &'static str> {
        Username::parse(raw, provider).map(|name| name.to_string()).map_err(|problem| problem.code)
    }

    #[test]
    fn names_keep_their_case_and_addresses_do_not() {
        assert_eq!(code(" Ann.Lee ", Provider::Username), Ok("Ann.Lee".into()));
        assert_eq!(code("Ann@Example.ORG", Provider::Email), Ok("ann@example.org".into()));
    }

    #[test]
    fn what_cannot_travel_in_a_header_is_refused() {
        assert_eq!(code("abc", Provider::Username), Err("too_short"));
        assert_eq!(code(&"a".repeat(255), Provider::Username), Err("too_long"));
        for raw in ["ann lee", "zoë12", "ann\u{0}e", "ann\nlee", "ann@example.org"] {
            assert_eq!(code(raw, Provider::Username), Err("invalid"), "{raw:?}");
        }
        assert_eq!(code("workleteuser", Provider::Email), Err("invalid"));
    }

    #[test]
    fn a_login_with_an_at_sign_is_an_address() {
        let login = |raw, provider| Login::parse(raw, provider).map(|login| login.provider);
        assert_eq!(login("Ann@example.org", None), Some(Provider::Email));
        assert_eq!(login("annlee", None), Some(Provider::Username));
        assert_eq!(login("annlee", Some(Provider::Email)), None);
        assert_eq!(login("a\u{0}nnlee", None), None);
    }
}
