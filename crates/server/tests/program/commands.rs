//! `docs/commands.md`: every command's own help, written by `./dev generate` and compared by every test run.

use std::fmt::Write as _;

use clap::CommandFactory;
use server::cli::Cli;

use crate::written::compare;

const HEAD: &str = "# Commands

Made from the program by `./dev generate`: what each `--help` says. A test runs every example.
";

fn describe(command: &mut clap::Command, name: &str, text: &mut String) {
    let help = command.render_long_help().to_string();
    write!(text, "\n## {name}\n\n```text\n").unwrap();
    for line in help.trim_end().lines() {
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text.push_str("```\n");
    for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
        let name = format!("{name} {}", inner.get_name());
        describe(inner, &name, text);
    }
}

#[test]
fn the_commands_are_documented_as_they_are() {
    let mut command = Cli::command().bin_name("thorbis");
    // Fills in the names that usage lines show.
    command.build();
    let mut text = HEAD.to_owned();
    describe(&mut command, "thorbis", &mut text);
    compare("docs/commands.md", &text);
}
