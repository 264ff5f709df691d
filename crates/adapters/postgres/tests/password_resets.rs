//! Contract tests of `PasswordResetRepository`, and of new passwords by reset links.

mod common;

use adapter_postgres::testing::TestDatabase;
use domain_kernel::PasswordResetId;
use domain_users::ports::{PasswordGround, PasswordUpdate};
use domain_users::{Account, PasswordReset, Session, User, UserError};

use crate::common::{
    Ports, a_reset, a_session, all_at_once, at, count, everything, hash, login, next_id, token,
};

fn by_reset(reset: &PasswordReset, session: &Session) -> PasswordUpdate {
    PasswordUpdate {
        user: reset.user,
        password_hash: hash("second hash"),
        at: session.created_at,
        ground: PasswordGround::Reset(reset.id, session.clone()),
    }
}

#[tokio::test]
async fn a_request_is_read_back_whole_by_its_token() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("zoe@example.org").await;
    let reset = a_reset(user.id, at(20));
    ports.resets.insert(reset.clone()).await.expect("inserts");
    assert_eq!(ports.resets.find(&reset.token).await.expect("looked up"), Some(reset));
    assert_eq!(ports.resets.find(&token()).await.expect("looked up"), None);
}

#[tokio::test]
async fn used_and_expired_requests_are_found_too() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("zoe@example.org").await;
    let spent = PasswordReset { used_at: Some(at(21)), ..a_reset(user.id, at(20)) };
    let expired = PasswordReset { expires_at: at(20), ..a_reset(user.id, at(20)) };
    for reset in [spent, expired] {
        ports.resets.insert(reset.clone()).await.expect("inserts");
        assert_eq!(ports.resets.find(&reset.token).await.expect("looked up"), Some(reset));
    }
}

#[tokio::test]
async fn a_new_request_ends_the_earlier_ones_of_the_same_user() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("zoe@example.org").await;
    let (other, _) = ports.given_user("somebody-else").await;
    let spent = PasswordReset { used_at: Some(at(19)), ..a_reset(user.id, at(18)) };
    let earlier = a_reset(user.id, at(20));
    let of_another = a_reset(other.id, at(20));
    let newest = a_reset(user.id, at(25));
    for reset in [&spent, &earlier, &of_another, &newest] {
        ports.resets.insert(reset.clone()).await.expect("inserts");
    }
    let ended = PasswordReset { used_at: Some(at(25)), ..earlier };
    for expected in [spent, ended.clone(), of_another, newest] {
        let found = ports.resets.find(&expected.token).await.expect("looked up");
        assert_eq!(found, Some(expected));
    }
    let refused = ports.users.update_password(by_reset(&ended, &a_session(user.id, at(26)))).await;
    assert!(matches!(refused, Err(UserError::ResetTokenNotUsable)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_requests_made_at_once_exactly_one_works() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("zoe@example.org").await;
    for round in 0..5 {
        let inserts = (0..6).map(|_| {
            let (ports, reset) = (ports.clone(), a_reset(user.id, at(20 + round)));
            async move { ports.resets.insert(reset).await.expect("inserts") }
        });
        all_at_once(inserts).await;
        assert_eq!(count(&db, "password_resets WHERE used_at IS NULL"), 1);
    }
}

#[tokio::test]
async fn a_reset_stores_the_password_uses_the_link_up_and_leaves_only_the_new_session() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, first) = ports.given_user("zoe@example.org").await;
    let (_, of_another) = ports.given_user("somebody-else").await;
    ports.sessions.open(a_session(user.id, at(11)), 10).await.expect("opens");
    let reset = a_reset(user.id, at(20));
    ports.resets.insert(reset.clone()).await.expect("inserts");

    let session = a_session(user.id, at(30));
    let account = ports.users.update_password(by_reset(&reset, &session)).await.expect("the link is good");

    let expected = Account {
        user: User {
            must_change_password: false,
            last_sign_in_at: Some(at(11)),
            updated_at: at(30),
            ..user.clone()
        },
        memberships: vec![],
    };
    assert_eq!(account, expected);
    let found = ports.sessions.find(&session.client).await.expect("looked up");
    assert_eq!(found, Some((session, expected)));
    assert_eq!(ports.sessions.find(&first.client).await.expect("looked up"), None);
    assert_eq!(count(&db, &format!("sessions WHERE user_id = '{}'", user.id)), 1);
    assert!(ports.sessions.find(&of_another.client).await.expect("looked up").is_some());
    let stored = ports.users.find_credentials(&login("zoe@example.org")).await.expect("looked up");
    assert_eq!(stored.expect("there").password_hash, Some(hash("second hash")));
    let spent = PasswordReset { used_at: Some(at(30)), ..reset };
    assert_eq!(ports.resets.find(&spent.token).await.expect("looked up"), Some(spent));
}

