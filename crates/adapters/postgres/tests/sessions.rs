//! Contract tests of `SessionRepository`.

mod common;

use adapter_postgres::testing::TestDatabase;
use chrono::TimeDelta;
use domain_kernel::{SessionId, StaffRole, UserId};
use domain_users::{Account, ClientId, Device, FormerUid, Session, TokenState, User, UserError};

use crate::common::{
    Ports, a_membership, a_registration, a_reset, a_session, a_user, all_at_once, at, brief_of, code, count,
    everything, next_id, token, tokens,
};

async fn found(ports: &Ports, session: &Session) -> Option<Session> {
    let found = ports.sessions.find(&session.client).await.expect("looked up");
    found.map(|(session, _)| session)
}

// --- find --------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_session_is_found_with_the_whole_account() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let staff = ports.given_staff().await;
    let north = ports.given_organization(staff, "North").await;
    let south = ports.given_organization(staff, "South").await;
    let mut teams = Vec::new();
    for name in ["Day shift", "Night shift", "Dissolved"] {
        teams.push(ports.given_team(staff, north, name).await);
    }
    let mut older = a_membership(staff, south, "SOUTH2");
    older.membership.created_at = at(15);
    older.membership.job_title = None;
    let older = ports.given_membership(older).await.membership;
    let mut newer = a_membership(staff, north, "NORTH2");
    newer.membership.org_admin = true;
    newer.membership.teams.clone_from(&teams);
    newer.membership.administered_teams = vec![teams[1], teams[2]];
    let newer = ports.given_membership(newer).await.membership;
    db.execute("UPDATE teams SET deleted_at = now() WHERE name = 'Dissolved'");

    let user = User {
        staff_role: Some(StaffRole::Employee),
        former_uid: Some(FormerUid { uid: "Old.Name".into(), changed_at: at(4) }),
        ..a_user("zoe@example.org")
    };
    let registration = a_registration(&user, Some("NORTH2"));
    let session = registration.session.clone();
    ports.users.register(registration).await.expect("the code is good");
    ports.memberships.accept(&code("SOUTH2"), user.id, at(30)).await.expect("accepts");

    let mut in_north = brief_of(&newer, "North");
    in_north.teams = teams[..2].to_vec();
    in_north.administered_teams = vec![teams[1]];
    let expected = Account { user, memberships: vec![brief_of(&older, "South"), in_north] };
    let found = ports.sessions.find(&session.client).await.expect("looked up");
    assert_eq!(found, Some((session, expected)), "memberships oldest first, without dissolved teams");
}

#[tokio::test]
async fn a_session_without_optional_values_is_found_whole() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("forklift-fan").await;
    let plain = Session {
        tokens: TokenState { current: token(), next: None, previous: None },
        device: Device::default(),
        ..a_session(user.id, at(11))
    };
    let with_ipv6 = Session {
        device: Device { user_agent: None, ip: "2001:db8::7".parse().ok() },
        ..a_session(user.id, at(12))
    };
    for session in [plain, with_ipv6] {
        let account = ports.sessions.open(session.clone(), 10).await.expect("opens");
        let found = ports.sessions.find(&session.client).await.expect("looked up");
        assert_eq!(found, Some((session, account)));
    }
}

#[tokio::test]
async fn finding_a_session_is_exactly_one_statement() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (_, session) = ports.given_user("forklift-fan").await;
    let load = ports.pg.load();
    for known in [&session.client, &ClientId::parse("unknown").expect("a client")] {
        for _ in 0..3 {
            let before = load.statements();
            ports.sessions.find(known).await.expect("looked up");
            assert_eq!(load.statements() - before, 1);
        }
    }
}

#[tokio::test]
async fn finding_a_session_is_one_statement_on_a_fresh_connection_too() {
    let db = TestDatabase::create();
    let (_, session) = Ports::over(&db).given_user("forklift-fan").await;
    let fresh = Ports::over(&db);
    let load = fresh.pg.load();
    fresh.sessions.find(&session.client).await.expect("looked up");
    assert_eq!(load.statements(), 1);
}

#[tokio::test]
async fn sessions_that_have_ended_are_found_and_unknown_ones_are_none() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("forklift-fan").await;
    let ended = Session { expires_at: at(11), absolute_expires_at: at(11), ..a_session(user.id, at(11)) };
    ports.sessions.open(ended.clone(), 10).await.expect("opens");
    assert_eq!(found(&ports, &ended).await, Some(ended));
    let unknown = a_session(user.id, at(11));
    assert_eq!(found(&ports, &unknown).await, None);
}

#[tokio::test]
async fn a_client_id_is_found_in_its_own_case_only() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("forklift-fan").await;
    let session =
        Session { client: ClientId::parse("AbC-1").expect("a client"), ..a_session(user.id, at(11)) };
    ports.sessions.open(session.clone(), 10).await.expect("opens");
    let other_case = ClientId::parse("aBc-1").expect("a client");
    assert_eq!(ports.sessions.find(&other_case).await.expect("looked up"), None);
    assert_eq!(found(&ports, &session).await, Some(session));
}

