use domain_kernel::{Actor, AuditSubject, OrgId, Permission, Scope, TrainingCategoryId};
use serde_json::json;

use crate::{CategoryName, CourseError, CourseList, TrainingCategory, TrainingService};

/// What is needed to open a training category.
#[derive(Debug, Clone)]
pub struct CreateCategory {
    /// In which organization.
    pub organization: OrgId,
    /// Its name.
    pub name: CategoryName,
    /// Whether it is for everybody whose job title is in no category.
    pub is_default: bool,
}

impl TrainingService {
    /// Opens a category without job titles and courses. If it is the default one, the one that was is not any more.
    pub async fn create_category(
        &self,
        actor: &Actor,
        command: CreateCategory,
    ) -> Result<TrainingCategory, CourseError> {
        actor.require(Permission::TrainingManage, Scope::Organization(command.organization))?;
        let (id, now) = (TrainingCategoryId::new(self.ids.next()), self.clock.now());
        let category = TrainingCategory {
            id,
            organization: command.organization,
            name: command.name,
            job_titles: Vec::new(),
            courses: CourseList::default(),
            is_default: command.is_default,
            created_at: now,
            updated_at: now,
        };
        let subject = AuditSubject::TrainingCategory(id);
        let audit = actor
            .audit(self.ids.next(), now, "training_category.create", Some(category.organization), subject)
            .after(json!({ "name": category.name.as_str(), "is_default": category.is_default }));
        self.training.insert(category.clone(), audit).await?;
        Ok(category)
    }
}

#[cfg(test)]
mod tests {
    use domain_kernel::testing::{member_of, staff};
    use domain_kernel::{DomainError, ErrorKind, StaffRole};

    use super::*;
    use crate::training::tests::{Fixture, ORG};

    fn command() -> CreateCategory {
        CreateCategory {
            organization: ORG,
            name: CategoryName::parse("Drivers").expect("a name"),
            is_default: true,
        }
    }

    #[tokio::test]
    async fn a_staff_admin_opens_an_empty_category() {
        let mut fixture = Fixture::default();
        let expected = |category: &TrainingCategory, audit: &domain_kernel::AuditEntry| {
            audit.action == "training_category.create"
                && audit.subject == AuditSubject::TrainingCategory(category.id)
                && audit.organization == Some(ORG)
                && audit.after == Some(json!({ "name": "Drivers", "is_default": true }))
        };
        fixture.training.expect_insert().withf(expected).return_once(|_, _| Ok(()));
        let created = fixture.service().create_category(&staff(StaffRole::Admin), command()).await;
        let created = created.expect("opens");
        assert!(created.is_default && created.job_titles.is_empty() && created.courses.as_slice().is_empty());
        assert_eq!(created.created_at, created.updated_at);
    }

    #[tokio::test]
    async fn nobody_else_does() {
        for actor in [staff(StaffRole::Employee), member_of(ORG, true)] {
            let refused = Fixture::default().service().create_category(&actor, command()).await;
            assert_eq!(refused.expect_err("refused").kind(), ErrorKind::Forbidden);
        }
    }
}
