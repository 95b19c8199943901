//! What Linux tells about a process (proc(5)).

use std::time::Duration;

use anyhow::Context;

/// How long a tick of `/proc/PID/stat` is. Linux fixes `USER_HZ` at 100 on every architecture that
/// Rust servers run on.
const TICK: Duration = Duration::from_millis(10);
/// `utime` is field 14 and the name in brackets field 2; what follows the name begins with field 3.
const UTIME_AFTER_NAME: usize = 11;
const KIBIBYTES_PER_MEBIBYTE: f64 = 1024.0;

/// Processor time, user and system, of all threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage(pub Duration);

impl Usage {
    /// Reads the text of `/proc/PID/stat`.
    pub fn parse(stat: &str) -> anyhow::Result<Self> {
        // The name may hold blanks and brackets itself: the last bracket is the one that counts.
        let (_, fields) = stat
            .rsplit_once(')')
            .context("`stat` without a name in brackets")?;
        let mut fields = fields.split_ascii_whitespace().skip(UTIME_AFTER_NAME);
        let mut ticks = || -> anyhow::Result<u32> {
            fields
                .next()
                .context("`stat` is too short")?
                .parse()
                .context("`stat` has no number")
        };
        let user = ticks()?;
        let system = ticks()?;
        Ok(Self(TICK * user + TICK * system))
    }

    /// What was used since an earlier look.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Resident memory in MiB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory {
    /// Now.
    pub resident_mib: f64,
    /// The most there ever was.
    pub peak_mib: f64,
}

impl Memory {
    /// Reads the text of `/proc/PID/status`.
    pub fn parse(status: &str) -> anyhow::Result<Self> {
        Ok(Self {
            resident_mib: mebibytes(status, "VmRSS:")?,
            peak_mib: mebibytes(status, "VmHWM:")?,
        })
    }
}

fn mebibytes(status: &str, name: &str) -> anyhow::Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let value = line.with_context(|| format!("`status` has no {name}"))?;
    let number = value
        .trim()
        .strip_suffix("kB")
        .with_context(|| format!("{name} is not in kB"))?;
    Ok(number
        .trim()
        .parse::<f64>()
        .with_context(|| format!("{name} is no number"))?
        / KIBIBYTES_PER_MEBIBYTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "4242 (diamond-server) S 1 4242 4242 0 -1 4194304 5432 0 1 0 250 75 3 4 20 \
                        0 5 0 123456 104857600 6400 18446744073709551615 1 1 0 0 0 0 0 4096 17642 \
                        0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0";

    #[test]
    fn usage_is_user_and_system_without_waited_for_children() {
        assert_eq!(
            Usage::parse(STAT).unwrap(),
            Usage(Duration::from_millis(3250))
        );
    }

    #[test]
    fn a_name_with_brackets_and_blanks_moves_nothing() {
        let odd = STAT.replace("(diamond-server)", "(a) b (c) 9 9)");
        assert_eq!(Usage::parse(&odd).unwrap(), Usage::parse(STAT).unwrap());
    }

    #[test]
    fn a_short_or_garbled_stat_is_an_error() {
        assert!(Usage::parse("").is_err());
        assert!(Usage::parse("1 (x) S 1 2 3").is_err());
        assert!(Usage::parse(&STAT.replace(" 250 ", " many ")).is_err());
    }

    #[test]
    fn usage_between_two_looks() {
        let (earlier, later) = (Usage(Duration::from_secs(2)), Usage(Duration::from_secs(5)));
        assert_eq!(later.since(earlier), Duration::from_secs(3));
    }

    #[test]
    fn memory_is_read_by_name() {
        let status = "Name:\tdiamond-server\nVmPeak:\t  999999 kB\nVmHWM:\t   20480 kB\n\
                      VmRSS:\t   15360 kB\nRssAnon:\t 1 kB\n";
        let memory = Memory::parse(status).unwrap();
        assert_eq!((memory.resident_mib, memory.peak_mib), (15.0, 20.0));
        assert!(Memory::parse("Name:\tx\n").is_err());
        assert!(Memory::parse(&status.replace("15360 kB", "15360 MB")).is_err());
    }

    #[test]
    fn the_real_files_have_this_form() {
        let own = |file: &str| std::fs::read_to_string(format!("/proc/self/{file}")).unwrap();
        Usage::parse(&own("stat")).unwrap();
        let memory = Memory::parse(&own("status")).unwrap();
        assert!(memory.resident_mib > 0.0 && memory.peak_mib >= memory.resident_mib);
    }
}
