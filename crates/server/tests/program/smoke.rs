//! `thorbis smoke` against servers that run, and against what is none.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::cli::text;
use crate::process::{Program, command, folder, sql};

const OWNER: &str = "owner@demo.thorbis.example";

fn visit(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, &[&["smoke"], arguments].concat()).output().unwrap()
}

/// Returns how each step of a visit in JSON ended.
fn steps(output: &Output) -> Vec<(String, String)> {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    let steps = report["steps"].as_array().unwrap().iter();
    steps.map(|step| (step["step"].as_str().unwrap().to_owned(), step["result"].as_str().unwrap().to_owned())).collect()
}

fn named(steps: &[(String, String)], result: &str) -> Vec<String> {
    steps.iter().filter(|(_, ended)| ended == result).map(|(name, _)| name.clone()).collect()
}

/// Gives the demo's owner a password that the test knows.
fn password_of(folder: &Path, program: &Program) -> String {
    let reset = command(folder, &["users", "reset-password", OWNER]).output().unwrap();
    assert!(reset.status.success(), "{} at {}", text(&reset.stderr), program.url);
    text(&reset.stdout).split_whitespace().last().unwrap().to_owned()
}

#[test]
fn a_server_that_runs_passes_and_nothing_is_left_behind() {
    let folder = folder();
    let program = Program::start(folder.path());
    let password = password_of(folder.path(), &program);
    std::fs::write(folder.path().join("password"), &password).unwrap();
    let file = folder.path().join("password").display().to_string();
    let output = visit(folder.path(), &["--email", OWNER, "--password-file", &file, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let all = steps(&output);
    assert_eq!(named(&all, "failed"), Vec::<String>::new());
    assert_eq!(named(&all, "skipped"), ["tls"], "it speaks with this machine itself");
    assert_eq!(all.len(), 16);

    let left = "select (select count(*) from public.tags where name like 'smoke-%') +
                       (select count(*) from storage.objects where name like '%/smoke/%')";
    assert_eq!(sql(folder.path(), left), "0");

    // What was given is told to nobody.
    let said = text(&output.stdout) + &text(&output.stderr) + &std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!said.contains(&password) && !said.contains(&crate::process::service_key(folder.path())));
    program.stop();
}

#[test]
fn an_address_is_enough_and_what_is_wrong_is_named() {
    let folder = folder();
    let program = Program::start(folder.path());
    // From elsewhere, without a data folder of its own.
    let elsewhere = crate::process::folder();
    let bare = visit(elsewhere.path(), &[&program.url, "--json"]);
    assert_eq!(bare.status.code(), Some(0), "{}", text(&bare.stdout));
    let without = ["tls", "anon_key", "service_key", "socket", "sign_in", "row", "file", "channel", "sign_out"];
    assert_eq!(named(&steps(&bare), "skipped"), without);

    let wrong = ["--json", "--anon-key", "wrong", "--service-key", "no-key-at-all", "--email", OWNER, "--password", "no-password-at-all"];
    let wrong = visit(elsewhere.path(), &[&[program.url.as_str()], &wrong[..]].concat());
    assert_eq!(wrong.status.code(), Some(3));
    assert_eq!(named(&steps(&wrong), "failed"), ["anon_key", "service_key", "socket", "sign_in"]);
    assert_eq!(named(&steps(&wrong), "skipped"), ["tls", "row", "file", "channel", "sign_out"]);
    let said = text(&wrong.stdout) + &text(&wrong.stderr);
    assert!(!said.contains("no-key-at-all") && !said.contains("no-password-at-all"), "{said}");

    // The public key opens nothing that is the service's.
    let keys = command(folder.path(), &["keys", "show", "--name", "anon"]).output().unwrap();
    let anon = text(&keys.stdout).trim().to_owned();
    let confused = visit(elsewhere.path(), &[&program.url, "--json", "--anon-key", &anon, "--service-key", &anon]);
    assert_eq!(named(&steps(&confused), "failed"), ["service_key"], "{}", text(&confused.stdout));
    program.stop();
}

#[test]
fn what_does_not_answer_or_is_another_program_is_told_apart() {
    let folder = folder();
    let nobody = visit(folder.path(), &["http://127.0.0.1:1", "--json"]);
    assert_eq!(nobody.status.code(), Some(4));
    assert_eq!(named(&steps(&nobody), "failed"), ["live"]);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            let mut asked = [0; 4096];
            let _read = stream.read(&mut asked).is_ok();
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            let _written = stream.write_all(answer.as_bytes()).is_ok();
        }
    });
    let other = visit(folder.path(), &[&address, "--json", "--skip", "live"]);
    assert_eq!(other.status.code(), Some(3));
    let failed = named(&steps(&other), "failed");
    assert!(["version", "headers", "keys", "settings", "refusal"].iter().all(|step| failed.contains(&(*step).to_owned())), "{failed:?}");
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_asked() {
    let folder = folder();
    for (arguments, code) in [
        (&["--email", OWNER, "http://127.0.0.1:1"][..], "password_missing"),
        (&["ftp://127.0.0.1"], "address_invalid"),
        (&["http://ann:secret@127.0.0.1:1"], "address_invalid"),
        (&["--only", "teeth", "http://127.0.0.1:1"], "step_unknown"),
        (&["--service-key-file", "/nonexistent", "http://127.0.0.1:1"], "file_unreadable"),
        (&[], "server_not_running"),
    ] {
        let output = visit(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(said.contains(code) && !said.contains("secret"), "{arguments:?}: {said}");
    }
    // A variable of a script that is not set is no key.
    let empty = visit(folder.path(), &["--anon-key", "", "http://127.0.0.1:1"]);
    assert!(empty.status.code() == Some(2) && text(&empty.stderr).contains("it is empty"), "{}", text(&empty.stderr));
    // Passwords do not travel in the clear, unless somebody says that they may.
    let plain = visit(folder.path(), &["http://192.0.2.1", "--json", "--only", "tls"]);
    assert_eq!((plain.status.code(), named(&steps(&plain), "failed")), (Some(3), vec!["tls".to_owned()]));
    let allowed = visit(folder.path(), &["http://192.0.2.1", "--json", "--only", "tls", "--plain"]);
    assert_eq!(allowed.status.code(), Some(0));
}

#[tokio::test]
async fn the_certificate_is_checked_and_its_end_is_told_in_time() {
    use crate::running::start_with;
    let folder = folder();
    let files = tempfile::tempdir().unwrap();
    let written = |days: i64| {
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let date = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date() + jiff::Span::new().days(days);
        parameters.not_after = rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs());
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(files.path().join("cert.pem"), parameters.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(files.path().join("key.pem"), key.serialize_pem()).unwrap();
    };
    for (days, trusted, ends) in [(90, true, 0), (3, true, 3), (90, false, 3)] {
        written(days);
        let app = start_with(|settings| {
            settings.tls.certificate_file = Some(files.path().join("cert.pem"));
            settings.tls.key_file = Some(files.path().join("key.pem"));
        })
        .await;
        let url = format!("https://localhost:{}", app.address().port());
        let mut asked = command(folder.path(), &["smoke", &url, "--json", "--only", "tls"]);
        if trusted {
            asked.env("SSL_CERT_FILE", files.path().join("cert.pem"));
        }
        let output = tokio::task::spawn_blocking(move || asked.output().unwrap()).await.unwrap();
        assert_eq!(output.status.code(), Some(ends), "{days} days, trusted {trusted}: {}", text(&output.stdout));
        app.stop().await;
    }
}
