//! A PostgreSQL server of a test's own, set as the test says; it ends with the test.

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use postgres::{Config, SslMode};
use tempfile::TempDir;

pub(crate) struct Machine {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
}

impl Machine {
    /// Makes it, with checksums of pages or without.
    pub(crate) fn make(has_checksums: bool, settings: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("thorbis-doctor-").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let port = testkit::free_port();
        let machine = Self { programs: programs(), folder, port };
        if is_root() {
            give(machine.folder.path());
        }
        let mut initdb = machine.command("initdb");
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "--pgdata"]).arg(machine.data());
        if has_checksums {
            initdb.arg("--data-checksums");
        } else if machine.major() >= 18 {
            initdb.arg("--no-data-checksums");
        }
        run(initdb);
        let own = format!(
            "listen_addresses = ''\nport = {port}\nunix_socket_directories = '{}'\nshared_buffers = 16MB\nmax_wal_senders = 4\n{settings}",
            machine.folder.path().display()
        );
        let file = machine.data().join("postgresql.auto.conf");
        std::fs::write(&file, own).unwrap();
        std::fs::write(machine.data().join("pg_hba.conf"), "local all,replication all trust\n").unwrap();
        machine
    }

    pub(crate) fn start(&self) {
        let mut start = self.command("pg_ctl");
        start.arg("--pgdata").arg(self.data()).arg("--log").arg(self.data().join("log")).args(["--wait", "--timeout=60", "start"]);
        run(start);
    }

    pub(crate) fn stop(&self) {
        let mut stop = self.command("pg_ctl");
        // A clean end writes everything, which a torn page needs.
        stop.arg("--pgdata").arg(self.data()).args(["--mode=fast", "--wait", "stop"]);
        run(stop);
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new();
        config.host_path(self.folder.path()).port(self.port).user("postgres").dbname("postgres").ssl_mode(SslMode::Disable);
        config
    }

    /// Changes a byte of a table's first page, as a failing disk does.
    pub(crate) fn tear(&self, file: &str) {
        let mut file = std::fs::File::options().read(true).write(true).open(self.data().join(file)).unwrap();
        let mut byte = [0];
        file.seek(SeekFrom::Start(8000)).unwrap();
        file.read_exact(&mut byte).unwrap();
        file.seek(SeekFrom::Start(8000)).unwrap();
        file.write_all(&[!byte[0]]).unwrap();
    }

    /// A copy that takes the log and confirms nothing, for as long as the answer is held.
    pub(crate) fn copy(&self) -> UnixStream {
        let mut stream = UnixStream::connect(self.folder.path().join(format!(".s.PGSQL.{}", self.port))).unwrap();
        let mut start = vec![0, 3, 0, 0];
        for word in ["user", "postgres", "replication", "true", "application_name", "doctor_copy"] {
            start.extend(word.as_bytes());
            start.push(0);
        }
        start.push(0);
        stream.write_all(&u32::try_from(start.len() + 4).unwrap().to_be_bytes()).unwrap();
        stream.write_all(&start).unwrap();
        until(&mut stream, b'Z');
        let query = b"START_REPLICATION PHYSICAL 0/1000000\0";
        stream.write_all(b"Q").unwrap();
        stream.write_all(&u32::try_from(query.len() + 4).unwrap().to_be_bytes()).unwrap();
        stream.write_all(query).unwrap();
        until(&mut stream, b'W');
        stream
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn major(&self) -> u32 {
        let output = Command::new(self.programs.join("postgres")).arg("--version").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().nth(2).unwrap().split('.').next().unwrap().parse().unwrap()
    }

    /// PostgreSQL refuses to run as root.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Where the test failed it still runs.
        let mut stop = self.command("pg_ctl");
        stop.arg("--pgdata").arg(self.data()).args(["--mode=immediate", "stop"]).stdout(Stdio::null()).stderr(Stdio::null());
        let _stopped = stop.status().is_ok();
    }
}

/// Reads messages until one of a kind came.
fn until(stream: &mut UnixStream, kind: u8) {
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        stream.read_exact(&mut body).unwrap();
        assert_ne!(head[0], b'E', "{}", String::from_utf8_lossy(&body));
        if head[0] == kind {
            return;
        }
    }
}

fn give(path: &Path) {
    let mut give = Command::new("chown");
    give.arg("postgres:postgres").arg(path);
    run(give);
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

/// Runs a program that has to succeed; what it starts in the background does not hold its output.
fn run(mut command: Command) {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// The folder of the programs: the search path first, as everywhere.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut installed: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    installed.sort();
    installed.reverse();
    folders.append(&mut installed);
    folders.into_iter().find(|folder| folder.join("postgres").is_file()).expect("PostgreSQL is installed")
}
