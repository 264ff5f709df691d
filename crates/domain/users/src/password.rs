use std::fmt;

use domain_kernel::FieldProblem;

use crate::Secret;

/// Easily told apart when they are read out, and all of one key on any keyboard.
const CONSONANTS: &[u8; 16] = b"bdfghklmnprstvwz";
const VOWELS: &[u8; 4] = b"aiou";
/// Syllables of a password that is read out, in groups of three.
const SYLLABLES: usize = 9;

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

    /// A password to be read out: 20 characters such as `bagoti-muravo-sinuka`.
    ///
    /// Each of the nine syllables is one of 16 consonants and one of 4 vowels, picked by 6 bits of the secret of their own: all
    /// are equally likely, and there are 2^54 of them.
    pub fn pronounceable(secret: &Secret) -> Self {
        let syllable = |byte: &u8| {
            let (consonant, vowel) = (byte & 15, (byte >> 4) & 3);
            [CONSONANTS[usize::from(consonant)], VOWELS[usize::from(vowel)]].map(char::from)
        };
        let groups = secret.bytes()[..SYLLABLES].chunks(3);
        let groups: Vec<String> = groups.map(|group| group.iter().flat_map(syllable).collect()).collect();
        Self(groups.join("-"))
    }

    /// The password itself, for the hasher, and for the one answer that tells it.
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
    fn a_password_to_be_read_out_holds_at_least_50_bits_and_every_syllable_is_as_likely() {
        let bits = (CONSONANTS.len() * VOWELS.len()).ilog2() as usize * SYLLABLES;
        assert_eq!(bits, 54);
        let mut syllables = std::collections::HashMap::new();
        for byte in 0..=255 {
            let password = Password::pronounceable(&Secret::new([byte; 32]));
            assert_eq!(Password::parse(password.reveal()), Ok(password.clone()));
            let groups: Vec<&str> = password.reveal().split('-').collect();
            assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [6, 6, 6]);
            *syllables.entry(groups[0][..2].to_owned()).or_insert(0) += 1;
        }
        assert_eq!((syllables.len(), syllables.values().all(|count| *count == 4)), (64, true));
    }

    #[test]
    fn each_syllable_has_bits_of_its_own() {
        let mut bytes = [0; 32];
        for (byte, n) in bytes.iter_mut().zip(0..) {
            *byte = n;
        }
        assert_eq!(Password::pronounceable(&Secret::new(bytes)).reveal(), "badafa-gahaka-lamana");
    }

    #[test]
    fn debug_output_shows_nothing() {
        let shown = format!("{:?} {:?}", Password("hunter22".into()), PasswordHash::new("$2b$04$abc".into()));
        assert_eq!(shown, "Password(…) PasswordHash(…)");
    }
}
