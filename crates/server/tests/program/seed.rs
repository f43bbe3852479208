//! `thorbis seed --scale` as somebody types it: what it refuses, and that it works on the server's own cluster.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn desk() -> TempDir {
    // PostgreSQL's own user must be able to pass.
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir().unwrap()
}

fn thorbis(desk: &TempDir, arguments: &[&str]) -> Output {
    command(desk, arguments).output().unwrap()
}

fn command(desk: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thorbis"));
    command.args(arguments).current_dir(desk.path()).env_clear().stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", desk.path()).env("THORBIS_DATA_DIRECTORY", "./data");
    command
}

fn refused(output: &Output, code: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(code), "{said}");
}

#[test]
fn nobody_fills_a_disk_or_a_company_by_mistake() {
    let desk = desk();
    // Production, without a yes; no terminal is there to ask.
    refused(&thorbis(&desk, &["seed", "--scale", "0.001"]), "scale_not_confirmed");
    refused(&thorbis(&desk, &["seed", "--env", "development", "--scale", "9"]), "scale_invalid");
    refused(&thorbis(&desk, &["seed", "--env", "development", "--yes"]), "--scale");
    // Somebody else's database, of which nobody knows what is free.
    let mut elsewhere = command(&desk, &["seed", "--env", "development", "--scale", "1"]);
    elsewhere.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none").env("MIGRATOR_URL", "postgres://nobody@127.0.0.1:1/none");
    refused(&elsewhere.output().unwrap(), "scale_not_confirmed");
    assert!(!desk.path().join("data").try_exists().unwrap());
}

#[test]
fn a_block_beside_the_demo_company() {
    let desk = desk();
    let migrated = thorbis(&desk, &["migrate", "up", "--env", "development"]);
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let scaled = thorbis(&desk, &["seed", "--env", "development", "--scale", "0.001", "--connections", "1"]);
    let (said, progress) = (String::from_utf8_lossy(&scaled.stdout), String::from_utf8_lossy(&scaled.stderr));
    assert!(scaled.status.success(), "{progress}");
    for line in ["public.companies 2", "public.customers 1600", "public.jobs 6170"] {
        assert!(said.lines().any(|said| said == line), "{line} is not in {said}");
    }
    assert!(progress.contains("rows are in"), "{progress}");
    refused(&thorbis(&desk, &["seed", "--env", "development", "--scale", "0.001"]), "scale_not_empty");
}
