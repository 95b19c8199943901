//! A PostgreSQL server that a test may stop, hold and start again.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use super::cluster::{Account, answers, arguments, initialise, programs};
use crate::free_port;

/// A server of one test's own. It ends, and its folder goes, when this is dropped.
#[derive(Debug)]
pub struct PostgresServer {
    programs: PathBuf,
    account: Account,
    folder: PathBuf,
    port: u16,
    running: Option<Child>,
}

impl PostgresServer {
    /// Makes and starts one.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub async fn start() -> Self {
        let (programs, account) = (programs(), Account::find());
        let folder = account.folder();
        initialise(&programs, &account, &folder);
        let mut server = Self {
            programs,
            account,
            folder,
            port: free_port(),
            running: None,
        };
        server.start_again().await;
        server
    }

    /// The address of its one database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it on the data that it had.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_again(&mut self) {
        let log = std::fs::File::create(self.folder.join("log")).expect("a log");
        let words = self.account.command(&self.programs.join("postgres"));
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "QUIT", "--"])
            .args(words)
            .args(arguments(&self.folder, self.port))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.running = Some(child.expect("setpriv can be started"));
        assert!(
            answers(&self.url(), &self.folder).await,
            "the port is taken"
        );
    }

    /// Ends it at once, without closing anything, as `pg_ctl stop -m immediate` does.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            self.signal("QUIT", child.id());
            let _ = child.wait();
        }
    }

    /// Freezes it: connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.signal_all("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal_all("CONT");
    }

    fn signal_all(&self, name: &str) {
        let Some(child) = &self.running else { return };
        // The head first, so that it makes no more children.
        self.signal(name, child.id());
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        for id in children.split_whitespace().filter_map(|id| id.parse().ok()) {
            self.signal(name, id);
        }
    }

    #[expect(
        clippy::unused_self,
        reason = "only processes of this server are meant"
    )]
    fn signal(&self, name: &str, process: u32) {
        let _ = Command::new("kill")
            .args([format!("-{name}"), process.to_string()])
            .status();
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.thaw();
        self.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
