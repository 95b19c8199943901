//! Where the texts of new tokens go: each is written once, by whoever made it, before anything
//! else is done.
//!
//! The server keeps a token's hash only, so a text that is lost between its answer and our disk
//! cannot be had again. Beside the file stands another, `….begun`, that names each token before it
//! is asked for. A later run that finds a token there which exists, was never used, and has no text
//! in the file knows that nobody has it, and makes another in its place.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use diamond_api_types::CreateTokenResponse;
use diamond_domain::{TenantId, TokenId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Where tokens are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// Standard output.
    Output,
    /// A file that only its owner reads.
    File(PathBuf),
}

impl FromStr for TokenPlace {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "-" => Self::Output,
            path => Self::File(path.into()),
        })
    }
}

/// A token, by whose it is and what it is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Named {
    tenant: TenantId,
    name: String,
}

/// A line of the file.
#[derive(Serialize)]
struct Line<'a> {
    tenant: &'a TenantId,
    name: &'a str,
    id: TokenId,
    token: &'a str,
}

/// Tokens that an earlier run asked for and whose text is not in the file.
#[derive(Debug, Default)]
pub struct Begun(BTreeSet<Named>);

impl Begun {
    /// Whether the text of this token may have been lost.
    pub fn lost(&self, tenant: &TenantId, name: &str) -> bool {
        let named = Named {
            tenant: tenant.clone(),
            name: name.to_owned(),
        };
        self.0.contains(&named)
    }
}

impl TokenPlace {
    /// What an earlier run began.
    pub fn begun(&self) -> Result<Begun, Failure> {
        let Self::File(path) = self else {
            return Ok(Begun::default());
        };
        let mut begun = read_lines(&begun_path(path))?;
        // A line with a text names its token in the same way.
        for written in read_lines(path)? {
            begun.remove(&written);
        }
        Ok(Begun(begun))
    }

    /// Ready to take tokens; `None` for standard output.
    pub fn open(&self) -> Result<Option<TokenSink>, Failure> {
        let Self::File(path) = self else {
            return Ok(None);
        };
        let files = Files {
            tokens: private(path)?,
            begun: appendable(&begun_path(path))?,
        };
        Ok(Some(TokenSink {
            files: Mutex::new(files),
            begun: begun_path(path),
        }))
    }
}

/// Takes the texts of new tokens.
#[derive(Debug)]
pub struct TokenSink {
    files: Mutex<Files>,
    begun: PathBuf,
}

#[derive(Debug)]
struct Files {
    tokens: File,
    begun: File,
}

impl TokenSink {
    /// Before a token is asked for.
    pub fn begin(&self, tenant: &TenantId, name: &str) -> Result<(), Failure> {
        let named = Named {
            tenant: tenant.clone(),
            name: name.to_owned(),
        };
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(append(&mut files.begun, &named)?)
    }

    /// Writes a token down, to the disk.
    pub fn keep(&self, tenant: &TenantId, created: &CreateTokenResponse) -> Result<(), Failure> {
        let line = Line {
            tenant,
            name: &created.description.name,
            id: created.description.id,
            token: created.token.expose(),
        };
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(append(&mut files.tokens, &line)?)
    }

    /// Every token that was asked for has its text.
    pub fn finish(self) -> Result<(), Failure> {
        Ok(fs::remove_file(&self.begun)?)
    }
}

fn append(file: &mut File, line: &impl Serialize) -> io::Result<()> {
    let mut text = Zeroizing::new(serde_json::to_string(line)?);
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

fn begun_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".begun");
    name.into()
}

/// Opens the file of tokens, or refuses one that is not for its owner alone.
fn private(path: &Path) -> Result<File, Failure> {
    let file = appendable(path)?;
    let metadata = file.metadata().map_err(|error| unwritable(path, &error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.display();
        return Err(Failure::input_with_hint(
            format!("others may read {path} (mode {mode:03o}): tokens are not written there"),
            format!("chmod 600 {path}, or name another file"),
        ));
    }
    Ok(file)
}

/// Opens a file to append whole lines to; a new one is for its owner alone.
fn appendable(path: &Path) -> Result<File, Failure> {
    let open = || {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(path)?;
        // A line that a death cut short must not swallow the next one.
        if file.metadata()?.len() > 0 && !ends_with_line_end(path)? {
            file.write_all(b"\n")?;
        }
        Ok(file)
    };
    open().map_err(|error: io::Error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::input(format!("{} cannot be written: {error}", path.display()))
}

fn ends_with_line_end(path: &Path) -> io::Result<bool> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// The lines that are whole; none when there is no file.
fn read_lines(path: &Path) -> Result<BTreeSet<Named>, Failure> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => {
            return Err(Failure::input(format!(
                "{} cannot be read: {error}",
                path.display()
            )));
        }
    };
    let mut lines = BTreeSet::new();
    for line in BufReader::new(file).split(b'\n') {
        let line = Zeroizing::new(line?);
        if let Ok(read) = serde_json::from_slice(&line) {
            lines.insert(read);
        }
    }
    Ok(lines)
}
