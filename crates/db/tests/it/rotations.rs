use diamond_db::{
    Activation, Begun, Db, DrainRow, NewRotation, RotationCause, RotationChange, RotationRow,
    RotationState, VersionChange, key_versions, rotations, system,
};
use diamond_domain::{NodeId, RotationId, VersionState};

use crate::support::{Place, at, key, name, tenant_id, version, with_two_tenants};

const SECRET: &str = "ai-openai-coaching";

on_both!(
    of_many_that_begin_one_is_under_way,
    a_rotation_is_taken_by_one_and_changed_by_who_holds_it,
    a_step_changes_its_versions_or_nothing,
    the_end_of_a_drain_ends_the_rotation_and_the_key_at_its_provider,
    a_key_that_a_person_brings_ends_the_wait,
    a_stranger_sees_no_rotation,
    old_keys_are_found_once,
);

fn new(second: i64) -> NewRotation {
    NewRotation {
        id: RotationId::generate(at(second)),
        secret: name(SECRET),
        cause: RotationCause::Requested,
        former: Some(version(1)),
        requested_by: None,
    }
}

async fn begun(db: &Db, second: i64) -> Begun {
    let coaching = tenant_id("coaching");
    rotations::begin(db, &coaching, &new(second), at(second))
        .await
        .unwrap()
}

async fn take(db: &Db, node: u128, now: i64, until: i64) -> Vec<RotationRow> {
    let node = NodeId::from_bits(node);
    system::take_due_rotations(db, node, at(now), at(until), 10)
        .await
        .unwrap()
}

async fn of_many_that_begin_one_is_under_way(place: &Place) {
    let db = with_two_tenants(place).await;
    let together = futures_util::future::join_all((0..8).map(|_| begun(&db, 5))).await;
    let begun_now = together
        .iter()
        .filter(|begun| matches!(begun, Begun::New(_)));
    assert_eq!(begun_now.count(), 1);
    let ids: std::collections::HashSet<_> = together
        .into_iter()
        .map(|begun| begun.into_row().id)
        .collect();
    assert_eq!(ids.len(), 1);
}

async fn a_rotation_is_taken_by_one_and_changed_by_who_holds_it(place: &Place) {
    let db = with_two_tenants(place).await;
    begun(&db, 5).await;
    assert!(take(&db, 1, 4, 60).await.is_empty(), "not due yet");
    let [mut first] = take(&db, 1, 5, 60).await.try_into().unwrap();
    assert!(take(&db, 2, 6, 60).await.is_empty(), "held");
    assert_eq!(system::next_rotation_at(&db).await.unwrap(), Some(at(60)));
    // Its time is over: somebody else goes on, and the first may change nothing any more.
    let [mut second] = take(&db, 2, 60, 90).await.try_into().unwrap();
    first.attempt = 7;
    assert!(!system::save_rotation(&db, &first).await.unwrap());
    second.attempt = 1;
    second.held_by = None;
    assert!(system::save_rotation(&db, &second).await.unwrap());
    let [third] = take(&db, 3, 61, 90).await.try_into().unwrap();
    assert_eq!(third.attempt, 1);
    system::release_rotations(&db, NodeId::from_bits(3))
        .await
        .unwrap();
    assert!(!system::save_rotation(&db, &third).await.unwrap());
    assert_eq!(take(&db, 4, 61, 90).await.len(), 1);
}

async fn a_step_changes_its_versions_or_nothing(place: &Place) {
    let db = with_two_tenants(place).await;
    key_versions::activate(&db, &key(SECRET, 1)).await.unwrap();
    begun(&db, 5).await;
    let [mut row] = take(&db, 1, 5, 60).await.try_into().unwrap();
    let entered = key(SECRET, 2);
    row.state = RotationState::Created;
    row.version = Some(version(2));
    let enter = |row| RotationChange {
        row,
        version: VersionChange::Enter(&entered),
        ending: None,
    };
    let mut stale = row.clone();
    stale.fence -= 1;
    let nothing = rotations::commit(&db, enter(&stale), at(6)).await.unwrap();
    assert_eq!(nothing, None);
    let states = async || {
        let versions = system::load_key_versions_of(&db, &name(SECRET)).await;
        versions
            .unwrap()
            .iter()
            .map(|row| row.state)
            .collect::<Vec<_>>()
    };
    assert_eq!(states().await, [VersionState::Active]);
    rotations::commit(&db, enter(&row), at(6))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        states().await,
        [VersionState::Active, VersionState::Pending]
    );
    row.state = RotationState::Draining;
    let promote = RotationChange {
        row: &row,
        version: VersionChange::Activate(&entered),
        ending: None,
    };
    let done = rotations::commit(&db, promote, at(7)).await.unwrap();
    let former = Some(version(1));
    assert_eq!(done, Some(Some(Activation::Activated { former })));
    assert_eq!(
        states().await,
        [VersionState::Retiring, VersionState::Active]
    );
}

