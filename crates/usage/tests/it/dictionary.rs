//! Names stand in the dictionary and nowhere else, and can be taken out of it.

use std::{path::Path, sync::Arc};

use diamond_journal::{
    RealDisk,
    simulated::{Loss, SimulatedDisk},
};
use diamond_usage::{
    AuditAction, AuditDraft, AuditOutcome, AuditQuery, AuditSink, ErasureSubject, EventSink,
    JournalAuditSink, ScanFilter, UserDictionary,
    contract::samples::{self, tenant, user},
};
use zeroize::Zeroizing;

use crate::open;

/// Every file below a folder that holds these bytes.
fn files_with(folder: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            if bytes.windows(needle.len()).any(|window| window == needle) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[tokio::test]
async fn an_erased_name_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path(), Arc::new(RealDisk));
    let audit = JournalAuditSink::open(
        &folder.path().join("audit"),
        Arc::new(RealDisk),
        Zeroizing::new([7; 32]),
        journal.dictionary().clone(),
    )
    .unwrap();
    let name = "anna.unmistakable@example.com";
    journal.open(&samples::opened("zaxon", name, 1)).unwrap();
    journal
        .close(samples::closing(samples::opened("zaxon", name, 1)))
        .await
        .unwrap();
    journal
        .append(vec![samples::reported("zaxon", "bert-unmistakable", 2)])
        .await
        .unwrap();
    let draft = AuditDraft {
        at: samples::now(),
        action: AuditAction::KeyReveal,
        outcome: AuditOutcome::Granted,
        request_id: samples::opened("zaxon", name, 1).request_id,
        token_id: None,
        address: None,
        tenant_id: Some(tenant("zaxon")),
        user_id: Some(user(name)),
        service: None,
        version: None,
        purpose: None,
        detail: None,
        count: None,
    };
    audit.record(draft).await.unwrap();

    let holding = files_with(folder.path(), name.as_bytes());
    assert_eq!(holding.len(), 1, "only the dictionary: {holding:?}");
    assert!(holding[0].contains("/users/"), "{holding:?}");

    let subject = ErasureSubject::User(tenant("zaxon"), user(name));
    assert_eq!(journal.erase_blocking(&subject).unwrap(), 1);
    assert!(files_with(folder.path(), name.as_bytes()).is_empty());
    assert_eq!(files_with(folder.path(), b"bert-unmistakable").len(), 1);

    let shown = |journal: &diamond_usage::UsageJournal| -> Vec<String> {
        let scan = journal.scan(ScanFilter::of(tenant("zaxon")));
        scan.map(|event| event.unwrap().user_id.to_string())
            .collect()
    };
    let before = shown(&journal);
    assert!(before[0].starts_with("erased-"), "{before:?}");
    assert_eq!(before[1], "bert-unmistakable");
    let query = AuditQuery {
        limit: 10,
        ..AuditQuery::default()
    };
    let entries = audit.entries(&query).await.unwrap();
    assert_eq!(
        entries[0].draft.user_id.as_ref().unwrap().as_str(),
        before[0]
    );

    drop((journal, audit));
    let (journal, _) = open(folder.path(), Arc::new(RealDisk));
    assert_eq!(shown(&journal), before, "one pseudonym, for good");
}

#[test]
fn a_name_that_comes_back_gets_another_code() {
    let disk = Arc::new(SimulatedDisk::new(1));
    let dictionary = UserDictionary::open(Path::new("/users"), disk).unwrap();
    let (zaxon, anna) = (tenant("zaxon"), user("anna"));
    let code = dictionary.assign_blocking(Some(&zaxon), &anna).unwrap();
    assert_eq!(
        dictionary.assign_blocking(Some(&zaxon), &anna).unwrap(),
        code
    );
    let elsewhere = dictionary
        .assign_blocking(Some(&tenant("coaching")), &anna)
        .unwrap();
    assert_ne!(elsewhere, code);
    let subject = ErasureSubject::User(zaxon.clone(), anna.clone());
    assert_eq!(dictionary.erase_blocking(&subject).unwrap(), 1);
    assert_eq!(dictionary.erase_blocking(&subject).unwrap(), 0);
    assert_eq!(dictionary.code(Some(&zaxon), &anna), None);
    assert_eq!(dictionary.code(Some(&zaxon), &code.pseudonym()), Some(code));
    assert_ne!(
        dictionary.assign_blocking(Some(&zaxon), &anna).unwrap(),
        code
    );
    assert_eq!(
        dictionary.name(Some(&tenant("coaching")), elsewhere),
        Some(anna)
    );
}

/// Whenever the power goes during an erasure, afterwards either everybody is known as before or
/// only the erased one is missing; and once it was acknowledged, the name stays gone.
#[test]
fn an_erasure_is_whole_or_not_at_all() {
    for seed in 0..60 {
        let disk = SimulatedDisk::new(seed);
        let open = || UserDictionary::open(Path::new("/users"), Arc::new(disk.clone())).unwrap();
        let dictionary = open();
        let zaxon = tenant("zaxon");
        let names: Vec<_> = (0..20)
            .map(|n| user(&format!("person-{n}-of-zaxon")))
            .collect();
        let codes: Vec<_> = names
            .iter()
            .map(|name| dictionary.assign_blocking(Some(&zaxon), name).unwrap())
            .collect();
        let subject = ErasureSubject::User(zaxon.clone(), names[3].clone());
        // A flush in the middle fails, or there is no room, or it goes well.
        match seed % 3 {
            0 => disk.fail_syncs(1),
            1 => disk.set_quota(Some(disk.used() + 200)),
            _ => {}
        }
        let erased = dictionary.erase_blocking(&subject);
        assert_eq!(erased.is_ok(), seed % 3 == 2);
        disk.crash(if seed % 2 == 0 {
            Loss::Everything
        } else {
            Loss::Anything
        });
        disk.set_quota(None);
        disk.fail_syncs(0);
        drop(dictionary);

        let dictionary = open();
        for (place, (name, code)) in names.iter().zip(&codes).enumerate() {
            let found = dictionary.code(Some(&zaxon), name);
            if place != 3 {
                assert_eq!(found, Some(*code), "seed {seed}");
            } else if erased.is_ok() {
                assert_eq!(found, None, "seed {seed}");
                let needle = names[3].as_str().as_bytes();
                for bytes in disk.contents().values() {
                    assert!(!bytes.windows(needle.len()).any(|window| window == needle));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_new_name_is_durable_before_its_event_is_acknowledged() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(Path::new("/data"), Arc::new(disk.clone()));
    journal
        .append(vec![samples::reported("zaxon", "anna", 1)])
        .await
        .unwrap();
    journal.open(&samples::opened("zaxon", "bert", 2)).unwrap();
    disk.crash(Loss::Everything);
    drop(journal);
    let (journal, _) = open(Path::new("/data"), Arc::new(disk));
    let zaxon = tenant("zaxon");
    assert!(
        journal
            .dictionary()
            .code(Some(&zaxon), &user("anna"))
            .is_some()
    );
    assert!(
        journal
            .dictionary()
            .code(Some(&zaxon), &user("bert"))
            .is_some()
    );
}
