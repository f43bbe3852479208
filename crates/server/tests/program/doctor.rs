//! `thorbis doctor` as somebody uses it, and its checks as they are documented.

use serde_json::Value;

use crate::cli::{Desk, text};
use crate::written::compare;

const HEAD: &str = "# Checks of the doctor

Made from the program by `./dev generate`. How to ask them stands in `docs/doctor.md`; `thorbis doctor --explain CODE` says of one why it
matters. Where the evidence of a finding is worse or less bad than usual, its severity is, too.
";

#[test]
fn the_checks_are_documented_as_they_are() {
    compare("docs/doctor-checks.md", &format!("{HEAD}{}", ::doctor::table()));
}

#[test]
fn a_new_installation_is_well_and_what_was_broken_is_mended_by_what_is_written() {
    let desk = Desk::new();
    std::fs::write(desk.path().join("baseline.toml"), include_str!("../../../../db/doctor.toml")).unwrap();
    let serving = desk.serve(&["serve", "--env", "development"]);
    let asked = ["doctor", "--baseline", "baseline.toml", "--fail-on", "medium"];
    let well = desk.run(&asked);
    assert_eq!(well.status.code(), Some(0), "{}{}", text(&well.stdout), text(&well.stderr));
    assert!(text(&well.stdout).contains("accepted by the baseline: "), "{}", text(&well.stdout));

    assert!(desk.run(&["psql", "--", "-c", "grant truncate on public.jobs to authenticated"]).status.success());
    let broken = desk.run(&[&asked[..], &["--format", "json", "--write", "mend"]].concat());
    assert_eq!(broken.status.code(), Some(3));
    let report: Value = serde_json::from_str(&text(&broken.stdout)).unwrap();
    let worst = &report["findings"][0];
    assert_eq!(
        (&worst["code"], &worst["object"], &worst["severity"]),
        (&"grant_beyond_rows".into(), &"public.jobs".into(), &"high".into())
    );
    assert_eq!(report["database"]["kind"], "thorbis");
    std::fs::write(desk.path().join("earlier.json"), &broken.stdout).unwrap();

    let mut files: Vec<String> =
        std::fs::read_dir(desk.path().join("mend")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let change = |direction: &str| {
        let end = format!("_mend_grant_beyond_rows.{direction}.sql");
        format!("mend/{}", files.iter().find(|name| name.ends_with(&end)).unwrap())
    };
    let up = std::fs::read_to_string(desk.path().join(change("up"))).unwrap();
    assert!(
        up.starts_with("-- description: mend grant_beyond_rows: ") && up.contains("revoke truncate on public.jobs from authenticated;"),
        "{up}"
    );
    assert!(desk.run(&["psql", "--", "-f", &change("up")]).status.success());
    let mended = desk.run(&[&asked[..], &["--diff", "earlier.json"]].concat());
    assert_eq!(mended.status.code(), Some(0), "{}", text(&mended.stdout));
    assert!(text(&mended.stdout).contains("- high public.jobs: grant_beyond_rows"), "{}", text(&mended.stdout));
    assert!(desk.run(&["psql", "--", "-f", &change("down")]).status.success());
    assert_eq!(desk.run(&asked).status.code(), Some(3));
    assert!(serving.stop().success());
}

#[test]
fn what_cannot_be_done_is_said_without_the_password() {
    let desk = Desk::new();
    for (name, content) in [
        ("bad.toml", "[[accept]]\ncode = \"rls\"\nobject = \"o\"\nreason = \"r\"\nexpires = \"2100-01-01\"\n"),
        ("bad.json", "{\"format\": 7}"),
    ] {
        std::fs::write(desk.path().join(name), content).unwrap();
    }
    let far = "postgres://ann:hunter2@127.0.0.1:1/none";
    for (words, code) in [
        (&["doctor", far][..], "database_unavailable"),
        (&["doctor", "postgres://ann:hunter2@127.0.0.1:port/none"], "config_invalid"),
        (&["doctor", far, "--only", "rls"], "check_unknown"),
        (&["doctor", "--explain", "rls"], "check_unknown"),
        (&["doctor", far, "--baseline", "bad.toml"], "baseline_invalid"),
        (&["doctor", far, "--diff", "bad.json"], "report_invalid"),
        (&["doctor", far, "--baseline", "none.toml"], "none.toml"),
    ] {
        let refused = desk.run(words);
        let said = format!("{}{}", text(&refused.stdout), text(&refused.stderr));
        assert_eq!(refused.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.contains(code) && !said.contains("hunter2"), "{words:?}: {said}");
    }
    let usage = desk.run(&["doctor", "--fail-on", "bad"]);
    assert_eq!(usage.status.code(), Some(2));
    let list = desk.run(&["doctor", "--list"]);
    assert!(text(&list.stdout).lines().any(|line| line.starts_with("row_security_off ")), "{}", text(&list.stdout));
}
