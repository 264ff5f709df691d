use domain_jobs::ports::Dice;
use domain_kernel::InviteCode;
use domain_memberships::ports::InviteCodeGenerator;
use domain_users::Secret;
use domain_users::ports::SecretGenerator;
use rand::RngExt;

/// Secrets from a cryptographically secure generator, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SecureRandom;

impl SecretGenerator for SecureRandom {
    fn secret(&self) -> Secret {
        Secret::new(rand::rng().random())
    }
}

impl InviteCodeGenerator for SecureRandom {
    fn code(&self) -> InviteCode {
        let mut rng = rand::rng();
        InviteCode::from_indices(std::array::from_fn(|_| rng.random_range(0..InviteCode::ALPHABET.len())))
    }
}

impl Dice for SecureRandom {
    fn roll(&self) -> f64 {
        rand::rng().random()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_use_the_whole_alphabet_and_hardly_repeat() {
        let codes: Vec<_> = (0..2000).map(|_| SecureRandom.code()).collect();
        let letters: HashSet<_> = codes.iter().flat_map(|code| code.as_str().bytes()).collect();
        assert_eq!(letters.len(), InviteCode::ALPHABET.len());
        assert!(codes.iter().collect::<HashSet<_>>().len() > 1990);
    }

    #[test]
    fn dice_show_numbers_from_0_to_1() {
        let rolls: Vec<_> = (0..100).map(|_| SecureRandom.roll()).collect();
        assert!(rolls.iter().all(|roll| (0.0..=1.0).contains(roll)));
        assert!(rolls.iter().any(|roll| *roll < 0.5) && rolls.iter().any(|roll| *roll > 0.5));
    }

    #[test]
    fn secrets_differ() {
        assert_ne!(SecureRandom.secret(), SecureRandom.secret());
    }
}
