//! Child processes: one for every program that is measured, so that its cost is its own.

mod proc_fs;

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
};

pub use proc_fs::{Memory, Usage};

/// What a part prints, followed by its address, when it accepts connections.
pub const READY_PREFIX: &str = "listening on ";
/// How long a program may take to say so.
pub const START_LIMIT: Duration = Duration::from_secs(60);

/// A running program; it ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: u32,
    address: SocketAddr,
    // Closing it would make the part's next line an error.
    _output: Option<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts this program in another part and waits until it listens.
    pub async fn start_part(arguments: &[&str]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program's own path is unknown")?;
        let mut child = Command::new(program)
            .args(arguments)
            // The part ends when this closes, also when we are killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("`{}` cannot be started", arguments.join(" ")))?;
        let pid = child.id().context("the part ended at once")?;
        let output = child.stdout.take().context("the part has no output")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        tokio::time::timeout(START_LIMIT, output.read_line(&mut line))
            .await
            .with_context(|| format!("`{}` does not start", arguments.join(" ")))??;
        let address = line
            .trim()
            .strip_prefix(READY_PREFIX)
            .with_context(|| format!("`{}` said {line:?}", arguments.join(" ")))?
            .parse()?;
        Ok(Self {
            child,
            pid,
            address,
            _output: Some(output),
        })
    }

    /// Starts another program that was told to listen on `address`; its log goes to a file.
    pub fn start(mut command: Command, address: SocketAddr, log: &Path) -> anyhow::Result<Self> {
        let file = std::fs::File::create(log)
            .with_context(|| format!("{} cannot be written", log.display()))?;
        let program = command.as_std().get_program().to_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let pid = child.id().context("the program ended at once")?;
        Ok(Self {
            child,
            pid,
            address,
            _output: None,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An error if it has ended.
    pub fn check_alive(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the program ended early ({status})"),
        }
    }

    /// Asks it to end, as an operator would, and waits until it has; an error if it does not end
    /// well.
    pub async fn terminate(mut self) -> anyhow::Result<()> {
        // The shell's own `kill`: sending a signal from here would need `unsafe`.
        let asked = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &self.pid.to_string()])
            .status()
            .await;
        if !asked.is_ok_and(|status| status.success()) {
            bail!("SIGTERM cannot be sent");
        }
        let ended = tokio::time::timeout(START_LIMIT, self.child.wait());
        let status = ended.await.context("the program does not end")??;
        if !status.success() {
            bail!("the program ended badly ({status})");
        }
        Ok(())
    }

    /// What the whole process, all its threads, has used of the processors until now.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        Usage::parse(&self.read("stat")?)
    }

    /// What it holds in memory now.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        Memory::parse(&self.read("status")?)
    }

    fn read(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.pid);
        std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))
    }
}