async fn the_end_of_a_drain_ends_the_rotation_and_the_key_at_its_provider(place: &Place) {
    let db = with_two_tenants(place).await;
    // Version 2 of the test's keys was made at its provider.
    key_versions::activate(&db, &key(SECRET, 2)).await.unwrap();
    begun(&db, 5).await;
    let [mut row] = take(&db, 1, 5, 60).await.try_into().unwrap();
    row.state = RotationState::Draining;
    row.former = Some(version(2));
    row.next_at = None;
    let newer = key(SECRET, 3);
    let promote = RotationChange {
        row: &row,
        version: VersionChange::Activate(&newer),
        ending: None,
    };
    rotations::commit(&db, promote, at(7))
        .await
        .unwrap()
        .unwrap();
    let word = DrainRow {
        node: NodeId::from_bits(9),
        at: at(8),
        leased_until: Some(at(30)),
    };
    let secret = name(SECRET);
    for number in [2, 3] {
        system::note_drain(&db, &secret, version(number), &word)
            .await
            .unwrap();
    }
    let [retiring] = system::retiring_keys(&db, 10)
        .await
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(retiring.key.version, version(2));
    assert_eq!(retiring.drains, [word]);
    let end = async |number| {
        system::end_retiring(&db, &secret, version(number), at(31), None)
            .await
            .unwrap()
    };
    assert!(!end(3).await, "it does not retire");
    assert!(end(2).await);
    assert!(!end(2).await);
    let row = system::get_rotation(&db, row.id).await.unwrap().unwrap();
    assert_eq!(row.state, RotationState::Revoked);
    assert_eq!(row.ended_at, Some(at(31)));
    let [mut work] = system::take_provider_revocations(&db, at(31), at(60), 5)
        .await
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(work.work.key_id.as_deref(), Some("key_abc"));
    assert_eq!(work.work.admin, name("ai-openai-admin"));
    assert!(
        system::take_provider_revocations(&db, at(32), at(60), 5)
            .await
            .unwrap()
            .is_empty()
    );
    work.done_at = Some(at(33));
    work.next_at = None;
    system::save_provider_revocation(&db, &work).await.unwrap();
    assert_eq!(
        system::next_provider_revocation_at(&db).await.unwrap(),
        None
    );
}

async fn a_key_that_a_person_brings_ends_the_wait(place: &Place) {
    let db = with_two_tenants(place).await;
    key_versions::activate(&db, &key(SECRET, 1)).await.unwrap();
    let id = begun(&db, 5).await.into_row().id;
    key_versions::activate(&db, &key(SECRET, 2)).await.unwrap();
    let (coaching, secret) = (tenant_id("coaching"), name(SECRET));
    let supplied = rotations::supplied(&db, &coaching, &secret, version(2), at(9));
    assert!(supplied.await.unwrap());
    let row = rotations::get(&db, &coaching, id).await.unwrap().unwrap();
    assert_eq!((row.state, row.next_at), (RotationState::Draining, None));
    assert!(
        system::end_retiring(&db, &secret, version(1), at(10), None)
            .await
            .unwrap()
    );
    let row = rotations::get(&db, &coaching, id).await.unwrap().unwrap();
    assert_eq!(row.state, RotationState::Revoked);
    let again = rotations::supplied(&db, &coaching, &secret, version(3), at(11));
    assert!(!again.await.unwrap());
}

async fn a_stranger_sees_no_rotation(place: &Place) {
    let db = with_two_tenants(place).await;
    let id = begun(&db, 5).await.into_row().id;
    let (coaching, stranger) = (tenant_id("coaching"), tenant_id("zaxon"));
    assert!(rotations::get(&db, &coaching, id).await.unwrap().is_some());
    assert!(rotations::get(&db, &stranger, id).await.unwrap().is_none());
    let list = async |tenant| rotations::list(&db, tenant, None, None, 10).await.unwrap();
    assert_eq!(list(&coaching).await.len(), 1);
    assert!(list(&stranger).await.is_empty());
    assert!(
        rotations::begin(&db, &stranger, &new(6), at(6))
            .await
            .is_err()
    );
}

async fn old_keys_are_found_once(place: &Place) {
    let db = with_two_tenants(place).await;
    key_versions::activate(&db, &key(SECRET, 1)).await.unwrap();
    let found = async |before| {
        let ending = at(0);
        system::keys_to_rotate(&db, at(before), ending, 10)
            .await
            .unwrap()
            .len()
    };
    assert_eq!(found(1).await, 0, "not older than that");
    assert_eq!(found(2).await, 1);
    begun(&db, 5).await;
    assert_eq!(found(2).await, 0, "it is being rotated");
}
