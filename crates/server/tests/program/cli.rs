//! The command line as a person uses it: the real program, its help, and every example in it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(3);

/// A folder with nothing in it but what the test puts there, and no configuration but what it says.
pub(crate) struct Desk(TempDir);

impl Desk {
    pub(crate) fn new() -> Self {
        // PostgreSQL's own user must be able to pass.
        Self(tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thorbis"));
        command.args(arguments).current_dir(self.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("USER", "tester").env("HOME", self.path());
        command.env("THORBIS_DATA_DIRECTORY", "./data").env("THORBIS_LISTEN__ADDRESSES", "127.0.0.1:0");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn serve(&self, arguments: &[&str]) -> Serving {
        let mut command = self.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(std::fs::File::create(self.path().join("log")).unwrap()).spawn().unwrap();
        Serving::wait_for(child, self.path())
    }
}

/// A program that serves. Killed if the test fails.
pub(crate) struct Serving {
    child: Child,
    banner: String,
}

impl Serving {
    /// Reads what it prints until it has printed all of it: it answers then.
    fn wait_for(mut child: Child, desk: &Path) -> Self {
        let (sender, receiver) = std::sync::mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut banner = String::new();
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            banner.push_str(&line);
            banner.push('\n');
            if banner.contains("data folder") {
                break;
            }
        }
        assert!(banner.contains("answers at"), "{banner}\n{}", std::fs::read_to_string(desk.join("log")).unwrap());
        // The rest of the banner is written with its first line.
        while let Ok(line) = receiver.recv_timeout(Duration::from_secs(1)) {
            banner.push_str(&line);
            banner.push('\n');
        }
        Self { child, banner }
    }

    fn url(&self) -> &str {
        self.banner.split_whitespace().find(|word| word.starts_with("http://")).unwrap()
    }

    pub(crate) fn stop(mut self) -> ExitStatus {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None if Instant::now() > deadline => panic!("the server does not stop"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ended = self.child.kill().is_ok();
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn without_an_environment_it_is_production() {
    let desk = Desk::new();
    let first = desk.serve(&["serve"]);
    assert!(first.banner.contains("service key (secret)  ey"), "{}", first.banner);
    assert!(!first.banner.contains("demo login"), "{}", first.banner);
    let state: Value = serde_json::from_slice(&desk.run(&["status", "--json"]).stdout).unwrap();
    assert_eq!(state["running"], true);
    assert_eq!(state["environment"], "production");
    assert_eq!(state["pid"], first.child.id());
    let rows = desk.run(&["psql", "--", "-Atc", "select count(*) from public.companies"]);
    assert_eq!(text(&rows.stdout).trim(), "0", "{}", text(&rows.stderr));
    let reset = desk.run(&["migrate", "reset", "--yes"]);
    assert!(!reset.status.success() && text(&reset.stderr).contains("reset_not_allowed"), "{}", text(&reset.stderr));

    let second = desk.run(&["serve"]);
    assert!(!second.status.success());
    let told = text(&second.stderr);
    assert!(told.contains(&format!("process id {} (data_directory_in_use)", first.child.id())), "{told}");
    assert!(first.stop().success());
    let state = desk.run(&["status"]);
    assert_eq!(state.status.code(), Some(3));
    assert!(text(&state.stdout).contains("not running"));

    let again = desk.serve(&["serve"]);
    assert!(!again.banner.contains("key"), "keys are printed at the first start only: {}", again.banner);
    assert!(again.stop().success());
    let shown = desk.run(&["keys", "show", "--name", "service"]);
    assert!(text(&shown.stdout).starts_with("ey"));
}

#[test]
fn log_lines_are_json_and_carry_the_request_id() {
    let desk = Desk::new();
    let mut command = desk.command(&["serve"]);
    command.env("DATABASE_URL", "postgres://nobody:hunter2@127.0.0.1:1/none").env("THORBIS_DATABASE__START_WAIT_MS", "0");
    let child = command.stdout(Stdio::piped()).stderr(std::fs::File::create(desk.path().join("log")).unwrap()).spawn().unwrap();
    let serving = Serving::wait_for(child, desk.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    crate::bare::know_tls();
    let url = format!("{}/auth/v1/user?token=hunter3", serving.url());
    let asked = reqwest::Client::new().get(url).header("x-request-id", "abc-1").header("authorization", "Bearer hunter4").send();
    assert_eq!(runtime.block_on(asked).unwrap().headers()["x-request-id"], "abc-1");
    assert!(serving.stop().success());
    let log = std::fs::read_to_string(desk.path().join("log")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let access = lines.iter().find(|line| line["target"] == "access").unwrap();
    assert_eq!(access["span"]["request_id"], "abc-1");
    assert_eq!((&access["method"], &access["path"]), (&Value::from("GET"), &Value::from("/auth/v1/user")));
    assert!(access["status"].is_u64() && access["duration_ms"].is_f64(), "{access}");
    assert!(!log.contains("hunter"), "{log}");
}

/// How long it takes is measured, where nothing runs beside it: `./dev bench start`. Here: it does nothing that is done already.
#[test]
fn a_second_start_makes_nothing_anew() {
    let desk = Desk::new();
    let log = || std::fs::read_to_string(desk.path().join("log")).unwrap();
    assert!(desk.serve(&["serve", "--env", "development"]).stop().success());
    assert!(log().contains("migration applied"), "the first one makes everything");
    let control = desk.path().join("data/postgres/cluster/PG_VERSION");
    let made = control.metadata().unwrap().modified().unwrap();
    assert!(desk.serve(&["serve", "--env", "development"]).stop().success());
    assert!(!log().contains("migration applied") && !log().contains("the schema is up to date"), "{}", log());
    assert_eq!(control.metadata().unwrap().modified().unwrap(), made);
}

#[test]
fn a_wrong_configuration_stops_the_start() {
    let desk = Desk::new();
    std::fs::write(desk.path().join("thorbis.toml"), "[limits]\nbody_bytes = 1\n").unwrap();
    let refused = desk.run(&["serve", "--config", "thorbis.toml"]);
    assert_eq!(refused.status.code(), Some(1));
    let told = text(&refused.stderr);
    assert!(told.contains("`limits.body_bytes`") && told.contains("thorbis.toml"), "{told}");
    assert!(told.contains("body_bytes_max"), "{told}");
    assert!(!desk.path().join("data").try_exists().unwrap(), "a start that was refused made its data folder");

    std::fs::write(desk.path().join("thorbis.toml"), "[limits]\nbody_bytes_max = \"large\"\n").unwrap();
    let refused = desk.run(&["config", "--config", "thorbis.toml"]);
    assert!(text(&refused.stderr).contains("`limits.body_bytes_max` (in "), "{}", text(&refused.stderr));
}

#[test]
fn the_effective_settings_are_shown_without_secrets() {
    let desk = Desk::new();
    let mut command = desk.command(&["config", "--env", "development"]);
    command.env("DATABASE_URL", "postgres://ann:hunter2@db.example/shop").env("THORBIS_LOG__FILTER", "warn");
    let shown = text(&command.output().unwrap().stdout);
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("url = \"[redacted]\"  # from the environment"), "{shown}");
    assert!(shown.contains("environment = \"development\"  # from the command line\n"), "{shown}");
    assert!(shown.contains("filter = \"warn\"  # from the environment, THORBIS_LOG__FILTER\n"), "{shown}");
    assert!(shown.contains("body_bytes_max = 10000000\n"), "{shown}");
}

#[test]
fn a_taken_port_is_named_with_its_process() {
    let desk = Desk::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let refused = desk.run(&["serve", "--listen", &address]);
    assert_eq!(refused.status.code(), Some(1));
    let told = text(&refused.stderr);
    assert!(told.contains(&format!("{address} is taken by process {} (", std::process::id())), "{told}");
}

#[test]
fn a_changed_file_of_signing_keys_reaches_a_running_server() {
    const FILE: &str = include_str!("../../../auth/tests/it/signing_keys.json");
    let desk = Desk::new();
    let path = desk.path().join("signing.json");
    let write = |text: &str| {
        // Whole or not at all, as an operator's tool puts it there.
        let aside = desk.path().join("signing.json.new");
        std::fs::write(&aside, text).unwrap();
        std::fs::set_permissions(&aside, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(&aside, &path).unwrap();
    };
    let all: Value = serde_json::from_str(FILE).unwrap();
    let only = |numbers: &[usize], signer: usize| {
        let mut keys: Vec<Value> = numbers.iter().map(|number| all["keys"][*number].clone()).collect();
        for (number, key) in numbers.iter().zip(&mut keys) {
            key["key_ops"] = if *number == signer { serde_json::json!(["sign", "verify"]) } else { serde_json::json!(["verify"]) };
        }
        serde_json::json!({ "keys": keys }).to_string()
    };
    write(&only(&[0], 0));
    std::fs::write(desk.path().join("thorbis.toml"), "[auth]\nsigning_keys_file = \"signing.json\"\n").unwrap();
    let serving = desk.serve(&["serve", "--config", "thorbis.toml"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    crate::bare::know_tls();
    let client = reqwest::Client::new();
    let get = |path: &str, token: &str| -> Value {
        let asked = client.get(format!("{}/auth/v1{path}", serving.url())).bearer_auth(token);
        runtime.block_on(async { asked.send().await.unwrap().json().await.unwrap() })
    };
    let kids = || -> Vec<String> {
        let keys = get("/.well-known/jwks.json", "");
        keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    };
    let soon = |what: &str, is_so: &dyn Fn() -> bool| {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "{what}: {:?}", kids());
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let session = |path: &str| -> Value {
        let body = serde_json::json!({ "email": "ann@example.com", "password": "correct horse battery staple" });
        let asked = client.post(format!("{}/auth/v1{path}", serving.url())).json(&body);
        runtime.block_on(async { asked.send().await.unwrap().json().await.unwrap() })
    };
    let signed_by = |session: &Value| {
        let head = session["access_token"].as_str().unwrap_or_else(|| panic!("{session}")).split('.').next().unwrap();
        let head = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, head).unwrap();
        serde_json::from_slice::<Value>(&head).unwrap()["kid"].as_str().unwrap().to_owned()
    };
    let is_good = |session: &Value| get("/user", session["access_token"].as_str().unwrap())["email"] == "ann@example.com";
    let first = session("/signup");
    assert_eq!(signed_by(&first), "rsa");

    // Another key signs, and the one before still verifies.
    write(&only(&[0, 1], 1));
    soon("the new key is shown", &|| kids().contains(&"ec".to_owned()));
    let second = session("/token?grant_type=password");
    assert_eq!(signed_by(&second), "ec");
    assert!(is_good(&first) && is_good(&second));
    // A file that does not read changes nothing.
    write("{ nonsense");
    let log = desk.path().join("log");
    soon("it is said", &|| std::fs::read_to_string(&log).unwrap().contains("the keys in use stay"));
    assert!(kids().contains(&"ec".to_owned()) && is_good(&second));
    // A key that left the file verifies nothing any more.
    write(&only(&[1], 1));
    soon("the old key is gone", &|| !kids().contains(&"rsa".to_owned()));
    assert!(!is_good(&first) && is_good(&second));
    assert!(serving.stop().success());
}

#[test]
fn rotated_keys_reach_a_running_server() {
    let desk = Desk::new();
    let serving = desk.serve(&["serve"]);
    let jwks = format!("{}/auth/v1/.well-known/jwks.json", serving.url());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    crate::bare::know_tls();
    let count = || {
        runtime.block_on(async {
            let keys: Value = reqwest::get(&jwks).await.unwrap().json().await.unwrap();
            keys["keys"].as_array().unwrap().len()
        })
    };
    assert_eq!(count(), 1);
    let rotated = desk.run(&["keys", "rotate"]);
    assert!(text(&rotated.stdout).contains("takes them within seconds"), "{}", text(&rotated.stdout));
    let deadline = Instant::now() + PATIENCE;
    while count() != 2 {
        assert!(Instant::now() < deadline, "the new keys were not taken");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(serving.stop().success());
}
