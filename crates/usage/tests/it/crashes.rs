//! Random calls, audit entries and losses of power, all journals on one disk: each call that was
//! forwarded is one event under its user's name, and no acknowledged audit entry is missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use diamond_domain::{CallOutcome, EventId, OpenedCall, UsageEvent, UserId};
use diamond_journal::simulated::{Loss, SimulatedDisk};
use diamond_usage::{
    AuditHead, AuditQuery, AuditSink, AuditVerdict, EventSink, JournalAuditSink, ScanFilter,
    UsageJournal, Verdict, contract::samples,
};
use proptest::prelude::*;
use zeroize::Zeroizing;

use crate::{audit::draft, open};

#[derive(Debug, Clone)]
enum Step {
    Open,
    Close(prop::sample::Index),
    Abandon(prop::sample::Index),
    Report(u64),
    /// Somebody touched a key.
    Audit,
    /// A report and an audit entry at the same time.
    Both(u64),
    /// The process dies.
    Die,
    /// The machine dies.
    Crash(Loss),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Open),
        4 => any::<prop::sample::Index>().prop_map(Step::Close),
        1 => any::<prop::sample::Index>().prop_map(Step::Abandon),
        3 => (0_u64..12).prop_map(Step::Report),
        2 => Just(Step::Audit),
        2 => (0_u64..12).prop_map(Step::Both),
        1 => Just(Step::Die),
        1 => Just(Step::Crash(Loss::Anything)),
        1 => Just(Step::Crash(Loss::Everything)),
    ]
}

#[derive(Default)]
struct Model {
    /// Calls that are under way, by number.
    open: BTreeSet<u64>,
    /// How each call ended that must be there; `None`: lost.
    ended: BTreeMap<u64, bool>,
    abandoned: BTreeSet<u64>,
    reported: BTreeSet<u64>,
    next: u64,
    /// Whose each event is.
    users: BTreeMap<EventId, UserId>,
    /// Audit entries that were acknowledged.
    audited: u64,
    /// Where the chain stood at the last of them.
    head: Option<AuditHead>,
}

/// Several users, so that their names are written all the time.
fn user(number: u64) -> String {
    format!("user-{}", number % 7)
}

fn opened(number: u64) -> OpenedCall {
    samples::opened("zaxon", &user(number), number)
}

fn reported(number: u64) -> UsageEvent {
    samples::reported("zaxon", &user(number), number)
}

/// What one server holds open on its disk.
struct Stores {
    events: Arc<UsageJournal>,
    audit: JournalAuditSink,
}

impl Stores {
    fn open(disk: &SimulatedDisk) -> Self {
        let events = open(Path::new("/data"), Arc::new(disk.clone())).0;
        let users = events.dictionary().clone();
        let key = Zeroizing::new([1; 32]);
        let disk = Arc::new(disk.clone());
        let audit = JournalAuditSink::open(Path::new("/data/audit"), disk, key, users).unwrap();
        Self { events, audit }
    }
}

/// Records an entry that is then acknowledged.
async fn record(sink: &JournalAuditSink, number: u64) {
    let mut draft = draft(u128::from(number));
    draft.user_id = Some(samples::user(&user(number)));
    assert_eq!(sink.record(draft).await.unwrap().sequence, number + 1);
}

/// Each acknowledged entry is there, about the user that it was about, in a chain that holds.
async fn check_audit(sink: &JournalAuditSink, model: &Model) {
    let whole = AuditVerdict::Whole {
        entries: model.audited,
    };
    let verdict = sink.verify(model.head.as_ref()).await;
    assert_eq!(verdict.unwrap(), whole);
    let query = AuditQuery {
        tenant: None,
        token: None,
        version: None,
        address: None,
        range: None,
        after: 0,
        limit: 1_000,
    };
    let entries = sink.entries(&query).await.unwrap();
    for (entry, number) in entries.iter().zip(0..) {
        assert_eq!(entry.draft.user_id, Some(samples::user(&user(number))));
    }
    assert_eq!(entries.len() as u64, model.audited);
}

