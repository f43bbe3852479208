//! Refuses migrations and code that would lock or break a busy table, or open a hole between companies.
//!
//! Invariant: pure: it reads files and no database. A rule is silenced only in the file that says why, and a silencing that
//! silences nothing is itself a finding.

mod code;
mod columns;
mod files;
mod keys;
mod squawk;
mod tenants;

use std::fmt;

use kernel::Result;

use super::header::{self, Header};
use super::source::{File, Files, Source};
use super::split::{self, Statement};
use tenants::Tenants;

/// One thing that is wrong in a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The rule, as `-- lint: allow` names it.
    pub rule: String,
    /// What is wrong.
    pub message: String,
    /// What to do instead.
    pub help: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.rule, self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// What sort of file it is: rules differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Up,
    Down,
    Code,
    Bootstrap,
    Seed,
}

/// A file with what was read from it.
struct Linted<'a> {
    file: &'a File,
    place: Place,
    header: Header,
    statements: Vec<Statement>,
    tenants: &'a Tenants,
}

/// Where findings are put.
struct Findings<'a> {
    file: &'a File,
    found: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, line: usize, rule: &str, message: impl Into<String>, help: &str) {
        let help = Some(help.to_owned()).filter(|help| !help.is_empty());
        self.found.push(Finding { file: self.file.path.clone(), line, rule: rule.to_owned(), message: message.into(), help });
    }
}

/// The rules of our own. Squawk's rules go by their own names.
const RULES: [&str; 22] = [
    "header-missing",
    "header-invalid",
    "down-missing",
    "migration-plan",
    "syntax",
    "foreign-key-without-company",
    "id-without-company",
    "column-money-type",
    "column-timestamp-type",
    "enum-type",
    "function-leakproof",
    "definer-search-path",
    "policy-to-public",
    "policy-bare-call",
    "view-security-invoker",
    "grant-too-wide",
    "bypass-row-security",
    "context-forged",
    "code-in-migration",
    "hidden-row-change",
    "table-not-enclosed",
    "lint-allow",
];

/// Returns all findings in a source, in the order of files and lines; none means clean.
pub fn lint(source: &Source) -> Result<Vec<Finding>> {
    let files = source.read()?;
    let tenants = Tenants::of(&files);
    let mut found = Vec::new();
    for migration in &files.migrations {
        let of_both = files::of_migration(migration, &files);
        found.extend(check(&migration.up, Place::Up, &tenants, of_both));
        if let Some(down) = &migration.down {
            found.extend(check(down, Place::Down, &tenants, Vec::new()));
        }
    }
    for (place, list) in others(&files) {
        for file in list {
            found.extend(check(file, place, &tenants, Vec::new()));
        }
    }
    found.sort();
    Ok(found)
}

fn others(files: &Files) -> [(Place, &Vec<File>); 4] {
    [
        (Place::Bootstrap, &files.bootstrap),
        (Place::Code, &files.code),
        (Place::Seed, &files.seed_system),
        (Place::Seed, &files.seed_development),
    ]
}

fn check(file: &File, place: Place, tenants: &Tenants, found: Vec<Finding>) -> Vec<Finding> {
    let mut findings = Findings { file, found };
    let header = match header::parse(&file.path, &file.text) {
        Ok(header) => header,
        Err(error) => {
            let line = error.details().and_then(|details| details.get("line")?.as_u64()).and_then(|line| usize::try_from(line).ok());
            findings.add(line.unwrap_or(1), "header-invalid", error.message().to_owned(), "");
            return findings.found;
        }
    };
    let linted = Linted { file, place, header, statements: split::statements(&file.text), tenants };
    files::check(&linted, &mut findings);
    squawk::check(&linted, &mut findings);
    keys::check(&linted, &mut findings);
    columns::check(&linted, &mut findings);
    code::check(&linted, &mut findings);
    silence(&linted, findings)
}

/// Takes out what the file allows with a reason, and adds what is wrong with its exceptions.
fn silence(linted: &Linted<'_>, mut findings: Findings<'_>) -> Vec<Finding> {
    let mut spare = Findings { file: findings.file, found: Vec::new() };
    for allow in &linted.header.allows {
        let before = findings.found.len();
        findings.found.retain(|finding| finding.rule != allow.rule);
        if !RULES.contains(&allow.rule.as_str()) && !squawk::knows(&allow.rule) {
            spare.add(allow.line, "lint-allow", format!("there is no rule {}", allow.rule), "");
        } else if findings.found.len() == before {
            spare.add(allow.line, "lint-allow", format!("nothing here breaks the rule {}", allow.rule), "Take the line out.");
        }
    }
    findings.found.append(&mut spare.found);
    findings.found
}

#[cfg(test)]
mod tests;