// --- open --------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn opening_adds_the_session_and_notes_the_sign_in() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, first) = ports.given_user("forklift-fan").await;
    let (other, of_another) = ports.given_user("somebody-else").await;
    let session = a_session(user.id, at(40));
    let account = ports.sessions.open(session.clone(), 10).await.expect("opens");
    let expected = Account { user: User { last_sign_in_at: Some(at(40)), ..user }, memberships: vec![] };
    assert_eq!(account, expected);
    let read = ports.sessions.find(&session.client).await.expect("looked up");
    assert_eq!(read, Some((session, expected)));
    assert_eq!(found(&ports, &first).await, Some(first));
    assert_eq!(ports.account_of(&of_another).await.user, other);
}

#[tokio::test]
async fn the_longest_unused_other_sessions_go_until_the_limit_is_met() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, oldest_but_used) = ports.given_user("forklift-fan").await;
    let (_, of_another) = ports.given_user("somebody-else").await;
    let mut sessions = Vec::new();
    for minute in [11, 12, 13] {
        let session = a_session(user.id, at(minute));
        ports.sessions.open(session.clone(), 10).await.expect("opens");
        sessions.push(session);
    }
    ports.sessions.touch(oldest_but_used.id, at(50), oldest_but_used.expires_at).await.expect("touches");
    let new = a_session(user.id, at(51));
    ports.sessions.open(new.clone(), 3).await.expect("opens");
    assert!(found(&ports, &new).await.is_some());
    assert!(found(&ports, &oldest_but_used).await.is_some(), "it was used a minute ago");
    assert!(found(&ports, &sessions[2]).await.is_some());
    assert!(found(&ports, &sessions[1]).await.is_none());
    assert!(found(&ports, &sessions[0]).await.is_none());
    assert!(found(&ports, &of_another).await.is_some(), "limits are per user");
}

#[tokio::test]
async fn the_session_just_made_is_never_removed() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("forklift-fan").await;
    ports.sessions.open(a_session(user.id, at(50)), 10).await.expect("opens");
    for limit in [2, 1, 0] {
        let backdated = a_session(user.id, at(-1000 - i64::from(limit)));
        ports.sessions.open(backdated.clone(), limit).await.expect("opens");
        assert_eq!(found(&ports, &backdated).await, Some(backdated), "limit {limit}");
        assert_eq!(count(&db, "sessions"), usize::try_from(limit.max(1)).expect("small"), "limit {limit}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_of_one_user_at_once_count_each_other() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, _) = ports.given_user("forklift-fan").await;
    let opens = (0..8).map(|n| {
        let (ports, session) = (ports.clone(), a_session(user.id, at(20 + n)));
        async move { ports.sessions.open(session, 3).await.expect("opens") }
    });
    all_at_once(opens).await;
    assert_eq!(count(&db, "sessions"), 3);
}

#[tokio::test]
async fn somebody_locked_deleted_or_unknown_opens_no_session_and_nothing_is_written() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (locked, _) = ports.given_user("locked-one").await;
    let (deleted, _) = ports.given_user("deleted-one").await;
    db.execute("UPDATE users SET locked_at = now() WHERE username = 'locked-one'");
    ports.users.delete(deleted.id, at(30)).await.expect("deletes");
    let before = everything(&db);
    for id in [locked.id, deleted.id, UserId::new(next_id())] {
        let refused = ports.sessions.open(a_session(id, at(40)), 1).await;
        assert!(matches!(refused, Err(UserError::InvalidCredentials)), "{refused:?}");
        assert_eq!(everything(&db), before);
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_added_ends_no_other_and_notes_no_sign_in() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, first) = ports.given_user("forklift-fan").await;
    let before = everything(&db);
    let clash = Session { client: first.client, ..a_session(user.id, at(40)) };
    let failed = ports.sessions.open(clash, 1).await;
    assert!(matches!(failed, Err(UserError::Storage(_))), "{failed:?}");
    assert_eq!(everything(&db), before);
}

// --- touch, rotate, delete ---------------------------------------------------------------------------------------

#[tokio::test]
async fn a_touch_notes_the_use_and_the_new_end_of_this_session_only() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, first) = ports.given_user("forklift-fan").await;
    let other = a_session(user.id, at(11));
    ports.sessions.open(other.clone(), 10).await.expect("opens");
    let end = first.expires_at + TimeDelta::days(3);
    ports.sessions.touch(first.id, at(60), end).await.expect("touches");
    let expected = Session { last_used_at: at(60), expires_at: end, ..first.clone() };
    assert_eq!(found(&ports, &first).await, Some(expected));
    assert_eq!(found(&ports, &other).await, Some(other));
}

