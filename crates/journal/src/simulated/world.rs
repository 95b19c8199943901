//! What stands on the simulated disk, and what a loss of power makes of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::Loss;

#[derive(Debug)]
pub(super) struct World {
    /// Files that were opened before a crash are dead after it.
    pub(super) lives: u64,
    pub(super) random: u64,
    pub(super) names: BTreeMap<PathBuf, usize>,
    pub(super) durable_names: BTreeMap<PathBuf, usize>,
    pub(super) folders: BTreeSet<PathBuf>,
    pub(super) files: Vec<Content>,
    pub(super) locks: BTreeSet<PathBuf>,
    pub(super) quota: Option<usize>,
    pub(super) failing_syncs: u32,
    pub(super) syncs: u64,
}

#[derive(Debug, Default)]
pub(super) struct Content {
    /// What a reader sees.
    pub(super) seen: Vec<u8>,
    /// What a loss of power leaves.
    pub(super) durable: Vec<u8>,
    /// How many bytes it holds space for.
    pub(super) allocated: usize,
    /// How one becomes the other.
    pub(super) pending: Vec<Change>,
}

#[derive(Debug)]
pub(super) enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            lives: 0,
            random: seed,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            folders: BTreeSet::new(),
            files: Vec::new(),
            locks: BTreeSet::new(),
            quota: None,
            failing_syncs: 0,
            syncs: 0,
        }
    }

    pub(super) fn used(&self) -> usize {
        self.names.values().map(|&id| self.files[id].space()).sum()
    }

    /// Splitmix64: small, and the same everywhere.
    fn below(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = bound.max(1) as u64;
        usize::try_from((mixed ^ (mixed >> 31)) % bound).unwrap_or(0)
    }

    pub(super) fn crash(&mut self, loss: Loss) {
        self.lives += 1;
        self.locks.clear();
        let mut names = self.durable_names.clone();
        if loss == Loss::Anything {
            let all: BTreeSet<PathBuf> = self.names.keys().chain(names.keys()).cloned().collect();
            for path in all {
                if self.names.get(&path) != names.get(&path) && self.below(2) == 0 {
                    match self.names.get(&path) {
                        Some(&id) => names.insert(path, id),
                        None => names.remove(&path),
                    };
                }
            }
        }
        for id in 0..self.files.len() {
            for change in std::mem::take(&mut self.files[id].pending) {
                let kept = match (loss, change) {
                    (Loss::Everything, _) => continue,
                    (Loss::Anything, Change::Truncate(size)) => Change::Truncate(size),
                    (Loss::Anything, Change::Write(offset, bytes)) => {
                        let size = bytes.len();
                        // Lost, torn at either end, or kept.
                        let (from, to) = match self.below(4) {
                            0 => continue,
                            1 => (0, self.below(size)),
                            2 => (self.below(size), size),
                            _ => (0, size),
                        };
                        Change::Write(offset + from, bytes[from..to].to_vec())
                    }
                };
                if self.below(4) > 0 || !matches!(kept, Change::Truncate(_)) {
                    kept.apply(&mut self.files[id].durable);
                }
            }
            let content = &mut self.files[id];
            content.seen.clone_from(&content.durable);
            content.allocated = 0;
        }
        self.names.clone_from(&names);
        self.durable_names = names;
    }
}

impl Content {
    /// What it takes of the disk.
    pub(super) fn space(&self) -> usize {
        self.seen.len().max(self.allocated)
    }
}

impl Change {
    pub(super) fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Truncate(size) => to.truncate(*size),
            Self::Write(offset, bytes) => {
                let end = offset + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*offset..end].copy_from_slice(bytes);
            }
        }
    }
}
