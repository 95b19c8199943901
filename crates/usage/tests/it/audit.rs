//! The embedded audit sink.

use std::{path::Path, sync::Arc};

use diamond_domain::RequestId;
use diamond_journal::{
    Disk, RealDisk,
    simulated::{Loss, SimulatedDisk},
};
use diamond_usage::{
    AuditAction, AuditDraft, AuditOutcome, AuditSink, AuditVerdict, JournalAuditSink,
    UserDictionary,
    contract::{self, samples},
};
use zeroize::Zeroizing;

fn open(folder: &Path, disk: Arc<dyn Disk>, key: u8) -> JournalAuditSink {
    let users = UserDictionary::open(&folder.join("users"), disk.clone()).unwrap();
    let audit = folder.join("audit");
    JournalAuditSink::open(&audit, disk, Zeroizing::new([key; 32]), Arc::new(users)).unwrap()
}

pub fn draft(number: u128) -> AuditDraft {
    AuditDraft {
        at: samples::now(),
        action: AuditAction::KeyReveal,
        outcome: AuditOutcome::Granted,
        request_id: RequestId::from_bits(number),
        token_id: None,
        address: None,
        tenant_id: Some(samples::tenant("zaxon")),
        user_id: Some(samples::user("anna")),
        service: None,
        version: None,
        purpose: None,
        detail: None,
        count: None,
    }
}

fn audit_file(folder: &Path) -> std::path::PathBuf {
    folder.join("audit/00000000000000000000.journal")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract() {
    let folders = std::sync::Mutex::new(Vec::new());
    contract::audit_sink(async || {
        let folder = tempfile::tempdir().unwrap();
        let sink = Arc::new(open(folder.path(), Arc::new(RealDisk), 1));
        folders.lock().unwrap().push(folder);
        sink
    })
    .await;
}

#[tokio::test]
async fn what_was_recorded_outlives_the_power_and_the_chain_goes_on() {
    let disk = SimulatedDisk::new(1);
    let sink = open(Path::new("/data"), Arc::new(disk.clone()), 1);
    for number in 0..5 {
        sink.record(draft(number)).await.unwrap();
    }
    let head = sink.head();
    disk.crash(Loss::Everything);
    drop(sink);
    let sink = open(Path::new("/data"), Arc::new(disk), 1);
    assert_eq!(sink.head(), head);
    assert_eq!(sink.record(draft(5)).await.unwrap().sequence, 6);
    let whole = AuditVerdict::Whole { entries: 6 };
    assert_eq!(sink.verify(Some(&head)).await.unwrap(), whole);
}

#[tokio::test]
async fn concurrent_entries_share_flushes() {
    let disk = SimulatedDisk::new(1);
    let sink = open(Path::new("/data"), Arc::new(disk.clone()), 1);
    sink.record(draft(0)).await.unwrap();
    let before = disk.syncs();
    disk.hold_syncs();
    let drafts = (1..=200).map(|number| sink.record(draft(number)));
    let mut recording = Box::pin(futures_util::future::join_all(drafts));
    tokio::select! {
        biased;
        _ = &mut recording => panic!("acknowledged before the flush"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(sink.head().sequence, 1, "the head is what is durable");
    disk.release_syncs();
    recording.await;
    assert_eq!(sink.head().sequence, 201);
    let flushes = disk.syncs() - before;
    // One that was already waiting for the first entry, one for all the others.
    assert!(flushes <= 2, "{flushes} flushes for 200 entries");
}

#[tokio::test]
async fn a_cut_tail_is_found_by_the_anchor() {
    let folder = tempfile::tempdir().unwrap();
    let sink = open(folder.path(), Arc::new(RealDisk), 1);
    for number in 0..5 {
        sink.record(draft(number)).await.unwrap();
    }
    let anchor = sink.head();
    // Nothing prepared stays behind the last entry.
    sink.close_blocking().unwrap();
    drop(sink);
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(audit_file(folder.path()))
        .unwrap();
    file.set_len(file.metadata().unwrap().len() - 10).unwrap();

    let sink = open(folder.path(), Arc::new(RealDisk), 1);
    let cut = AuditVerdict::Truncated {
        ends_at: 4,
        anchored_at: 5,
    };
    assert_eq!(sink.verify(Some(&anchor)).await.unwrap(), cut);
    // Writing on does not hide it.
    sink.record(draft(77)).await.unwrap();
    let rewritten = AuditVerdict::Rewritten { anchored_at: 5 };
    assert_eq!(sink.verify(Some(&anchor)).await.unwrap(), rewritten);
}

#[tokio::test]
async fn a_changed_entry_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let sink = open(folder.path(), Arc::new(RealDisk), 1);
    for number in 0..5 {
        sink.record(draft(number)).await.unwrap();
    }
    let mut bytes = std::fs::read(audit_file(folder.path())).unwrap();
    let needle = b"key_reveal";
    let third = bytes
        .windows(needle.len())
        .enumerate()
        .filter(|(_, w)| w == needle)
        .nth(2);
    let place = third.unwrap().0;
    bytes[place] = b'K';
    std::fs::write(audit_file(folder.path()), &bytes).unwrap();
    let broken = AuditVerdict::Broken { sequence: 3 };
    assert_eq!(sink.verify(None).await.unwrap(), broken);
}

#[tokio::test]
async fn a_chain_that_was_made_without_the_key_does_not_hold() {
    let folder = tempfile::tempdir().unwrap();
    let forger = open(folder.path(), Arc::new(RealDisk), 2);
    forger.record(draft(1)).await.unwrap();
    drop(forger);
    let sink = open(folder.path(), Arc::new(RealDisk), 1);
    let broken = AuditVerdict::Broken { sequence: 1 };
    assert_eq!(sink.verify(None).await.unwrap(), broken);
}