fn check(journal: &UsageJournal, model: &mut Model, machine_died: bool) {
    let scan = journal.scan(ScanFilter::of_everybody());
    let events: Vec<_> = scan.map(|event| event.unwrap()).collect();
    for (event, sequence) in events.iter().zip(1..) {
        assert_eq!(event.ledger_sequence, Some(sequence), "no gaps");
        let named = model.users.get(&event.event_id);
        assert_eq!(Some(&event.user_id), named, "the code's name is there");
    }
    let mut seen = BTreeMap::new();
    for event in &events {
        let lost = event.outcome == CallOutcome::Lost;
        assert!(seen.insert(event.event_id, lost).is_none(), "counted twice");
    }
    for number in &model.reported {
        let id = reported(*number).event_id;
        assert_eq!(seen.remove(&id), Some(false), "an acknowledged report");
    }
    for (number, lost) in &model.ended {
        let id = opened(*number).event_id;
        assert_eq!(
            seen.remove(&id),
            Some(*lost),
            "an end that was acknowledged"
        );
    }
    for number in std::mem::take(&mut model.open) {
        let id = opened(number).event_id;
        match seen.remove(&id) {
            Some(lost) => {
                assert!(lost);
                model.ended.insert(number, true);
            }
            // Only the machine's death may take an opening that nothing durable followed.
            None => assert!(machine_died, "a call was forgotten"),
        }
    }
    for number in std::mem::take(&mut model.abandoned) {
        let id = opened(number).event_id;
        if let Some(lost) = seen.remove(&id) {
            assert!(lost && machine_died, "a withdrawn call was counted");
            model.ended.insert(number, true);
        }
    }
    assert!(seen.is_empty(), "invented: {seen:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn each_call_is_one_event_whatever_dies(
        seed: u64,
        steps in prop::collection::vec(step(), 1..50),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let disk = SimulatedDisk::new(seed);
        let mut model = Model::default();
        let begin = || Stores::open(&disk);
        let mut stores = Some(begin());
        for step in steps {
            let Stores { events: sink, audit } = stores.as_ref().unwrap();
            let pick = |index: prop::sample::Index| {
                let open: Vec<u64> = model.open.iter().copied().collect();
                (!open.is_empty()).then(|| *index.get(&open))
            };
            match step {
                Step::Open => {
                    let call = opened(model.next);
                    sink.open(&call).unwrap();
                    model.users.insert(call.event_id, call.user_id);
                    model.open.insert(model.next);
                    model.next += 1;
                }
                Step::Close(index) => if let Some(number) = pick(index) {
                    let event = samples::closing(opened(number));
                    let verdict = runtime.block_on(sink.close(event)).unwrap();
                    prop_assert_eq!(verdict, Verdict::Accepted);
                    model.open.remove(&number);
                    model.ended.insert(number, false);
                },
                Step::Abandon(index) => if let Some(number) = pick(index) {
                    sink.abandon(opened(number).event_id).unwrap();
                    model.open.remove(&number);
                    model.abandoned.insert(number);
                },
                Step::Report(number) | Step::Both(number) => {
                    let event = reported(number);
                    model.users.insert(event.event_id, event.user_id.clone());
                    let told = sink.append(vec![event]);
                    let both = matches!(step, Step::Both(_));
                    let verdicts = if both {
                        let recorded = record(audit, model.audited);
                        model.audited += 1;
                        runtime.block_on(async { tokio::join!(told, recorded).0 })
                    } else {
                        runtime.block_on(told)
                    };
                    let known = !model.reported.insert(number);
                    let expected = if known { Verdict::Duplicate } else { Verdict::Accepted };
                    prop_assert_eq!(verdicts.unwrap(), [expected]);
                    if both {
                        model.head = Some(audit.head());
                    }
                }
                Step::Audit => {
                    runtime.block_on(record(audit, model.audited));
                    model.audited += 1;
                    model.head = Some(audit.head());
                }
                Step::Die | Step::Crash(_) => {
                    if let Step::Crash(loss) = step {
                        disk.crash(loss);
                    }
                    stores = None;
                    let stores = stores.insert(begin());
                    let machine_died = matches!(step, Step::Crash(_));
                    check(&stores.events, &mut model, machine_died);
                    runtime.block_on(check_audit(&stores.audit, &model));
                }
            }
        }
    }
}
