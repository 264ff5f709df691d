use domain_kernel::{PersonName, StaffRole, UserId};

use crate::{Password, Provider, User, UserError, UserService, Username};

/// What is needed to make a staff member from the command line.
#[derive(Debug, Clone)]
pub struct CreateStaffMember {
    /// The sign-in name.
    pub username: Username,
    /// What kind of name it is.
    pub provider: Provider,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// The password.
    pub password: Password,
    /// What they may do.
    pub role: StaffRole,
    /// Whether to refuse when there is a staff admin already.
    pub only_first: bool,
}

impl UserService {
    /// Makes a staff member. For the operator's command line: whoever can run it has the database anyway, so there is no
    /// actor to ask for a permission.
    pub async fn create_staff_member(&self, command: CreateStaffMember) -> Result<User, UserError> {
        let password_hash = self.ports.hasher.hash(command.password).await?;
        let id = UserId::new(self.ports.ids.next());
        let names = (command.first_name, command.last_name);
        let mut user = User::new(id, (command.username, command.provider), names, self.now());
        user.staff_role = Some(command.role);
        self.ports.users.insert_staff(user.clone(), password_hash, command.only_first).await?;
        Ok(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Fixture;

    #[tokio::test]
    async fn the_new_person_has_the_role() {
        let mut fixture = Fixture::default();
        fixture
            .users
            .expect_insert_staff()
            .withf(|user, _, only_first| user.staff_role == Some(StaffRole::Admin) && *only_first)
            .return_once(|_, _, _| Ok(()));
        let command = CreateStaffMember {
            username: Username::parse("first-admin", Provider::Username).expect("a name"),
            provider: Provider::Username,
            first_name: PersonName::parse("First").expect("a name"),
            last_name: PersonName::parse("Admin").expect("a name"),
            password: Password::parse("worklete123").expect("a password"),
            role: StaffRole::Admin,
            only_first: true,
        };
        assert!(fixture.hashing().service().create_staff_member(command).await.is_ok());
    }
}
