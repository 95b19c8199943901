//! Keeping keys inside the process: no core files, no debuggers of the same user, no swap.

use rustix::{
    mm::{MlockAllFlags, mlockall},
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit},
};

use crate::config::Profile;

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Hardening {
    /// Whether memory is kept out of swap.
    pub memory_locked: bool,
    /// What the system did not allow.
    pub warnings: Vec<String>,
}

/// Does what the system allows, before there is any secret in memory. Every profile forgoes core
/// files; production also locks memory.
#[must_use]
pub fn harden(profile: Profile) -> Hardening {
    let mut warnings = Vec::new();
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        warnings.push(format!(
            "core files cannot be forbidden ({error}): a crash could write every key to the disk"
        ));
    }
    // Also keeps other processes of the same user from reading our memory.
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        warnings.push(format!("the process can be dumped ({error})"));
    }
    let mut memory_locked = false;
    if profile == Profile::Production && may_lock_everything() {
        // Pages are locked when they are first used, so memory that is only reserved costs nothing.
        let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
        memory_locked = mlockall(flags).is_ok();
    }
    if !memory_locked && has_swap() {
        warnings.push(
            "memory is not locked and this machine swaps: keys can reach the swap space. Turn swap \
             off or encrypt it; or run with the production profile and an unlimited `memlock` \
             (LimitMEMLOCK=infinity)"
                .into(),
        );
    }
    Hardening {
        memory_locked,
        warnings,
    }
}

/// Under a limit, an allocation long after the start would fail at it: all or nothing.
fn may_lock_everything() -> bool {
    const CAP_IPC_LOCK: u32 = 14;
    if getrlimit(Resource::Memlock).current.is_none() {
        return true;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let capabilities = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    capabilities.is_some_and(|capabilities| capabilities >> CAP_IPC_LOCK & 1 == 1)
}

/// The first line is the head of the table. What cannot be read is taken for the worse case.
fn has_swap() -> bool {
    std::fs::read_to_string("/proc/swaps").map_or(true, |swaps| swaps.lines().count() > 1)
}

#[cfg(test)]
mod tests {
    use rustix::process::dumpable_behavior;

    use super::*;

    #[test]
    fn no_core_files_and_no_readers_of_memory_in_any_profile() {
        // What this machine has to say besides does not matter here.
        let _ = harden(Profile::Development);
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        let behavior = dumpable_behavior().unwrap();
        assert_eq!(behavior, DumpableBehavior::NotDumpable);
    }
}
