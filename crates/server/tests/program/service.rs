//! The server as a service: what it tells its manager, and the unit that is shipped.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use server::config::Settings;

use crate::process::{Program, folder};

const UNIT: &str = include_str!("../../../../deploy/systemd/thorbis.service");

const CONTROL: &str = include_str!("../../../../deploy/debian/thorbisctl");

/// Calls `thorbisctl` as the user `thorbis` would, with a file of variables. What stands for the program prints the variables it got.
fn control(variables: Option<&str>) -> Output {
    let folder = folder();
    let file = folder.path().join("environment");
    if let Some(text) = variables {
        std::fs::write(&file, text).unwrap();
    }
    let program = folder.path().join("program");
    std::fs::write(&program, "#!/bin/sh\nenv\npwd\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let script = folder.path().join("thorbisctl");
    let text = CONTROL.replace("/etc/thorbis/environment", file.to_str().unwrap()).replace("$(id -un)", "thorbis");
    std::fs::write(&script, text.replace("/usr/bin/thorbis", program.to_str().unwrap())).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    Command::new("sh").arg(&script).arg("status").env_clear().env("PATH", path).env("HOME", "/root").output().unwrap()
}

/// Returns the values of a key, in their order.
fn values(key: &str) -> Vec<&'static str> {
    UNIT.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn the_manager_is_told_when_it_answers_and_when_it_stops() {
    let folder = folder();
    let place = folder.path().join("notify");
    let manager = UnixDatagram::bind(&place).unwrap();
    manager.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let program = Program::start_with(folder.path(), &[("NOTIFY_SOCKET", place.to_str().unwrap())]);
    let hear = || {
        let mut message = [0; 512];
        let length = manager.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    assert_eq!(hear(), format!("READY=1\nSTATUS=answers at {}", program.url));
    program.stop();
    assert!(hear().starts_with("STOPPING=1\n"));
}

#[test]
fn a_manager_that_is_gone_stops_nothing() {
    let folder = folder();
    let place = folder.path().join("nobody");
    let program = Program::start_with(folder.path(), &[("NOTIFY_SOCKET", place.to_str().unwrap())]);
    program.stop();
    assert!(std::fs::read_to_string(folder.path().join("log")).unwrap().contains("the service manager could not be told"));
}

#[test]
fn the_unit_gives_the_server_its_time_and_nothing_else() {
    let grace = Settings::default().listen.shutdown_grace_ms / 1000;
    let stop: u64 = values("TimeoutStopSec")[0].parse().unwrap();
    assert!(stop >= grace + 60, "{stop} s are not enough for {grace} s of grace and PostgreSQL's last checkpoint");
    assert_eq!(values("User"), ["thorbis"]);
    assert_eq!(values("StateDirectory"), ["thorbis"]);
    // `log.file` has a place that it may be written to.
    assert_eq!(values("LogsDirectory"), ["thorbis"]);
    // It would take shared memory away from a PostgreSQL that `thorbisctl` runs beside the service.
    assert_eq!(values("RemoveIPC"), [""; 0]);
    assert_eq!(Settings::default().data_directory, Path::new("/var/lib/thorbis"));
    for key in ["NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictSUIDSGID", "ProtectKernelTunables"] {
        assert_eq!(values(key), ["yes"], "{key}");
    }
    assert_eq!(values("ProtectSystem"), ["strict"]);
    assert_eq!(values("CapabilityBoundingSet"), ["CAP_NET_BIND_SERVICE"]);
    // The first start prints keys.
    assert_eq!(values("StandardOutput"), ["null"]);
    assert!(!UNIT.contains("SECRET") && !UNIT.contains("postgres://"));
}

#[test]
fn variables_of_the_service_are_read_as_systemd_reads_them() {
    let written = "# a comment\n; another\n\nDATABASE_URL=postgres://a:b@db/one?sslmode=require&application_name=x\n\
        THORBIS_PUBLIC_URL = 'https://api.example.com'\n  THORBIS_LOG__FORMAT=\"json\"  \nWORDS=touch $HOME/`id` $(id) # all of it\n\
        ODD='a\\b\"c'\nHALF=it's\nEMPTY=\nLAST=no line end";
    let called = control(Some(written));
    let (out, err) = (String::from_utf8(called.stdout).unwrap(), String::from_utf8(called.stderr).unwrap());
    assert!(called.status.success() && err.is_empty(), "{err}");
    for wanted in [
        "DATABASE_URL=postgres://a:b@db/one?sslmode=require&application_name=x",
        "THORBIS_PUBLIC_URL=https://api.example.com",
        "THORBIS_LOG__FORMAT=json",
        "WORDS=touch $HOME/`id` $(id) # all of it",
        "ODD=a\\b\"c",
        "HALF=it's",
        "EMPTY=",
        "LAST=no line end",
        "HOME=/var/lib/thorbis",
        "THORBIS_CONFIG=/etc/thorbis/thorbis.toml",
        "/",
    ] {
        assert!(out.lines().any(|line| line == wanted), "{wanted} is not in\n{out}");
    }
    assert!(control(None).status.success(), "nobody has to have such a file");
}

#[test]
fn variables_that_systemd_would_read_otherwise_are_refused_without_their_values() {
    for (written, reason) in [
        ("A=1\nhunter2", "line 2: this is no NAME=VALUE"),
        ("A B=hunter2", "line 1: this is no name of a variable"),
        ("export A=hunter2", "line 1: this is no name of a variable"),
        ("A='hunter2", "line 1: the value is not one quoted text"),
        ("A='hunter2' b", "line 1: the value is not one quoted text"),
        ("A=\"hun\\\"ter2\"", "line 1: the value is not one quoted text; a backslash or \" needs single quotes"),
        ("A=hunter2\\", "line 1: a value with a backslash needs single quotes"),
    ] {
        let called = control(Some(written));
        let err = String::from_utf8(called.stderr).unwrap();
        assert_eq!((called.status.code(), called.stdout.len()), (Some(1), 0), "{written}: {err}");
        assert!(err.trim_end().ends_with(reason) && !err.contains("hunter2"), "{written}: {err}");
    }
}

#[test]
fn systemd_takes_the_unit_as_it_is() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        println!("systemd is not installed here");
        return;
    };
    assert!(version.status.success());
    let folder = folder();
    let unit = folder.path().join("thorbis.service");
    std::fs::write(&unit, UNIT.replace("/usr/bin/thorbis", env!("CARGO_BIN_EXE_thorbis"))).unwrap();
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no", "--recursive-errors=no"]).arg(&unit).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    // Units of the machine are none of ours.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("thorbis.service") && !line.contains("postgresql.service")).collect();
    assert!(verified.status.success() && ours.is_empty(), "{said}");
}
