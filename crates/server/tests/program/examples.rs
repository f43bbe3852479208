//! Every example in every help, shown and run by the real program.

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory;
use server::cli::Cli;

use crate::cli::{Desk, Serving, text};

#[test]
fn every_example_of_every_help_is_shown_by_it() {
    let mut all = Vec::new();
    examples(&Cli::command(), &[], &mut all);
    assert!(all.len() >= 16, "{all:?}");
    let desk = Desk::new();
    for (path, examples) in &all {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = desk.run(&arguments);
        assert!(help.status.success());
        assert!(!examples.is_empty(), "no example in the help of {path:?}");
        // The help is wrapped to the width of a terminal.
        let shown: Vec<String> = text(&help.stdout).split_whitespace().map(str::to_owned).collect();
        for example in examples {
            assert!(shown.join(" ").contains(example.as_str()), "{example} is not shown by {path:?} --help");
        }
    }
}

#[test]
fn every_example_about_the_database_runs_beside_a_server() {
    let desk = Desk::new();
    let serving = run_examples(&desk, is_about_database);
    // The last one threw the demo company away.
    assert!(desk.run(&["seed", "--env", "development"]).status.success());
    assert!(serving.stop().success());
}

#[test]
fn every_other_example_runs_beside_a_server() {
    let desk = Desk::new();
    let serving = run_examples(&desk, |example| !is_about_database(example));
    // What there is not, and what was not agreed to, is refused with its code.
    let begin =
        ["support", "begin", "demo-plumbing", "owner@demo.thorbis.example", "--operator", "sam@support.example", "--reason", "none"];
    let preview = ["mail", "preview", "recovery", "--company", "nowhere"];
    for (words, code) in
        [(&["companies", "show", "nowhere"][..], "company_not_found"), (&begin, "support_refused"), (&preview, "company_not_found")]
    {
        agrees(&desk, false);
        let refused = desk.run(words);
        assert!(!refused.status.success() && text(&refused.stderr).contains(code), "{words:?}: {}", text(&refused.stderr));
    }
    // A message as a company sends it: its name, its language.
    let preview = ["mail", "preview", "recovery", "--company", "demo-plumbing"];
    assert!(text(&desk.run(&preview).stdout).contains("Demo Plumbing"), "{}", text(&desk.run(&preview).stdout));
    let spanish = "update public.companies set settings = settings || '{\"locale\": \"es\"}' where slug = 'demo-plumbing'";
    assert!(desk.run(&["psql", "--", "-c", "set role app_owner", "-c", spanish]).status.success());
    assert!(text(&desk.run(&preview).stdout).contains("contraseña"), "{}", text(&desk.run(&preview).stdout));
    assert!(serving.stop().success());
}

#[test]
fn every_example_that_serves_runs() {
    let examples = examples_once(|example| is_alone(example) && example.contains(" serve"));
    assert!(examples.len() >= 3, "{examples:?}");
    for example in examples {
        let words = words_here(&example);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let desk = Desk::new();
        // A database that nobody can reach: it answers all the same.
        let alone = "server-host = \"127.0.0.1\"\nserver-port = 0\ndb-uri = \"postgres://nobody@127.0.0.1:1/none\"\n";
        std::fs::write(desk.path().join("postgrest.conf"), alone).unwrap();
        let status = desk.serve(&words).stop();
        assert!(status.success(), "{example}: {status}");
    }
}

