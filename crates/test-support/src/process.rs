//! A program that runs beside a test and never outlives it.

use std::{
    io::{BufRead as _, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use tokio::sync::watch;

/// How long a test waits for something that should happen at once, before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program. It is killed when this is dropped, and also when the test process dies.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    /// Tells that lines came; closed when the program has closed both streams.
    news: watch::Receiver<()>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl ServerProcess {
    /// Starts `program`; `configure` adds arguments, environment and folder.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(program: &Path, configure: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        configure(&mut command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = spawn_from_lasting_thread(command)
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let lines = Arc::default();
        let (sender, news) = watch::channel(());
        let readers = vec![
            read_lines(
                child.stdout.take().unwrap(),
                Arc::clone(&lines),
                sender.clone(),
            ),
            read_lines(child.stderr.take().unwrap(), Arc::clone(&lines), sender),
        ];
        Self {
            child,
            lines,
            news,
            readers,
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written so far, standard output and error in the order of arrival.
    #[must_use]
    pub fn output(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// The first line, written already or to come, that contains `text`.
    ///
    /// # Panics
    /// When the program ends without it, or keeps silent for a minute.
    pub async fn line_with(&self, text: &str) -> String {
        match self.line_with_or_end(text).await {
            Some(line) => line,
            None => panic!("no line with `{text}` in:\n{}", self.output()),
        }
    }

    /// The same, or `None` when the program ends without such a line.
    ///
    /// # Panics
    /// When it keeps silent for a minute.
    pub async fn line_with_or_end(&self, text: &str) -> Option<String> {
        let found = || {
            let lines = self.lines.lock().unwrap();
            lines.iter().find(|line| line.contains(text)).cloned()
        };
        let mut news = self.news.clone();
        let search = async {
            loop {
                news.borrow_and_update();
                if let Some(line) = found() {
                    return Some(line);
                }
                if news.changed().await.is_err() {
                    return found();
                }
            }
        };
        match tokio::time::timeout(PATIENCE, search).await {
            Ok(line) => line,
            Err(_) => panic!("no line with `{text}` in:\n{}", self.output()),
        }
    }

    /// Waits until `GET url`, sent by `client`, is answered with success.
    ///
    /// # Panics
    /// When the program ends first, or a minute has passed.
    pub async fn until_ready(&mut self, client: &reqwest::Client, url: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = client.get(url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            let ended = self.child.try_wait().expect("the program can be asked");
            let late = tokio::time::Instant::now() > deadline;
            assert!(
                ended.is_none() && !late,
                "not ready ({ended:?}):\n{}",
                self.output()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks it to stop (SIGTERM), without waiting.
    pub fn terminate(&self) {
        // The shell's own `kill`: sending a signal from here would need `unsafe`.
        let status = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\""])
            .arg(self.child.id().to_string())
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "cannot send SIGTERM"
        );
    }

    /// Stops it at once (SIGKILL), as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().expect("the program can be killed");
        self.wait();
    }

    /// Waits for its end; all of its output is there afterwards.
    pub fn wait(&mut self) -> ExitStatus {
        let status = self.child.wait().expect("the program can be waited for");
        for reader in self.readers.drain(..) {
            reader.join().expect("the output can be read");
        }
        status
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(
    stream: impl Read + Send + 'static,
    lines: Arc<Mutex<Vec<String>>>,
    news: watch::Sender<()>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            lines.lock().unwrap().push(line);
            news.send_replace(());
        }
    })
}

/// The kernel sends the death signal when the *thread* that started the child ends, and the
/// threads of tests end early; so one thread that never ends starts them all.
fn spawn_from_lasting_thread(command: Command) -> std::io::Result<Child> {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static ORDERS: Mutex<Option<mpsc::Sender<Order>>> = Mutex::new(None);

    let orders = {
        let mut orders = ORDERS.lock().unwrap();
        orders
            .get_or_insert_with(|| {
                let (sender, receiver) = mpsc::channel::<Order>();
                thread::spawn(move || {
                    for (mut command, reply) in receiver {
                        let _ = reply.send(command.spawn());
                    }
                });
                sender
            })
            .clone()
    };
    let (reply, answer) = mpsc::channel();
    orders
        .send((command, reply))
        .expect("the starting thread lives");
    answer.recv().expect("the starting thread answers")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> ServerProcess {
        ServerProcess::spawn(Path::new("sh"), |command| {
            command.args(["-c", script]);
        })
    }

    #[tokio::test]
    async fn lines_are_found_whether_they_came_before_or_after() {
        let mut process = shell("echo one; echo two >&2; echo three");
        assert_eq!(process.line_with("thr").await, "three");
        assert_eq!(process.line_with("on").await, "one");
        assert!(process.wait().success());
        assert!(process.output().contains("two"));
    }

    #[tokio::test]
    async fn a_polite_program_ends_by_itself_and_a_dropped_one_is_gone() {
        let mut polite = shell("trap 'echo bye; exit 7' TERM; echo up; while :; do read x; done");
        polite.line_with("up").await;
        polite.terminate();
        assert_eq!(polite.wait().code(), Some(7));
        assert!(polite.output().contains("bye"));

        let stubborn = shell("trap '' TERM; echo up; exec sleep 600");
        stubborn.line_with("up").await;
        let folder = format!("/proc/{}", stubborn.id());
        assert!(Path::new(&folder).exists());
        drop(stubborn);
        assert!(!Path::new(&folder).exists());
    }
}