#[tokio::test]
async fn a_touch_never_moves_the_end_back() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (_, session) = ports.given_user("forklift-fan").await;
    let earlier = session.expires_at - TimeDelta::seconds(1);
    ports.sessions.touch(session.id, at(60), earlier).await.expect("touches");
    let expected = Session { last_used_at: at(60), ..session.clone() };
    assert_eq!(found(&ports, &session).await, Some(expected.clone()));
    ports.sessions.touch(session.id, at(59), session.expires_at).await.expect("touches");
    assert_eq!(found(&ports, &session).await, Some(expected), "a late answer does not undo a later use");
}

#[tokio::test]
async fn touching_rotating_and_ending_a_session_that_has_gone_is_fine() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (_, session) = ports.given_user("forklift-fan").await;
    let before = everything(&db);
    let gone = SessionId::new(next_id());
    ports.sessions.touch(gone, at(60), at(99)).await.expect("fine");
    ports.sessions.rotate(gone, session.tokens.current, tokens(at(60))).await.expect("fine");
    ports.sessions.delete(gone).await.expect("fine");
    assert_eq!(everything(&db), before);
}

#[tokio::test]
async fn rotating_replaces_all_tokens_of_this_session_only() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, session) = ports.given_user("forklift-fan").await;
    let other = a_session(user.id, at(11));
    ports.sessions.open(other.clone(), 10).await.expect("opens");
    let only_current = TokenState { current: token(), next: None, previous: None };
    let mut current = session.tokens.current;
    for state in [tokens(at(61)), only_current, tokens(at(62))] {
        ports.sessions.rotate(session.id, current, state).await.expect("rotates");
        let expected = Session { tokens: state, ..session.clone() };
        assert_eq!(found(&ports, &session).await, Some(expected));
        current = state.current;
    }
    assert_eq!(found(&ports, &other).await, Some(other));
}

#[tokio::test]
async fn rotating_from_a_token_that_is_not_the_current_one_does_nothing() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (_, session) = ports.given_user("forklift-fan").await;
    let before = everything(&db);
    let next = session.tokens.next.expect("announced");
    let (previous, _) = session.tokens.previous.expect("still good");
    for wrong in [next, previous, token()] {
        ports.sessions.rotate(session.id, wrong, tokens(at(61))).await.expect("no error");
        assert_eq!(everything(&db), before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_rotations_from_one_token_exactly_one_is_stored() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (_, session) = ports.given_user("forklift-fan").await;
    let states: Vec<TokenState> = (0..6).map(|n| tokens(at(60 + n))).collect();
    let rotations = states.clone().into_iter().map(|state| {
        let (ports, current) = (ports.clone(), session.tokens.current);
        async move {
            ports.sessions.rotate(session.id, current, state).await.expect("no error");
        }
    });
    all_at_once(rotations).await;
    let stored = found(&ports, &session).await.expect("still there").tokens;
    assert_eq!(states.iter().filter(|state| **state == stored).count(), 1);
}

#[tokio::test]
async fn a_session_ends_once_and_ending_it_again_is_fine() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, session) = ports.given_user("forklift-fan").await;
    let other = a_session(user.id, at(11));
    ports.sessions.open(other.clone(), 10).await.expect("opens");
    for _ in 0..2 {
        ports.sessions.delete(session.id).await.expect("fine");
        assert_eq!(found(&ports, &session).await, None);
    }
    assert_eq!(found(&ports, &other).await, Some(other));
}

// --- purge -------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn sessions_and_reset_links_that_ended_before_the_time_are_removed() {
    let db = TestDatabase::create();
    let ports = Ports::over(&db);
    let (user, open) = ports.given_user("forklift-fan").await;
    let (other, _) = ports.given_user("somebody-else").await;
    let end = at(100);
    let mut sessions = Vec::new();
    for (owner, expires_at) in
        [(user.id, end - TimeDelta::microseconds(1)), (other.id, end - TimeDelta::days(1)), (user.id, end)]
    {
        let session = Session { expires_at, ..a_session(owner, at(11)) };
        ports.sessions.open(session.clone(), 10).await.expect("opens");
        sessions.push(session);
    }
    let mut resets = Vec::new();
    for expires_at in [end - TimeDelta::microseconds(1), end] {
        let mut reset = a_reset(user.id, at(12));
        reset.expires_at = expires_at;
        ports.resets.insert(reset.clone()).await.expect("inserts");
        resets.push(reset);
    }

    assert_eq!(ports.sessions.purge(end).await.expect("purges"), 2, "sessions only are counted");

    for (session, stays) in
        [(&sessions[0], false), (&sessions[1], false), (&sessions[2], true), (&open, true)]
    {
        assert_eq!(found(&ports, session).await, stays.then(|| session.clone()));
    }
    for (reset, stays) in [(&resets[0], false), (&resets[1], true)] {
        assert_eq!(ports.resets.find(&reset.token).await.expect("looked up").is_some(), stays);
    }
    assert_eq!(ports.sessions.purge(end).await.expect("purges"), 0);
}
