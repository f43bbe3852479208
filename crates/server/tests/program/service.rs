//! The server as a service: what it tells its manager, and the unit that is shipped.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use server::config::Settings;

use crate::process::{Program, folder};

const UNIT: &str = include_str!("../../../../deploy/systemd/thorbis.service");

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
