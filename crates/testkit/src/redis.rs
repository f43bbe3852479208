//! A Redis of the test's own, on a socket of its own, that can be killed in the middle and brought back.
//!
//! Invariant: it keeps nothing and ends with the test, also with one that fails.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server.
pub struct Redis {
    folder: TempDir,
    child: Child,
}

impl Redis {
    /// Starts one and waits until it answers.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let child = run(&folder);
        Self { folder, child }
    }

    /// Returns where it is.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", socket(&self.folder).display())
    }

    /// Kills it, and with it what it knew.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }

    /// Starts it again at the same place, after it was killed.
    pub fn revive(&mut self) {
        self.child = run(&self.folder);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ended = self.child.kill().is_ok() && self.child.wait().is_ok();
    }
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("redis.sock")
}

fn run(folder: &TempDir) -> Child {
    let socket = socket(folder);
    let mut command = Command::new("redis-server");
    command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]).arg(&socket).arg("--dir").arg(folder.path());
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.expect("redis-server is on the search path: it is Debian's package of that name");
    let deadline = Instant::now() + PATIENCE;
    while !answers(&socket) {
        assert!(Instant::now() < deadline && matches!(child.try_wait(), Ok(None)), "redis-server does not answer");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn answers(socket: &PathBuf) -> bool {
    let asked = || {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        std::io::Result::Ok(&answer == b"+PONG")
    };
    asked().unwrap_or(false)
}
