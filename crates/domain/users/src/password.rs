use std::fmt;

use domain_kernel::FieldProblem;

/// A password as a person typed it: 6 characters to 72 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Fewest characters.
    pub const MIN_CHARS: usize = 6;
    /// Most bytes. bcrypt reads no more, and cutting a password silently would weaken it.
    pub const MAX_BYTES: usize = 72;

    /// Checks the length. Nothing is trimmed.
    pub fn parse(raw: &str) -> Result<Self, FieldProblem> {
        if raw.chars().count() < Self::MIN_CHARS {
            return Err(FieldProblem {
                code: "too_short",
                message: "is too short (minimum is 6 characters)".into(),
            });
        }
        if raw.len() > Self::MAX_BYTES {
            return Err(FieldProblem {
                code: "too_long",
                message: "is too long (maximum is 72 bytes)".into(),
            });
        }
        if raw.contains('\0') {
            return Err(FieldProblem { code: "invalid", message: "must not contain a NUL character".into() });
        }
        Ok(Self(raw.to_owned()))
    }

    /// The password itself, for the hasher.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What is stored of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a hash made by a [`PasswordHasher`](crate::ports::PasswordHasher).
    pub fn new(hash: String) -> Self {
        Self(hash)
    }

    /// The hash, for storage and for the hasher.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_characters_below_and_in_bytes_above() {
        let code = |raw: &str| Password::parse(raw).map(|_| ()).map_err(|problem| problem.code);
        assert_eq!(code("12345"), Err("too_short"));
        assert_eq!(code("éééééé"), Ok(()));
        assert_eq!(code(&"x".repeat(72)), Ok(()));
        assert_eq!(code(&"x".repeat(73)), Err("too_long"));
        assert_eq!(code(&"é".repeat(37)), Err("too_long"));
        assert_eq!(code("secret\0"), Err("invalid"));
    }

    #[test]
    fn debug_output_shows_nothing() {
        let shown = format!("{:?} {:?}", Password("hunter22".into()), PasswordHash::new("$2b$04$abc".into()));
        assert_eq!(shown, "Password(…) PasswordHash(…)");
    }
}
