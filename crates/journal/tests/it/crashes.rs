//! Random work and random losses of power: everything acknowledged is there, in order, and
//! nothing else but what was handed in behind it.

use std::{path::Path, sync::Arc};

use diamond_journal::{
    Journal, JournalError, JournalOptions, Position,
    simulated::{Loss, SimulatedDisk},
};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Append { size: usize },
    AppendMany { count: usize },
    Stage { size: usize },
    Wait,
    Roll,
    Crash(Loss),
    Die,
    Close,
    FillUp { room: usize },
    FreeSpace,
    FailSync,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1_usize..300).prop_map(|size| Step::Append { size }),
        3 => (1_usize..20).prop_map(|count| Step::AppendMany { count }),
        5 => (1_usize..300).prop_map(|size| Step::Stage { size }),
        5 => Just(Step::Wait),
        1 => Just(Step::Roll),
        2 => Just(Step::Crash(Loss::Anything)),
        1 => Just(Step::Crash(Loss::Everything)),
        1 => Just(Step::Die),
        1 => Just(Step::Close),
        1 => (0_usize..400).prop_map(|room| Step::FillUp { room }),
        2 => Just(Step::FreeSpace),
        1 => Just(Step::FailSync),
    ]
}

/// What the journal must hold.
struct Model {
    disk: SimulatedDisk,
    journal: Option<Journal>,
    /// Everything taken, by position.
    taken: Vec<Vec<u8>>,
    /// How much of it was acknowledged as durable.
    acknowledged: usize,
    written: u64,
}

impl Model {
    fn payload(&mut self, size: usize) -> Vec<u8> {
        self.written += 1;
        let mut payload = self.written.to_le_bytes().to_vec();
        payload.resize(size.max(8), 0x42);
        payload
    }

    fn append(&mut self, payloads: Vec<Vec<u8>>) {
        let taken = self.journal.as_ref().unwrap().append_all(&payloads);
        self.take(taken, payloads);
    }

    fn take(&mut self, taken: Result<Position, JournalError>, payloads: Vec<Vec<u8>>) {
        match taken {
            Ok(first) => {
                assert_eq!(first, Position(self.taken.len() as u64));
                self.taken.extend(payloads);
            }
            Err(JournalError::Full(_) | JournalError::Failed(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }

    fn wait(&mut self) {
        let Some(last) = (self.taken.len() as u64).checked_sub(1) else {
            return;
        };
        match self
            .journal
            .as_ref()
            .unwrap()
            .durable_blocking(Position(last))
        {
            Ok(()) => self.acknowledged = self.taken.len(),
            Err(JournalError::Failed(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }

    /// Opens what is left and compares.
    fn open(&mut self) {
        self.disk.set_quota(None);
        self.disk.fail_syncs(0);
        let options = JournalOptions {
            segment_bytes: 2_000,
            ..JournalOptions::default()
        };
        let disk = Arc::new(self.disk.clone());
        let (journal, recovery) = Journal::open(Path::new("/journal"), disk, options).unwrap();
        let found: Vec<Vec<u8>> = journal
            .scan(Position::START)
            .map(|record| record.unwrap().1)
            .collect();
        assert_eq!(recovery.end, Position(found.len() as u64));
        assert!(
            found.len() >= self.acknowledged,
            "acknowledged records are gone"
        );
        assert_eq!(
            found,
            self.taken[..found.len()],
            "something else stands there"
        );
        self.taken = found;
        self.acknowledged = self.taken.len();
        self.journal = Some(journal);
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Append { size } => {
                let payload = self.payload(size);
                self.append(vec![payload]);
            }
            Step::AppendMany { count } => {
                let payloads = (0..count).map(|size| self.payload(size * 7)).collect();
                self.append(payloads);
            }
            Step::Stage { size } => {
                let payload = self.payload(size);
                let journal = self.journal.as_ref().unwrap();
                self.take(journal.stage_all(&[&payload]), vec![payload]);
            }
            Step::Wait => self.wait(),
            Step::Roll => match self.journal.as_ref().unwrap().roll() {
                Ok(_) => self.acknowledged = self.taken.len(),
                Err(JournalError::Full(_) | JournalError::Failed(_)) => {}
                Err(other) => panic!("{other}"),
            },
            Step::Crash(loss) => {
                self.disk.crash(loss);
                self.journal = None;
                self.open();
            }
            Step::Die => {
                self.journal = None;
                self.open();
            }
            Step::Close => {
                if self.journal.take().unwrap().close().is_ok() {
                    self.acknowledged = self.taken.len();
                    self.disk.crash(Loss::Everything);
                }
                self.open();
            }
            Step::FillUp { room } => self.disk.set_quota(Some(self.disk.used() + room)),
            Step::FreeSpace => self.disk.set_quota(None),
            Step::FailSync => self.disk.fail_syncs(1),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_was_acknowledged_is_there_and_nothing_is_invented(
        seed: u64,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut model = Model {
            disk: SimulatedDisk::new(seed),
            journal: None,
            taken: Vec::new(),
            acknowledged: 0,
            written: 0,
        };
        model.open();
        for step in steps {
            model.run(step);
        }
        model.wait();
        model.run(Step::Crash(Loss::Everything));
    }

    #[test]
    fn damage_below_something_durable_is_never_cut_off_in_silence(
        place: prop::sample::Index,
        count in 3_usize..60,
    ) {
        let disk = SimulatedDisk::new(1);
        let open = || {
            let options = JournalOptions { segment_bytes: 1_500, ..JournalOptions::default() };
            Journal::open(Path::new("/journal"), Arc::new(disk.clone()), options)
        };
        let (journal, _) = open().unwrap();
        for number in 0..count {
            let position = journal.append(&[number as u8 + 1; 40]).unwrap();
            journal.durable_blocking(position).unwrap();
        }
        // One more behind, so that every damaged record is known to have been durable.
        journal.append(&[0xff; 8]).unwrap();
        drop(journal);

        let mut files: Vec<_> = disk.contents().into_iter().collect();
        files.retain(|(path, _)| path.extension().is_some());
        let sizes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut place = place.index(sizes - 32);
        for (path, bytes) in &files {
            if place < bytes.len() {
                disk.damage(path, place);
                break;
            }
            place -= bytes.len();
        }

        let read = open().and_then(|(journal, _)| {
            journal.scan(Position::START).collect::<Result<Vec<_>, _>>()
        });
        match read {
            Err(JournalError::Corrupt { .. }) => {}
            // The unused bytes at the end of a segment's header are covered too, so nothing of
            // what was written may pass.
            other => prop_assert!(false, "{:?}", other.map(|records| records.len())),
        }
    }
}
