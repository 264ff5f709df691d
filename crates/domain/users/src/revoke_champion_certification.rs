use domain_kernel::{Actor, AuditSubject, ChampionCertificationId, Permission, Scope, UserId};
use serde_json::json;

use crate::{UserError, UserService};

impl UserService {
    /// Takes a certification back. Doing it again changes nothing.
    pub async fn revoke_champion_certification(
        &self,
        actor: &Actor,
        id: ChampionCertificationId,
    ) -> Result<(), UserError> {
        actor.require(Permission::CertificationManage, Scope::Platform)?;
        let (now, subject) = (self.now(), AuditSubject::ChampionCertification(id));
        let audit = actor
            .audit(self.ports.ids.next(), now, "champion.revoke", None, subject)
            .after(json!({ "revoked_at": now.to_rfc3339() }));
        self.ports.champions.revoke(id, now, audit).await
    }

    /// Takes back all certifications of a user that are not revoked yet. Fine if there is none.
    pub async fn revoke_champion(&self, actor: &Actor, user: UserId) -> Result<(), UserError> {
        actor.require(Permission::CertificationManage, Scope::Platform)?;
        let now = self.now();
        // What was revoked is told by the time: all of it bears this one.
        let audit = actor
            .audit(self.ports.ids.next(), now, "champion.revoke", None, AuditSubject::User(user))
            .after(json!({ "revoked_at": now.to_rfc3339() }));
        self.ports.champions.revoke_of_user(user, now, audit).await
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, OrgId, StaffRole};
    use uuid::Uuid;

    use super::*;
    use crate::tests::{Fixture, a_user};

    const ID: ChampionCertificationId = ChampionCertificationId::new(Uuid::from_u128(7));

    #[tokio::test]
    async fn a_staff_admin_revokes_one_or_all_of_a_person() {
        let admin = staff(StaffRole::Admin);
        let mut fixture = Fixture::default();
        fixture
            .champions
            .expect_revoke()
            .withf(|id, _, audit| *id == ID && audit.subject == AuditSubject::ChampionCertification(ID))
            .return_once(|_, _, _| Ok(()));
        fixture
            .champions
            .expect_revoke_of_user()
            .withf(|user, _, audit| *user == a_user().id && audit.subject == AuditSubject::User(*user))
            .return_once(|_, _, _| Ok(()));
        let service = fixture.service();
        assert!(service.revoke_champion_certification(&admin, ID).await.is_ok());
        assert!(service.revoke_champion(&admin, a_user().id).await.is_ok());
    }

    #[tokio::test]
    async fn nobody_else_may() {
        let organization = OrgId::new(Uuid::from_u128(1));
        for (actor, code) in
            [(staff(StaffRole::Employee), "forbidden"), (member_of(organization, true), "staff_only")]
        {
            let service = Fixture::default().service();
            let refused = service.revoke_champion_certification(&actor, ID).await;
            assert_eq!(refused.expect_err("refused").code(), code);
            let refused = service.revoke_champion(&actor, a_user().id).await;
            assert_eq!(refused.expect_err("refused").code(), code);
        }
    }
}
