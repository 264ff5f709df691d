use domain_kernel::InvitationId;

use crate::ports::InvitationMail;
use crate::{InvitationStatus, MembershipError, MembershipService, MembershipStatus};

impl MembershipService {
    /// Mails an invite code if the roster has an address for its person and the code still works. To be run after the
    /// answer has gone out: a mail server may be slow, and the invitation is good without the mail.
    pub async fn mail_invitation(&self, id: InvitationId) -> Result<(), MembershipError> {
        let Some(details) = self.invitations.find(id).await? else { return Ok(()) };
        let details = details.at(self.clock.now());
        let invitation = details.invitation;
        let is_open = invitation.status == InvitationStatus::Pending
            && details.membership_status == MembershipStatus::Pending;
        let Some(to) = details.email.filter(|_| is_open) else { return Ok(()) };
        let mail = InvitationMail {
            to: to.clone(),
            organization_name: details.organization_name,
            code: invitation.code,
            expires_at: invitation.expires_at,
        };
        self.mailer.send_invitation(mail).await?;
        self.invitations.note_sent(id, to, self.clock.now()).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::EmailAddress;

    use super::*;
    use crate::InvitationDetails;
    use crate::tests::{Fixture, an_invitation, details};

    async fn mailed(stored: InvitationDetails) -> bool {
        let mut fixture = Fixture::default();
        let is_mailed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let seen = is_mailed.clone();
        fixture.invitations.expect_find().return_once(move |_| Ok(Some(stored)));
        fixture.mailer.expect_send_invitation().returning(move |_| {
            seen.store(true, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        });
        fixture.invitations.expect_note_sent().returning(|_, _, _| Ok(()));
        fixture.service().mail_invitation(an_invitation().id).await.expect("runs");
        is_mailed.load(std::sync::atomic::Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_code_that_works_is_mailed_to_who_has_an_address() {
        let with_address =
            || InvitationDetails { email: EmailAddress::parse("ann@example.org").ok(), ..details() };
        assert!(mailed(with_address()).await);
        assert!(!mailed(details()).await, "no address");
        let joined = InvitationDetails { membership_status: MembershipStatus::Active, ..with_address() };
        assert!(!mailed(joined).await);
        let mut expired = with_address();
        expired.invitation.expires_at = expired.invitation.created_at;
        assert!(!mailed(expired).await);
    }

    #[tokio::test]
    async fn a_mail_that_failed_is_not_noted_as_sent() {
        let mut fixture = Fixture::default();
        let stored = InvitationDetails { email: EmailAddress::parse("ann@example.org").ok(), ..details() };
        fixture.invitations.expect_find().return_once(move |_| Ok(Some(stored)));
        fixture.mailer.expect_send_invitation().returning(|_| Err(MembershipError::Mail("refused".into())));
        assert!(fixture.service().mail_invitation(an_invitation().id).await.is_err());
    }
}
