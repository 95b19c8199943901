//! The data folder: private, one node's, and whole.
//!
//! A mark in it says which installation and node it belongs to. A folder that has the mark and
//! lacks a part was damaged: starting all the same would hide the loss behind new, empty stores.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use diamond_domain::{Clock, InstallationId, NodeId};
use serde::{Deserialize, Serialize};

/// The mark's file.
const MARK: &str = "node.json";
/// What every marked folder holds.
const PARTS: &[&str] = &["events", "users", "audit"];
/// The control database, when it is embedded.
pub(crate) const DATABASE: &str = "control.db";

/// Where a restore unpacks; a folder that has it was not brought back to its end.
pub(crate) const RESTORING: &str = "restoring";

/// The folder's mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    installation: InstallationId,
    node: NodeId,
}

/// A data folder that may be opened.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    mark: Option<Mark>,
}

impl DataFolder {
    /// Makes the folder if it is not there, and sees whether it is whole.
    pub(crate) fn open(path: &Path, embedded_database: bool) -> anyhow::Result<Self> {
        let path = std::path::absolute(path).context("the data folder has no absolute path")?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("the data folder {} cannot be made", path.display()))?;
        ensure!(
            !path.join(RESTORING).exists(),
            "a restore into the data folder {} was not finished: begin it anew (`diamond-server \
             restore`)",
            path.display()
        );
        let mark = read_mark(&path.join(MARK))?;
        if mark.is_some() {
            let database = embedded_database.then_some(DATABASE);
            for part in PARTS.iter().copied().chain(database) {
                ensure!(
                    path.join(part).exists(),
                    "`{part}` is missing from the data folder {}: bring it back from a backup; \
                     an empty one would hide what is lost",
                    path.display()
                );
            }
        }
        Ok(Self { path, mark })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whose folder it is, once all its parts are there: marks a new one, and refuses one that
    /// belongs to another installation.
    pub(crate) fn node_of(
        &self,
        installation: InstallationId,
        clock: &dyn Clock,
    ) -> anyhow::Result<NodeId> {
        match self.mark {
            Some(mark) if mark.installation == installation => Ok(mark.node),
            Some(mark) => bail!(
                "the data folder {} belongs to the installation {}, the control database to {}: \
                 one of them is not the right one",
                self.path.display(),
                mark.installation,
                installation
            ),
            None => {
                let mark = Mark {
                    installation,
                    node: NodeId::generate(clock.now()),
                };
                write_mark(&self.path, &mark)
                    .with_context(|| format!("{MARK} cannot be written"))?;
                Ok(mark.node)
            }
        }
    }
}

fn read_mark(path: &Path) -> anyhow::Result<Option<Mark>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .with_context(|| format!("{} is not what was written there", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// Whole or not at all: written beside its place, made durable, then moved there.
fn write_mark(folder: &Path, mark: &Mark) -> anyhow::Result<()> {
    let draft = folder.join("node.json.new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(&serde_json::to_vec_pretty(mark)?)?;
    file.sync_all()?;
    fs::rename(&draft, folder.join(MARK))?;
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}
