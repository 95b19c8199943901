//! The file of profiles: `~/.config/diamond/config.toml`, readable by its owner only.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// A server, and a token for it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The server's address.
    pub url: String,
    /// The token, which is sent to that address only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Zeroizing<String>>,
    /// Authorities to trust besides the machine's, as PEM in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// The profiles.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileFile {
    /// The one that is used when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_profile: Option<String>,
    /// By name.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

impl ProfileFile {
    /// Reads the file; a missing one has no profiles.
    ///
    /// A file that others can read or change is refused: its tokens may be known already.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::input(format!("{shown} cannot be read: {error}"))),
        };
        if metadata.mode() & 0o077 != 0 {
            return Err(Failure::input_with_hint(
                format!(
                    "{shown} has mode {:04o}: others can reach the tokens in it",
                    metadata.mode() & 0o7777
                ),
                format!("chmod 600 {shown}, and consider its tokens known to others"),
            ));
        }
        let text = Zeroizing::new(
            fs::read_to_string(path)
                .map_err(|error| Failure::input(format!("{shown} cannot be read: {error}")))?,
        );
        // The parser's full report quotes the line at fault, which may hold a token.
        toml::from_str(&text)
            .map_err(|error| Failure::input(format!("{shown} is not valid: {}", error.message())))
    }

    /// Writes the file with mode 0600, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = Zeroizing::new(
            toml::to_string_pretty(self).map_err(|error| Failure::input(error.to_string()))?,
        );
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let next = PathBuf::from(format!("{}.{}.next", path.display(), std::process::id()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&next)?;
        let written = file
            .set_permissions(fs::Permissions::from_mode(0o600))
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&next, path));
        if written.is_err() {
            let _ = fs::remove_file(&next);
        }
        Ok(written?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_with(url: &str) -> ProfileFile {
        let token = Some(Zeroizing::new("dmd_canary".to_owned()));
        let profile = Profile {
            url: url.into(),
            token,
            ca_file: None,
        };
        ProfileFile {
            default_profile: Some("work".into()),
            profiles: [("work".to_owned(), profile)].into(),
        }
    }

    #[test]
    fn what_was_written_reads_back_and_only_the_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("diamond/config.toml");
        file_with("http://one").write(&path).unwrap();
        file_with("http://two").write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let file = ProfileFile::read(&path).unwrap();
        assert_eq!(file.profiles["work"].url, "http://two");
        assert_eq!(
            file.profiles["work"].token.as_deref().unwrap(),
            "dmd_canary"
        );
        assert!(!format!("{file:?}").contains("canary"));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        file_with("http://one").write(&path).unwrap();
        for mode in [0o640, 0o604, 0o602, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = ProfileFile::read(&path).unwrap_err();
            assert!(refused.to_string().contains(&format!("{mode:04o}")));
            assert!(refused.hint().unwrap().contains("chmod 600"));
        }
    }

    #[test]
    fn a_broken_file_does_not_show_its_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "[profiles.work]\nurl = 1\ntoken = \"dmd_canary").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = ProfileFile::read(&path).unwrap_err();
        assert!(!refused.to_string().contains("canary"), "{refused}");
    }

    #[test]
    fn a_missing_file_has_no_profiles() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            ProfileFile::read(&folder.path().join("none"))
                .unwrap()
                .profiles
                .is_empty()
        );
    }
}
