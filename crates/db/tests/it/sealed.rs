use diamond_db::Db;
use diamond_db::sealed::{self, Append, Appended, Owner};
use diamond_domain::SecretVersion;

use crate::support::{Place, at, name, open, version};

const SECRET: &str = "ai-openai-coaching";

on_both!(
    settings_are_stored_together_and_once,
    the_first_data_key_stays,
    an_append_needs_the_newest_version,
    a_request_makes_one_version,
    owners_are_apart,
    destroying_keeps_the_number,
    racing_appends_have_one_winner,
);

async fn append(db: &Db, newest: Option<u32>, request_id: &str) -> Appended {
    let secret = name(SECRET);
    let append = Append {
        name: &secret,
        newest: newest.map(version),
        version: version(newest.unwrap_or(0) + 1),
        sealed: "sealed",
        request_id,
        digest: "digest",
        created_at: at(3),
    };
    let owner = Owner::of(&secret);
    sealed::create_custody(db, "m1", None).await.unwrap();
    sealed::create_data_key(db, &owner, "wrapped", "m1", at(0))
        .await
        .unwrap();
    sealed::append(db, &owner, &append).await.unwrap()
}

async fn settings_are_stored_together_and_once(place: &Place) {
    let db = open(place).await;
    let first = [("a", "1"), ("b", "2")];
    assert!(sealed::create_settings(&db, &first).await.unwrap());
    let second = [("c", "3"), ("a", "4")];
    assert!(!sealed::create_settings(&db, &second).await.unwrap());
    let stored: Vec<_> = sealed::settings(&db).await.unwrap().into_iter().collect();
    let expected = first.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(stored, expected);
}

async fn the_first_data_key_stays(place: &Place) {
    let db = open(place).await;
    let owner = Owner::Platform;
    sealed::create_custody(&db, "m1", None).await.unwrap();
    for (wrapped, second) in [("one", 1), ("two", 2)] {
        let kept = sealed::create_data_key(&db, &owner, wrapped, "m1", at(second))
            .await
            .unwrap();
        assert_eq!(kept.unwrap().wrapped, "one");
    }
    // Under a master key that is not the one in use nothing is stored.
    let tenant = Owner::of(&name(SECRET));
    let moved = sealed::create_data_key(&db, &tenant, "three", "m0", at(3)).await;
    assert_eq!(moved.unwrap(), None);
    let tenant = Owner::of(&name(SECRET));
    assert_eq!(sealed::data_key(&db, &tenant).await.unwrap(), None);
}

async fn an_append_needs_the_newest_version(place: &Place) {
    let db = open(place).await;
    assert_eq!(
        append(&db, Some(1), "r0").await,
        Appended::Moved,
        "there is none"
    );
    assert_eq!(append(&db, None, "r1").await, Appended::Stored);
    assert_eq!(append(&db, None, "r2").await, Appended::Moved);
    assert_eq!(append(&db, Some(1), "r3").await, Appended::Stored);
    assert_eq!(append(&db, Some(1), "r4").await, Appended::Moved);
    let (secret, owner) = (name(SECRET), Owner::of(&name(SECRET)));
    let newest = sealed::newest(&db, &owner, &secret).await.unwrap();
    assert_eq!(newest, Some(version(2)));
    let numbers: Vec<_> = sealed::versions(&db, &owner, &secret).await.unwrap();
    let numbers: Vec<_> = numbers.iter().map(|row| row.version.get()).collect();
    assert_eq!(numbers, [1, 2]);
}

async fn a_request_makes_one_version(place: &Place) {
    let db = open(place).await;
    assert_eq!(append(&db, None, "r").await, Appended::Stored);
    assert_eq!(append(&db, Some(1), "r").await, Appended::RequestTaken);
    let owner = Owner::of(&name(SECRET));
    let request = sealed::request(&db, &owner, "r").await.unwrap().unwrap();
    assert_eq!(request.name, name(SECRET));
    assert_eq!(request.version, SecretVersion::FIRST);
    assert_eq!(request.digest, "digest");
    // A request whose append was refused is as if it had never been.
    assert_eq!(append(&db, None, "refused").await, Appended::Moved);
    assert_eq!(sealed::request(&db, &owner, "refused").await.unwrap(), None);
}

async fn owners_are_apart(place: &Place) {
    let db = open(place).await;
    append(&db, None, "r").await;
    let (secret, stranger) = (name(SECRET), Owner::of(&name("ai-openai-coaching-eu")));
    for owner in [&stranger, &Owner::Platform] {
        assert_eq!(sealed::request(&db, owner, "r").await.unwrap(), None);
        assert_eq!(sealed::newest(&db, owner, &secret).await.unwrap(), None);
        let first = version(1);
        assert_eq!(
            sealed::version_of(&db, owner, &secret, first)
                .await
                .unwrap(),
            None
        );
        assert_eq!(sealed::versions(&db, owner, &secret).await.unwrap(), []);
        assert!(
            !sealed::destroy(&db, owner, &secret, first, at(1))
                .await
                .unwrap()
        );
    }
}

async fn destroying_keeps_the_number(place: &Place) {
    let db = open(place).await;
    append(&db, None, "r").await;
    let (secret, owner) = (name(SECRET), Owner::of(&name(SECRET)));
    for second in [5, 6] {
        let destroyed = sealed::destroy(&db, &owner, &secret, version(1), at(second)).await;
        assert!(destroyed.unwrap());
    }
    let row = sealed::version_of(&db, &owner, &secret, version(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((row.sealed, row.created_at), (None, at(3)));
    assert!(
        !sealed::destroy(&db, &owner, &secret, version(2), at(7))
            .await
            .unwrap()
    );
    assert_eq!(append(&db, Some(1), "r2").await, Appended::Stored);
}

async fn racing_appends_have_one_winner(place: &Place) {
    let (db, other_node) = (open(place).await, open(place).await);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..10 {
        let db = if number % 2 == 0 {
            db.clone()
        } else {
            other_node.clone()
        };
        let request_id = format!("r{}", number / 2);
        tasks.spawn(async move { append(&db, None, &request_id).await });
    }
    let outcomes = tasks.join_all().await;
    let stored = outcomes
        .iter()
        .filter(|&&outcome| outcome == Appended::Stored);
    assert_eq!(stored.count(), 1, "{outcomes:?}");
}
