//! Exit statuses: whose fault it was.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0: done.
    Success,
    /// 1: the server or a provider could not, or limits us; trying again later may help.
    ServerFault,
    /// 2: the command line or its input is wrong.
    InvalidInput,
    /// 3: no token, or one that may not.
    NotPermitted,
    /// 4: there is no such thing, or it is somebody else's.
    NotFound,
    /// 5: it contradicts what is already there.
    Conflict,
    /// 6: the server cannot be reached.
    Unreachable,
    /// 7: the command worked, and what it checked does not hold.
    CheckFailed,
}

/// The list for `--help`.
pub const HELP: &str = "\
Exit status:
  0  done
  1  the server or a provider could not, or limits us; try again later
  2  the command line or its input is wrong
  3  not permitted: no token, or one that may not
  4  not found, or somebody else's
  5  conflict with what is already there
  6  the server cannot be reached
  7  what was checked does not hold (admin audit:verify)

Environment:
  DIAMOND_URL      address of the server
  DIAMOND_TOKEN    access token
  DIAMOND_PROFILE  profile of ~/.config/diamond/config.toml (mode 0600)";

impl ExitStatus {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::ServerFault => 1,
            Self::InvalidInput => 2,
            Self::NotPermitted => 3,
            Self::NotFound => 4,
            Self::Conflict => 5,
            Self::Unreachable => 6,
            Self::CheckFailed => 7,
        }
    }

    /// Whose fault an HTTP status means.
    #[must_use]
    pub const fn of_http(status: u16) -> Self {
        match status {
            200..=299 => Self::Success,
            401 | 403 => Self::NotPermitted,
            404 | 410 => Self::NotFound,
            409 | 412 => Self::Conflict,
            429 => Self::ServerFault,
            400..=499 => Self::InvalidInput,
            _ => Self::ServerFault,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_whose_fault_it_was() {
        for (http, exit) in [
            (200, 0),
            (302, 1),
            (400, 2),
            (401, 3),
            (402, 2),
            (403, 3),
            (404, 4),
            (405, 2),
            (409, 5),
            (413, 2),
            (415, 2),
            (422, 2),
            (429, 1),
            (500, 1),
            (503, 1),
        ] {
            assert_eq!(ExitStatus::of_http(http).code(), exit, "{http}");
        }
    }

    #[test]
    fn the_help_lists_every_status() {
        for code in 0..=7 {
            assert!(HELP.contains(&format!("\n  {code}  ")), "{code}");
        }
    }
}