#[tokio::test]
async fn a_link_works_once() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("zoe@example.org").await;
    let reset = a_reset(user.id, at(20));
    ports.resets.insert(reset.clone()).await.expect("inserts");
    ports
        .users
        .update_password(by_reset(&reset, &a_session(user.id, at(30))))
        .await
        .expect("the link is good");
    let before = everything(&db);
    let refused = ports.users.update_password(by_reset(&reset, &a_session(user.id, at(31)))).await;
    assert!(matches!(refused, Err(UserError::ResetTokenNotUsable)), "{refused:?}");
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn an_expired_or_unknown_link_changes_nothing() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("zoe@example.org").await;
    let reset = a_reset(user.id, at(20));
    ports.resets.insert(reset.clone()).await.expect("inserts");
    let unknown = PasswordReset { id: PasswordResetId::new(next_id()), ..reset.clone() };
    let before = everything(&db);
    for (reset, minute) in [(&reset, 80), (&unknown, 30)] {
        let refused = ports.users.update_password(by_reset(reset, &a_session(user.id, at(minute)))).await;
        assert!(matches!(refused, Err(UserError::ResetTokenNotUsable)), "{refused:?}");
        assert_eq!(everything(&db), before);
    }
}

#[tokio::test]
async fn the_link_of_somebody_who_was_locked_or_deleted_meanwhile_changes_nothing() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    for name in ["locked@example.org", "deleted@example.org"] {
        let (user, _) = ports.given_user(name).await;
        let reset = a_reset(user.id, at(20));
        ports.resets.insert(reset.clone()).await.expect("inserts");
        if name == "locked@example.org" {
            db.execute("UPDATE users SET locked_at = now()");
        } else {
            ports.users.delete(user.id, at(25)).await.expect("deletes");
        }
        let before = everything(&db);
        let refused = ports.users.update_password(by_reset(&reset, &a_session(user.id, at(30)))).await;
        assert!(matches!(refused, Err(UserError::ResetTokenNotUsable)), "{name}: {refused:?}");
        assert_eq!(everything(&db), before, "{name}");
    }
}

#[tokio::test]
async fn an_update_of_the_account_can_use_a_link_as_well() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, first) = ports.given_user("zoe@example.org").await;
    let reset = a_reset(user.id, at(20));
    ports.resets.insert(reset.clone()).await.expect("inserts");
    let edit = |code: &'static str| common::own(move |user| user.language = common::language(code));
    let session = a_session(user.id, at(30));
    let update = by_reset(&reset, &session);
    let updated = ports.users.update(user.id, edit("es"), Some(update)).await.expect("the link is good");
    let (account, _) = updated.expect("there is such a user");
    assert_eq!((account.user.language.as_str(), account.user.must_change_password), ("es", false));
    assert_eq!(ports.account_of(&session).await, account);
    assert_eq!(ports.sessions.find(&first.client).await.expect("looked up"), None);
    let before = everything(&db);
    let again = by_reset(&reset, &a_session(user.id, at(31)));
    let refused = ports.users.update(user.id, edit("fr"), Some(again)).await;
    assert!(matches!(refused, Err(UserError::ResetTokenNotUsable)), "{refused:?}");
    assert_eq!(everything(&db), before, "the edit is rolled back, too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_uses_of_a_link_at_once_exactly_one_wins() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("zoe@example.org").await;
    for round in 0..5 {
        let reset = a_reset(user.id, at(20 + round));
        ports.resets.insert(reset.clone()).await.expect("inserts");
        let attempts = [1, 2].map(|_| {
            let (ports, session) = (ports.clone(), a_session(user.id, at(30 + round)));
            let update = by_reset(&reset, &session);
            async move { (session, ports.users.update_password(update).await) }
        });
        let results = all_at_once(attempts).await;
        assert_eq!(results.iter().filter(|(_, result)| result.is_ok()).count(), 1, "{results:?}");
        for (session, result) in &results {
            let is_refused = matches!(result, Err(UserError::ResetTokenNotUsable));
            assert!(result.is_ok() || is_refused, "{result:?}");
            let found = ports.sessions.find(&session.client).await.expect("looked up");
            assert_eq!(found.is_some(), result.is_ok());
        }
        assert_eq!(count(&db, "sessions"), 1);
    }
}
