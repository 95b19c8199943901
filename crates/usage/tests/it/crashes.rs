//! Random calls and random losses of power: each call that was forwarded is one event.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use diamond_domain::CallOutcome;
use diamond_journal::simulated::{Loss, SimulatedDisk};
use diamond_usage::{EventSink, ScanFilter, UsageJournal, Verdict, contract::samples};
use proptest::prelude::*;

use crate::open;

#[derive(Debug, Clone)]
enum Step {
    Open,
    Close(prop::sample::Index),
    Abandon(prop::sample::Index),
    Report(u64),
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
}

fn check(journal: &UsageJournal, model: &mut Model, machine_died: bool) {
    let scan = journal.scan(ScanFilter::of_everybody());
    let events: Vec<_> = scan.map(|event| event.unwrap()).collect();
    for (event, sequence) in events.iter().zip(1..) {
        assert_eq!(event.ledger_sequence, Some(sequence), "no gaps");
        assert_eq!(
            event.user_id,
            samples::user("anna"),
            "the code's name is there"
        );
    }
    let mut seen = BTreeMap::new();
    for event in &events {
        let lost = event.outcome == CallOutcome::Lost;
        assert!(seen.insert(event.event_id, lost).is_none(), "counted twice");
    }
    for number in &model.reported {
        let id = samples::reported("zaxon", "anna", *number).event_id;
        assert_eq!(seen.remove(&id), Some(false), "an acknowledged report");
    }
    for (number, lost) in &model.ended {
        let id = samples::opened("zaxon", "anna", *number).event_id;
        assert_eq!(
            seen.remove(&id),
            Some(*lost),
            "an end that was acknowledged"
        );
    }
    for number in std::mem::take(&mut model.open) {
        let id = samples::opened("zaxon", "anna", number).event_id;
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
        let id = samples::opened("zaxon", "anna", number).event_id;
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
        let begin = || open(Path::new("/data"), Arc::new(disk.clone())).0;
        let mut journal = Some(begin());
        for step in steps {
            let sink = journal.as_ref().unwrap();
            let pick = |index: prop::sample::Index| {
                let open: Vec<u64> = model.open.iter().copied().collect();
                (!open.is_empty()).then(|| *index.get(&open))
            };
            match step {
                Step::Open => {
                    sink.open(&samples::opened("zaxon", "anna", model.next)).unwrap();
                    model.open.insert(model.next);
                    model.next += 1;
                }
                Step::Close(index) => if let Some(number) = pick(index) {
                    let event = samples::closing(samples::opened("zaxon", "anna", number));
                    let verdict = runtime.block_on(sink.close(event)).unwrap();
                    prop_assert_eq!(verdict, Verdict::Accepted);
                    model.open.remove(&number);
                    model.ended.insert(number, false);
                },
                Step::Abandon(index) => if let Some(number) = pick(index) {
                    sink.abandon(samples::opened("zaxon", "anna", number).event_id).unwrap();
                    model.open.remove(&number);
                    model.abandoned.insert(number);
                },
                Step::Report(number) => {
                    let event = samples::reported("zaxon", "anna", number);
                    let verdicts = runtime.block_on(sink.append(vec![event])).unwrap();
                    let known = !model.reported.insert(number);
                    let expected = if known { Verdict::Duplicate } else { Verdict::Accepted };
                    prop_assert_eq!(verdicts, [expected]);
                }
                Step::Die => {
                    journal = None;
                    journal.replace(begin());
                    check(journal.as_ref().unwrap(), &mut model, false);
                }
                Step::Crash(loss) => {
                    disk.crash(loss);
                    journal = None;
                    journal.replace(begin());
                    check(journal.as_ref().unwrap(), &mut model, true);
                }
            }
        }
    }
}
