use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use diamond_db::{ChangeSubject, key_versions, system, tenants, tokens};

use crate::support::{Place, at, key, name, open, tenant, tenant_id, token, version};

on_both!(
    each_change_is_entered_once_and_in_order,
    what_changed_nothing_enters_nothing,
    concurrent_writers_leave_no_gap_and_nothing_appears_behind_a_reader,
);

async fn each_change_is_entered_once_and_in_order(place: &Place) {
    let db = open(place).await;
    assert_eq!(system::last_change(&db).await.unwrap(), 0);
    let zaxon = tenant("zaxon");
    let token = token(Some("zaxon"), 1);
    let key = key("ai-openai-zaxon", 1);
    tenants::create(&db, &zaxon).await.unwrap();
    tokens::insert(&db, &token).await.unwrap();
    key_versions::activate(&db, &key).await.unwrap();
    tenants::update(&db, &zaxon, zaxon.updated_at)
        .await
        .unwrap();
    tokens::revoke(&db, Some(&zaxon.id), token.id, at(2))
        .await
        .unwrap();
    key_versions::revoke(&db, &zaxon.id, &key.name, version(1), at(3))
        .await
        .unwrap();
    let tenant = ChangeSubject::Tenant(zaxon.id);
    let token = ChangeSubject::Token(token.id);
    let key = ChangeSubject::Key(key.name);
    let expected = [
        (1, tenant.clone()),
        (2, token.clone()),
        (3, key.clone()),
        (4, tenant),
        (5, token),
        (6, key),
    ];
    let mut seen = Vec::new();
    let mut after = 0;
    while let page = system::changes_after(&db, after, 4).await.unwrap()
        && let Some(last) = page.last()
    {
        after = last.sequence;
        seen.extend(
            page.into_iter()
                .map(|change| (change.sequence, change.subject)),
        );
    }
    assert_eq!(seen, expected);
    assert_eq!(system::last_change(&db).await.unwrap(), 6);
}

async fn what_changed_nothing_enters_nothing(place: &Place) {
    let db = open(place).await;
    let zaxon = tenant("zaxon");
    tenants::create(&db, &zaxon).await.unwrap();
    tenants::create(&db, &zaxon).await.unwrap();
    let absent = tenant("nobody");
    tenants::update(&db, &absent, absent.updated_at)
        .await
        .unwrap();
    let nobody = token(None, 1);
    tokens::revoke(&db, None, nobody.id, at(1)).await.unwrap();
    let secret = name("ai-openai-zaxon");
    key_versions::revoke(&db, &zaxon.id, &secret, version(1), at(1))
        .await
        .unwrap();
    // Fails inside the transaction, after the head was held.
    tokens::insert(&db, &token(Some("nobody"), 1))
        .await
        .unwrap_err();
    assert_eq!(system::last_change(&db).await.unwrap(), 1);
    assert_eq!(system::changes_after(&db, 0, 10).await.unwrap().len(), 1);
}

/// Writers on two nodes; a reader polls all the while. If a number could be given before the
/// commits before it are visible, the reader would see a gap or see the log grow behind it.
async fn concurrent_writers_leave_no_gap_and_nothing_appears_behind_a_reader(place: &Place) {
    const WRITERS: u64 = 6;
    const EACH: u64 = 8;
    let (db, other_node) = (open(place).await, open(place).await);
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (db, done) = (db.clone(), Arc::clone(&done));
        async move {
            let mut next = 1;
            loop {
                let last_round = done.load(Ordering::SeqCst);
                let changes = system::changes_after(&db, next - 1, 5).await.unwrap();
                let empty = changes.is_empty();
                for change in changes {
                    assert_eq!(change.sequence, next, "a gap");
                    let ChangeSubject::Tenant(id) = change.subject else {
                        panic!("only tenants were written")
                    };
                    let row = tenants::get(&db, &id).await.unwrap();
                    assert!(row.is_some(), "a change is seen before what it changed");
                    next += 1;
                }
                if last_round && empty {
                    return next - 1;
                }
            }
        }
    };
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(reader);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let db = if writer % 2 == 0 {
            db.clone()
        } else {
            other_node.clone()
        };
        writers.spawn(async move {
            for number in 0..EACH {
                let id = format!("w{writer}n{number}");
                tenants::create(&db, &tenant(&id)).await.unwrap();
                // Rolled back, with the head held: must leave no gap.
                assert!(!tenants::create(&db, &tenant(&id)).await.unwrap());
            }
        });
    }
    writers.join_all().await;
    done.store(true, Ordering::SeqCst);
    assert_eq!(tasks.join_all().await, [WRITERS * EACH]);
    assert_eq!(system::last_change(&db).await.unwrap(), WRITERS * EACH);
    assert!(
        tenants::get(&db, &tenant_id("w0n0"))
            .await
            .unwrap()
            .is_some()
    );
}
