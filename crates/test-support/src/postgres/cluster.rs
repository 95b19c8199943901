//! A PostgreSQL server for one test process, in a temporary folder.

use std::{
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use sqlx::{Connection as _, PgConnection};

use crate::free_port;

/// Runs the server and outlives the test process just long enough to stop it and to remove its
/// folder: its standard input closes when that process ends, in whatever way.
const KEEPER: &str = r#"
    trap '' INT TERM HUP
    folder=$1; shift
    "$@" >"$folder/log" 2>&1 &
    server=$!
    read -r _
    kill -QUIT "$server" 2>/dev/null
    wait "$server"
    rm -rf -- "$folder"
"#;

/// A port may be taken between choosing it and listening on it.
const ATTEMPTS: u32 = 5;

/// How long a server may take to begin; a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. A static holds it, so it is never dropped; the keeper ends it.
pub(super) struct Cluster {
    url: String,
    _keeper: Child,
    _lifeline: ChildStdin,
}

impl Cluster {
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) async fn start() -> Self {
        let programs = programs();
        let account = Account::find();
        for _ in 0..ATTEMPTS {
            let folder = account.folder();
            initialise(&programs, &account, &folder);
            let port = free_port();
            let (keeper, lifeline) = launch(&programs, &account, &folder, port);
            let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
            if answers(&url, &folder).await {
                return Self {
                    url,
                    _keeper: keeper,
                    _lifeline: lifeline,
                };
            }
        }
        panic!("PostgreSQL found no free port in {ATTEMPTS} attempts");
    }
}

/// Where `initdb` and `postgres` are.
pub(super) fn programs() -> PathBuf {
    let told = Command::new("pg_config").arg("--bindir").output().ok();
    let told = told.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let mut folders: Vec<PathBuf> = told.into_iter().collect();
    // Debian keeps the servers out of the search path, a folder for each version.
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<_> = versions
            .filter_map(|version| Some(version.ok()?.path().join("bin")))
            .collect();
        versions.sort();
        folders.extend(versions.into_iter().rev());
    }
    folders
        .into_iter()
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .expect(
            "PostgreSQL is not installed: `apt-get install postgresql`, or set TEST_DATABASE_URL \
             to a server on which databases may be created",
        )
}

/// Who runs the server: PostgreSQL refuses to be root.
#[derive(Debug)]
pub(super) enum Account {
    Ourselves,
    Postgres { user: u32, group: u32 },
}

impl Account {
    pub(super) fn find() -> Self {
        if id(&["-u"]) != Some(0) {
            return Self::Ourselves;
        }
        match (id(&["-u", "postgres"]), id(&["-g", "postgres"])) {
            (Some(user), Some(group)) => Self::Postgres { user, group },
            _ => panic!("root cannot run PostgreSQL, and there is no user `postgres` to run it"),
        }
    }

    pub(super) fn folder(&self) -> PathBuf {
        let folder = tempfile::Builder::new()
            .prefix("diamond-postgres-")
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir()
            .expect("a temporary folder")
            // From now on the keeper removes it.
            .keep();
        if let Self::Postgres { user, group } = *self {
            chown(&folder, Some(user), Some(group)).expect("root may give a folder away");
        }
        folder
    }

    pub(super) fn command(&self, program: &Path) -> Vec<String> {
        let mut words = Vec::new();
        if let Self::Postgres { user, group } = self {
            words.push("setpriv".to_owned());
            words.push(format!("--reuid={user}"));
            words.push(format!("--regid={group}"));
            words.push("--clear-groups".to_owned());
            words.push("--".to_owned());
        }
        words.push(program.display().to_string());
        words
    }
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

pub(super) fn initialise(programs: &Path, account: &Account, folder: &Path) {
    let words = account.command(&programs.join("initdb"));
    let output = Command::new(&words[0])
        .args(&words[1..])
        .arg("--pgdata")
        .arg(folder.join("data"))
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8"])
        // A language's order of letters, not that of bytes: what an operator's server may have.
        .args([
            "--locale=C.UTF-8",
            "--locale-provider=icu",
            "--icu-locale=en-US",
        ])
        .args(["--no-sync", "--no-instructions"])
        .current_dir("/")
        .output()
        .expect("initdb can be started");
    assert!(
        output.status.success(),
        "initdb failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn launch(programs: &Path, account: &Account, folder: &Path, port: u16) -> (Child, ChildStdin) {
    let mut keeper = Command::new("sh")
        .args(["-c", KEEPER, "keeper"])
        .arg(folder)
        .args(account.command(&programs.join("postgres")))
        .args(arguments(folder, port))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh can be started");
    let lifeline = keeper.stdin.take().unwrap();
    (keeper, lifeline)
}

/// What `postgres` is started with.
pub(super) fn arguments(folder: &Path, port: u16) -> Vec<String> {
    let data = folder.join("data").display().to_string();
    let port = port.to_string();
    let words = [
        "-D",
        &data,
        "-p",
        &port,
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "unix_socket_directories=",
        "-c",
        "max_connections=400",
        // Nobody reads the files after the machine's death: the folder goes with the process.
        "-c",
        "fsync=off",
        "-c",
        "full_page_writes=off",
    ];
    words.map(str::to_owned).to_vec()
}

/// Waits until the server answers; `false` when another program has its port.
pub(super) async fn answers(url: &str, folder: &Path) -> bool {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        if log.contains("could not bind") {
            return false;
        }
        let ready = log.contains("ready to accept connections");
        if ready && let Ok(connection) = PgConnection::connect(url).await {
            let _ = connection.close().await;
            return true;
        }
        // A client that comes too early is a FATAL of its own.
        let mut fatal = log.lines().filter(|line| line.contains("FATAL"));
        // (It says "starting up", "not yet accepting connections" or "in recovery mode".)
        let failed = fatal.any(|line| !line.contains("the database system is"));
        assert!(
            tokio::time::Instant::now() < deadline && !failed,
            "PostgreSQL does not start:\n{log}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
