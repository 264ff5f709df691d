use domain_kernel::{Budget, InviteCode, Origin};

use crate::{InvitationPreview, MembershipError, MembershipService};

impl MembershipService {
    /// Shows the holder of a code where it leads. Wrong codes are counted per address.
    pub async fn preview_invitation(
        &self,
        code: &InviteCode,
        origin: &Origin,
    ) -> Result<InvitationPreview, MembershipError> {
        let address = origin.throttle_key();
        self.throttle.check(Budget::WrongInviteCodesOfAddress, &address)?;
        if let Some(preview) = self.memberships.preview(code, self.clock.now()).await? {
            return Ok(preview);
        }
        self.throttle.record(Budget::WrongInviteCodesOfAddress, &address)?;
        Err(MembershipError::InvitationNotUsable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Fixture, a_code};

    #[tokio::test]
    async fn a_wrong_code_is_counted() {
        let mut fixture = Fixture::default();
        fixture.memberships.expect_preview().return_once(|_, _| Ok(None));
        let throttle = fixture.throttle.clone();
        let refused = fixture.service().preview_invitation(&a_code(), &Origin::default()).await;
        assert!(matches!(refused, Err(MembershipError::InvitationNotUsable)));
        assert_eq!(throttle.recorded.lock().expect("lock").len(), 1);
    }

    #[tokio::test]
    async fn after_too_many_wrong_codes_even_a_right_one_waits() {
        let service = Fixture::with_used_up(Budget::WrongInviteCodesOfAddress).service();
        let refused = service.preview_invitation(&a_code(), &Origin::default()).await;
        assert!(matches!(refused, Err(MembershipError::Throttled(_))));
    }
}
