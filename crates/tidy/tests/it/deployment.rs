//! What is shipped beside the program: the container file, the package's files, the workflows. None of them can be built in every place where
//! the tests run, so that what must hold of each is read from it.

use tidy::{expect_none, root};

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Returns what is wrong with a container file: a base of no version, a root that stays, a secret that is built in.
fn container_faults(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
    let stages: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("FROM ")?.split(" AS ").nth(1)).collect();
    let mut found = vec![];
    for base in lines.iter().filter_map(|line| line.strip_prefix("FROM ")?.split_whitespace().next()) {
        let version = base.rsplit('/').next().and_then(|name| name.split_once(':')).map(|(_, version)| version);
        if !stages.contains(&base) && version.is_none_or(|version| version.contains("latest")) {
            found.push(format!("{base} has no version"));
        }
    }
    let user = lines.iter().rev().find_map(|line| line.strip_prefix("USER "));
    if user.is_none_or(|user| user.starts_with("root") || user.starts_with('0')) {
        found.push("it runs as root".to_owned());
    }
    for line in lines.iter().filter(|line| line.starts_with("ENV ") || line.starts_with("ARG ")) {
        if ["PASSWORD", "SECRET", "KEY", "TOKEN", "DATABASE_URL"].iter().any(|word| line.contains(word)) {
            found.push(format!("a secret stays in the image: {line}"));
        }
    }
    for wanted in ["HEALTHCHECK ", "ENTRYPOINT [", "VOLUME "] {
        if !lines.iter().any(|line| line.starts_with(wanted)) {
            found.push(format!("there is no {wanted}"));
        }
    }
    if lines.iter().any(|line| line.starts_with("ADD ") || line.contains("curl ") && line.contains("| sh")) {
        found.push("something is fetched that nobody looked at".to_owned());
    }
    found
}

/// Returns what is wrong with a workflow: an action of no version, rights that it was not given by name, text of others in a script.
fn workflow_faults(text: &str) -> Vec<String> {
    let mut found = vec![];
    let actions = text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "));
    for action in actions {
        let version = action.split_once('@').map_or("", |(_, version)| version);
        let is_exact = version.trim_start_matches('v').split('.').count() == 3 || version.len() == 40;
        if !is_exact {
            found.push(format!("{action} is not pinned"));
        }
    }
    if !text.lines().any(|line| line == "permissions:") {
        found.push("it has every right".to_owned());
    }
    if text.lines().any(|line| line.contains("run:") && line.contains("${{")) {
        found.push("what somebody wrote becomes part of a script".to_owned());
    }
    if text.contains("pull_request_target") {
        found.push("it runs what a stranger sent with the rights of the house".to_owned());
    }
    if !text.contains("timeout-minutes:") {
        found.push("it may run without an end".to_owned());
    }
    found
}

const GOOD: &str =
    "FROM example.org/base:1.2 AS one\nFROM one AS two\nVOLUME /data\nUSER 10001\nHEALTHCHECK CMD [\"a\"]\nENTRYPOINT [\"a\"]\n";

#[test]
fn a_container_that_is_not_as_it_should_be_is_found() {
    assert_eq!(container_faults(GOOD), Vec::<String>::new());
    for (from, to, fault) in [
        ("base:1.2", "base", "example.org/base has no version"),
        ("base:1.2", "base:latest", "example.org/base:latest has no version"),
        ("USER 10001", "USER root", "it runs as root"),
        ("USER 10001\n", "", "it runs as root"),
        ("VOLUME /data", "VOLUME /data\nENV A_PASSWORD=x", "a secret stays in the image: ENV A_PASSWORD=x"),
        ("HEALTHCHECK CMD [\"a\"]\n", "", "there is no HEALTHCHECK "),
    ] {
        assert_eq!(container_faults(&GOOD.replace(from, to)), [fault], "{from} -> {to}");
    }
}

#[test]
fn a_workflow_that_is_not_as_it_should_be_is_found() {
    let good = "permissions:\n  contents: read\njobs:\n  a:\n    timeout-minutes: 5\n    steps:\n      - uses: a/b@v1.2.3\n      - run: ./dev test\n";
    assert_eq!(workflow_faults(good), Vec::<String>::new());
    for (from, to) in [
        ("v1.2.3", "v1"),
        ("v1.2.3", "main"),
        ("permissions:\n", ""),
        ("./dev test", "echo ${{ github.head_ref }}"),
        ("timeout-minutes: 5", ""),
    ] {
        assert_eq!(workflow_faults(&good.replace(from, to)).len(), 1, "{from} -> {to}");
    }
}

#[test]
fn the_container_has_no_root_no_secret_and_no_surprise() {
    expect_none("faults of the container file", &container_faults(&read("deploy/Containerfile")));
    let rust =
        read("Cargo.toml").lines().find_map(|line| line.strip_prefix("rust-version = ").map(|text| text.trim_matches('"').to_owned()));
    assert!(read("deploy/Containerfile").contains(&format!("/rust:{}-", rust.unwrap())), "it builds with the compiler of the house");
}

#[test]
fn the_workflows_are_pinned_and_run_the_verbs_of_the_house() {
    let folder = root().join(".github/workflows");
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["ci.yml", "dependencies.yml", "nightly.yml", "release.yml"]);
    for name in names {
        let text = read(&format!(".github/workflows/{name}"));
        expect_none(&format!("faults of {name}"), &workflow_faults(&text));
    }
    let nightly = read(".github/workflows/nightly.yml");
    let proofs = nightly.lines().find_map(|line| line.trim().strip_prefix("proof: [")?.strip_suffix(']')).unwrap();
    for proof in proofs.split(", ") {
        assert!(root().join(format!("dev.d/prove/{proof}.sh")).is_file(), "there is no proof {proof}");
    }
    assert!(proofs.contains("restore") && proofs.contains("pitr"), "a backup is restored every night");
}

#[test]
fn the_package_deletes_no_data_and_starts_nothing_with_a_default_password() {
    for script in ["postinst", "prerm", "postrm"] {
        let text = read(&format!("deploy/debian/{script}"));
        let removes_data = text.lines().any(|line| line.contains("rm ") && line.contains("/var/lib/thorbis"));
        assert!(text.starts_with("#!/bin/sh\n") && text.contains("set -e") && !removes_data, "{script}");
    }
    // Debian's helpers know what was enabled before a removal, and what the operator disabled.
    assert!(read("deploy/debian/postinst").contains("deb-systemd-helper --quiet was-enabled thorbis.service"));
    assert!(!read("deploy/debian/prerm").contains("disable"), "whoever installs it again finds it as it was");
    let settings = read("deploy/debian/thorbis.toml");
    let set = settings.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect::<Vec<_>>();
    let wanted = ["data_directory = \"/var/lib/thorbis\"", "[listen]", "addresses = [\"127.0.0.1:54321\"]"];
    assert_eq!(set, wanted, "what is open to others is opened by its operator");
}
