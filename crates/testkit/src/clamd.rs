//! A clamd of the test's own, with signatures of the test's own, that can be killed in the middle and brought back.
//!
//! Invariant: it finds what contains [`VIRUS`] and nothing else, and ends with the test, also with one that fails.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// What it finds, wherever in a file it is.
pub const VIRUS: &str = "THORBIS-TEST-VIRUS-THAT-DOES-NOTHING";
/// What it calls that.
pub const NAME: &str = "Thorbis.Test.UNOFFICIAL";
/// Bytes of a file that it takes.
pub const BYTES_MAX: usize = 1_048_576;

/// The server.
pub struct Clamd {
    folder: TempDir,
    child: Child,
}

impl Clamd {
    /// Starts one and waits until it answers.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let signatures = folder.path().join("signatures");
        std::fs::create_dir(&signatures).expect("a folder");
        let hex = VIRUS.bytes().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        std::fs::write(signatures.join("test.ndb"), format!("Thorbis.Test:0:*:{hex}\n")).expect("a signature");
        let socket = socket(&folder);
        let said = format!(
            "LocalSocket {}\nDatabaseDirectory {}\nForeground yes\nStreamMaxLength {BYTES_MAX}\nConcurrentDatabaseReload no\n",
            socket.display(),
            signatures.display()
        );
        std::fs::write(folder.path().join("clamd.conf"), said).expect("its settings");
        let child = run(&folder);
        Self { folder, child }
    }

    /// Returns where it is.
    pub fn address(&self) -> String {
        format!("unix://{}", socket(&self.folder).display())
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }

    /// Starts it again at the same place, after it was killed.
    pub fn revive(&mut self) {
        self.child = run(&self.folder);
    }
}

impl Drop for Clamd {
    fn drop(&mut self) {
        let _ended = self.child.kill().is_ok() && self.child.wait().is_ok();
    }
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("clamd.sock")
}

fn run(folder: &TempDir) -> Child {
    let program = if std::path::Path::new("/usr/sbin/clamd").is_file() { "/usr/sbin/clamd" } else { "clamd" };
    let mut command = Command::new(program);
    command.arg("--config-file").arg(folder.path().join("clamd.conf"));
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.expect("clamd is there: it is Debian's package clamav-daemon");
    let deadline = Instant::now() + PATIENCE;
    while !answers(&socket(folder)) {
        assert!(Instant::now() < deadline && matches!(child.try_wait(), Ok(None)), "clamd does not answer");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

fn answers(socket: &PathBuf) -> bool {
    let asked = || {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"zPING\0")?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        std::io::Result::Ok(&answer == b"PONG")
    };
    asked().unwrap_or(false)
}
