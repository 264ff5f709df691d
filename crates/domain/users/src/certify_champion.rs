use chrono::NaiveDate;
use domain_kernel::{Actor, AuditSubject, ChampionCertificationId, Permission, Scope, UserId};
use serde_json::json;

use crate::{ChampionCertification, UserError, UserService};

/// What is needed to certify a champion.
#[derive(Debug, Clone, Copy)]
pub struct CertifyChampion {
    /// Who is certified.
    pub user: UserId,
    /// Since when.
    pub date: NaiveDate,
}

/// What became of a certification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certified {
    /// It is new.
    Created(ChampionCertification),
    /// The user has one of that day already, maybe revoked.
    AlreadyThere(ChampionCertification),
}

impl UserService {
    /// Certifies a user as champion. Doing it again for the same day changes nothing, also when it was revoked meanwhile:
    /// history stays.
    pub async fn certify_champion(
        &self,
        actor: &Actor,
        command: CertifyChampion,
    ) -> Result<Certified, UserError> {
        actor.require(Permission::CertificationManage, Scope::Platform)?;
        let (id, now) = (ChampionCertificationId::new(self.ports.ids.next()), self.now());
        let lifespan = self.policy.certification_lifespan;
        let certification =
            ChampionCertification::new(id, (command.user, command.date), lifespan, actor.user, now)?;
        let subject = AuditSubject::ChampionCertification(id);
        let audit = actor.audit(self.ports.ids.next(), now, "champion.certify", None, subject).after(json!({
            "user_id": command.user.to_string(),
            "date": certification.date.to_string(),
            "expires_on": certification.expires_on.to_string(),
        }));
        self.ports.champions.insert(certification, audit).await
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{Clock, DomainError, OrgId, StaffRole};
    use uuid::Uuid;

    use super::*;
    use crate::tests::{Fixture, a_user};

    fn command(fixture: &Fixture, days: i64) -> CertifyChampion {
        CertifyChampion { user: a_user().id, date: fixture.clock.now().date_naive() + TimeDelta::days(days) }
    }

    #[tokio::test]
    async fn a_staff_admin_certifies_for_as_long_as_the_policy_says() {
        let mut fixture = Fixture::default();
        fixture.policy.certification_lifespan = TimeDelta::days(10);
        let command = command(&fixture, -1);
        fixture
            .champions
            .expect_insert()
            .withf(|_, audit| audit.action == "champion.certify")
            .return_once(|certification, _| Ok(Certified::Created(certification)));
        let certified = fixture.service().certify_champion(&staff(StaffRole::Admin), command).await;
        let Ok(Certified::Created(made)) = certified else { panic!("{certified:?}") };
        assert_eq!((made.user, made.date, made.revoked_at), (command.user, command.date, None));
        assert_eq!(made.expires_on, command.date + TimeDelta::days(10));
        assert_eq!(made.created_by, staff(StaffRole::Admin).user);
    }

    #[tokio::test]
    async fn a_day_to_come_is_refused() {
        let fixture = Fixture::default();
        let command = command(&fixture, 1);
        let refused = fixture.service().certify_champion(&staff(StaffRole::Admin), command).await;
        assert_eq!(refused.expect_err("refused").code(), "validation_failed");
    }

    #[tokio::test]
    async fn nobody_else_may() {
        let organization = OrgId::new(Uuid::from_u128(1));
        for (actor, code) in
            [(staff(StaffRole::Employee), "forbidden"), (member_of(organization, true), "staff_only")]
        {
            let fixture = Fixture::default();
            let command = command(&fixture, 0);
            let refused = fixture.service().certify_champion(&actor, command).await;
            assert_eq!(refused.expect_err("refused").code(), code);
        }
    }
}
