//! On what it was measured: a figure without its machine says nothing.

use std::{fs, io::Write, path::Path};

use anyhow::Context;
use serde::Serialize;

use crate::{statistics::percentile, stopwatch::Stopwatch};

const SYNCS: usize = 200;
const SYNC_BYTES: usize = 4096;

/// What the report says about the machine.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub kernel: String,
    pub memory_mib: u64,
    /// The compiler of this program, and of the floors in it.
    pub rustc: &'static str,
    /// `release` or `dev`: how this program, and the floors in it, were compiled.
    pub profile: &'static str,
    /// The kind of file system that the server's data lies on.
    pub file_system: String,
    /// What a durable append of 4 KiB takes there, when nobody else writes.
    pub sync_p50_us: f64,
}

impl Machine {
    /// Looks at this one; `dir` is where data will lie.
    pub fn look(dir: &Path) -> anyhow::Result<Self> {
        let read =
            |path: &str| fs::read_to_string(path).with_context(|| format!("{path} cannot be read"));
        let memory = value(&read("/proc/meminfo")?, "MemTotal").unwrap_or_default();
        let kibibytes: u64 = memory.trim_end_matches(" kB").parse().unwrap_or(0);
        Ok(Self {
            processor: value(&read("/proc/cpuinfo")?, "model name")
                .unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism()?.get(),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            memory_mib: kibibytes / 1024,
            rustc: option_env!("DIAMOND_BENCH_RUSTC").unwrap_or("unknown"),
            profile: if cfg!(debug_assertions) {
                "dev"
            } else {
                "release"
            },
            file_system: file_system(&read("/proc/mounts")?, &fs::canonicalize(dir)?),
            sync_p50_us: sync_p50_us(dir)?,
        })
    }
}

/// The value of the first `name : value` line.
fn value(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// The kind of the innermost mount that holds `dir`; of equal ones the last, which covers the others.
fn file_system(mounts: &str, dir: &Path) -> String {
    let holding = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next()?, fields.next()?);
        dir.starts_with(point).then_some((point.len(), kind))
    });
    holding
        .max_by_key(|(length, _)| *length)
        .map_or("unknown", |(_, kind)| kind)
        .to_owned()
}

fn sync_p50_us(dir: &Path) -> anyhow::Result<f64> {
    let mut file = tempfile::tempfile_in(dir)
        .with_context(|| format!("{} cannot be written", dir.display()))?;
    let block = [0x5a; SYNC_BYTES];
    let mut taken = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let stopwatch = Stopwatch::start();
        file.write_all(&block)?;
        file.sync_data()?;
        taken.push(u64::try_from(stopwatch.elapsed().as_nanos())?);
    }
    taken.sort_unstable();
    Ok(percentile(&taken, 500).unwrap_or_default() as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_whole_name() {
        let text = "model\t\t: 17\nmodel name\t: A Processor @ 2: fast\nmodel name\t: second\n";
        assert_eq!(value(text, "model name").unwrap(), "A Processor @ 2: fast");
        assert_eq!(value(text, "name"), None);
    }

    #[test]
    fn the_innermost_and_latest_mount_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/x xfs rw 0 0\n\
                      over /tmp/x overlay rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/home")), "ext4");
        assert_eq!(file_system(mounts, Path::new("/tmp/y")), "tmpfs");
        assert_eq!(file_system(mounts, Path::new("/tmp/x/y")), "overlay");
        assert_eq!(file_system(mounts, Path::new("/tmpx")), "ext4");
        assert_eq!(file_system("", Path::new("/")), "unknown");
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::look(dir.path()).unwrap();
        assert!(machine.cores > 0 && machine.memory_mib > 0 && !machine.kernel.is_empty());
    }
}