#[test]
fn every_example_of_rows_by_the_million_runs() {
    let examples = examples_once(|example| example.contains(" --scale"));
    assert!(!examples.is_empty());
    for example in examples {
        // For an installation that has nothing else, and no server beside it.
        let desk = Desk::new();
        assert!(desk.run(&["migrate", "up"]).status.success());
        let words = words_here(&example);
        let output = desk.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(output.status.success(), "{example}\n{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!output.stdout.is_empty(), "{example} says nothing");
    }
}

/// One alone: it installs every migration, takes it back and installs it again.
#[test]
fn the_example_that_tests_migrations_runs() {
    let examples = examples_once(|example| example.contains(" migrate test"));
    assert_eq!(examples.len(), 1, "{examples:?}");
    let desk = Desk::new();
    assert!(desk.run(&["migrate", "up"]).status.success());
    let output = desk.run(&["migrate", "test"]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!output.stdout.is_empty());
}

#[test]
fn every_example_that_restores_runs() {
    let examples = examples_once(|example| example.contains(" restore --"));
    assert!(examples.len() >= 3, "{examples:?}");
    let desk = Desk::new();
    let serving = desk.serve(&["serve", "--env", "development"]);
    assert!(desk.run(&["backup", "create"]).status.success());
    let then = jiff::Timestamp::now().to_string();
    let name = [
        "psql",
        "--",
        "-c",
        "begin",
        "-c",
        "set local role service_role",
        "-c",
        "select create_recovery_checkpoint('before-import')",
        "-c",
        "commit",
    ];
    assert!(desk.run(&name).status.success());
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !text(&desk.run(&["backup", "list"]).stdout).contains("before-import") {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(serving.stop().success());
    // The end of the log is in the store now, and the moments are in it.
    let into = desk.path().join("then").display().to_string();
    for example in examples {
        let words: Vec<String> = words(&example)[1..]
            .iter()
            .map(|word| word.replace("2026-11-22T14:05:00Z", &then).replace("/srv/thorbis-then", &into))
            .collect();
        let output = desk.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(output.status.success(), "{example}\n{}{}", text(&output.stdout), text(&output.stderr));
    }
}

/// They need two major versions of PostgreSQL, which hardly a machine has: here they are understood, and refused for that they would do
/// nothing. `./dev prove upgrade` has both.
#[test]
fn every_example_that_upgrades_the_cluster_is_understood() {
    let examples = examples_once(|example| example.contains(" upgrade-cluster"));
    assert!(examples.len() >= 2, "{examples:?}");
    let desk = Desk::new();
    for example in examples {
        let words = words_here(&example);
        let output = desk.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(!output.status.success() && text(&output.stderr).contains("there is no cluster in"), "{example}\n{}", text(&output.stderr));
    }
}

/// Runs examples beside a server, which goes on.
fn run_examples(desk: &Desk, wanted: impl Fn(&str) -> bool) -> Serving {
    copy_folder(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../db")), &desk.path().join("db"));
    copy_folder(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../postgres/tests/projects/todo")), &desk.path().join("shop"));
    let serving = desk.serve(&["serve", "--env", "development"]);
    let mut examples = examples_once(|example| !is_alone(example) && wanted(example));
    // One throws everything away: what was sealed is gone then, and said to be, and what the server declared at its start, too.
    examples.sort_by_key(|example| example.contains("migrate reset"));
    assert!(examples.len() >= 8, "{examples:?}");
    has_people(desk);
    for example in examples {
        let words = words_here(&example);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if words.starts_with(&["support", "begin"]) {
            agrees(desk, true);
        }
        let output = desk.run(&words);
        // What was brought has findings, which is told by 3.
        let is_answered = output.status.success() || words.first() == Some(&"doctor") && output.status.code() == Some(3);
        assert!(is_answered, "{example}\n{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!output.stdout.is_empty(), "{example} says nothing");
        if words.starts_with(&["migrate", "down"]) {
            let up = desk.run(&["migrate", "up"]);
            assert!(up.status.success(), "{example}, and up again\n{}", text(&up.stderr));
        }
    }
    serving
}

/// Whether an example makes, changes or looks at the database as a whole.
fn is_about_database(example: &str) -> bool {
    ["migrate", "seed", "import", "psql", "doctor", "types"].iter().any(|command| example.starts_with(&format!("thorbis {command}")))
}

/// Says for the demo company whether support may work in it.
fn agrees(desk: &Desk, open: bool) {
    let end = "update public.support_consents set revoked_at = now() where revoked_at is null";
    let begin = "insert into public.support_consents (company_id) select c.id from public.companies c where c.slug = 'demo-plumbing'";
    let words = ["psql", "--", "-c", "set role app_owner", "-c", end, "-c", if open { begin } else { "select 1" }];
    assert!(desk.run(&words).status.success());
}

/// Two customers of the demo company whom examples name.
fn has_people(desk: &Desk) {
    let people = "insert into public.customers (company_id, id, first_name, last_name, email, phone)
        select c.id, p.id::uuid, 'Jane', 'Doe', p.email, '+15550100' from public.companies c,
               (values ('01900000-0000-7000-8000-00000000f001', null), ('01900000-0000-7000-8000-00000000f002', 'jane@example.com')) p (id, email)
         where c.slug = 'demo-plumbing'";
    let added = desk.run(&["psql", "--", "-c", "set role app_owner", "-c", people]);
    assert!(added.status.success(), "{}", text(&added.stderr));
}

/// The examples of all helps, each once: a command shows those of its subcommands again.
fn examples_once(wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut all = Vec::new();
    examples(&Cli::command(), &[], &mut all);
    let mut seen = BTreeSet::new();
    all.into_iter().flat_map(|(_, examples)| examples).filter(|example| wanted(example) && seen.insert(example.clone())).collect()
}

/// The words of an example, with any free port in place of ours, and the key that is there.
fn words_here(example: &str) -> Vec<String> {
    let here = |word: &String| word.replace(":8000", ":0").replace("/run/recovery_key", "data/secrets/recovery_key");
    words(example)[1..].iter().map(here).collect()
}

/// Whether an example makes an installation of its own.
fn is_alone(example: &str) -> bool {
    [" serve", " --scale", " restore --", " migrate test", " upgrade-cluster"].iter().any(|alone| example.contains(alone))
}

/// Returns the path of every command and the examples in its help.
fn examples(command: &clap::Command, path: &[String], found: &mut Vec<(Vec<String>, Vec<String>)>) {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = help.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| line.starts_with("thorbis "));
    found.push((path.to_vec(), lines.map(str::to_owned).collect()));
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        let path: Vec<String> = path.iter().cloned().chain([inner.get_name().to_owned()]).collect();
        examples(inner, &path, found);
    }
}

/// Splits a line as a shell does, as far as examples need it.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    for (position, part) in line.split('"').enumerate() {
        if position % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
