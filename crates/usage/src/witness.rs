//! The port to whoever keeps signed checkpoints of the audit chain elsewhere, and the file that
//! does.

use std::{
    fs,
    io::{self, BufRead as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use diamond_domain::{Checkpoint, NodeId};

/// Why a checkpoint was not taken.
#[derive(Debug, thiserror::Error)]
#[error("the witness does not take checkpoints: {0}")]
pub struct WitnessError(pub String);

/// Keeps checkpoints where neither the data folder nor the control database can change them.
///
/// `send` returns when the checkpoint is kept; sending one twice does no harm. Checkpoints of a
/// chain are sent in their order.
#[async_trait]
pub trait Witness: Send + Sync {
    /// What it is called in reports.
    fn name(&self) -> &'static str;

    /// Hands a checkpoint over.
    async fn send(&self, checkpoint: &Checkpoint) -> Result<(), WitnessError>;

    /// The last checkpoint of a node's chain that it has, when it can be asked.
    async fn last(&self, node: NodeId) -> Result<Option<Checkpoint>, WitnessError>;
}

/// A file that grows by a line of JSON for each checkpoint. It is opened anew for each, so that a
/// folder that went away or came back is noticed.
#[derive(Debug, Clone)]
pub struct WitnessFile(PathBuf);

impl WitnessFile {
    /// The file at this path; it need not be there.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    fn folder(&self) -> &Path {
        match self.0.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    fn append(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let is_new = !self.0.exists();
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.0)?;
        let mut line = Vec::new();
        // A line that a full disk tore must not swallow this one.
        if !ends_with_newline(&self.0)? {
            line.push(b'\n');
        }
        serde_json::to_writer(&mut line, checkpoint)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_data()?;
        if is_new {
            fs::File::open(self.folder())?.sync_all()?;
        }
        Ok(())
    }

    fn read_last(&self, node: NodeId) -> io::Result<Option<Checkpoint>> {
        let file = match fs::File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut last: Option<Checkpoint> = None;
        for line in io::BufReader::new(file).split(b'\n') {
            let Ok(checkpoint) = serde_json::from_slice::<Checkpoint>(&line?) else {
                continue;
            };
            let further = last.as_ref().is_none_or(|last| {
                (checkpoint.chain, checkpoint.sequence) >= (last.chain, last.sequence)
            });
            if checkpoint.node == node && further {
                last = Some(checkpoint);
            }
        }
        Ok(last)
    }
}

fn ends_with_newline(path: &Path) -> io::Result<bool> {
    use std::io::{Read as _, Seek as _};
    let mut file = fs::File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(io::SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[async_trait]
impl Witness for WitnessFile {
    fn name(&self) -> &'static str {
        "file"
    }

    async fn send(&self, checkpoint: &Checkpoint) -> Result<(), WitnessError> {
        let (file, checkpoint) = (self.clone(), checkpoint.clone());
        blocking(move || file.append(&checkpoint)).await
    }

    async fn last(&self, node: NodeId) -> Result<Option<Checkpoint>, WitnessError> {
        let file = self.clone();
        blocking(move || file.read_last(node)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, WitnessError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| WitnessError(error.to_string()))?
        .map_err(|error| WitnessError(error.to_string()))
}
