//! The rules of the squawk linter that serve here: what locks or breaks a busy table.
//!
//! Left out on purpose: time-outs and `if not exists` (the runner sees to both), wide integers (durations are integers), and what
//! keeps policies, grants and functions still (they are code here, replaced at every migrate).

use squawk_linter::{Linter, Rule};
use squawk_syntax::SourceFile;

use super::super::split::line_at;
use super::{Findings, Linted, Place};

/// For migrations forwards.
const UP: [Rule; 27] = [
    Rule::AddingFieldWithDefault,
    Rule::AddingForeignKeyConstraint,
    Rule::AddingNotNullableField,
    Rule::AddingRequiredField,
    Rule::AddingSerialPrimaryKeyField,
    Rule::BanAlterDomainWithAddConstraint,
    Rule::BanCharField,
    Rule::BanConcurrentIndexCreationInTransaction,
    Rule::BanCreateDomainWithConstraint,
    Rule::BanDropColumn,
    Rule::BanDropDatabase,
    Rule::BanDropNotNull,
    Rule::BanDropSchema,
    Rule::BanDropTable,
    Rule::BanDropType,
    Rule::BanTruncateCascade,
    Rule::ChangingColumnType,
    Rule::ConstraintMissingNotValid,
    Rule::DisallowedUniqueConstraint,
    Rule::IdentifierTooLong,
    Rule::RenamingColumn,
    Rule::RenamingTable,
    Rule::RequireConcurrentIndexCreation,
    Rule::RequireConcurrentIndexDeletion,
    Rule::RequireConcurrentPartitionDetach,
    Rule::RequireConcurrentReindex,
    Rule::RequireTableSchema,
];

/// For migrations back: they drop by their nature, but they lock all the same.
const DOWN: [Rule; 4] = [
    Rule::BanConcurrentIndexCreationInTransaction,
    Rule::RequireConcurrentIndexCreation,
    Rule::RequireConcurrentReindex,
    Rule::RequireTableSchema,
];

/// Whether it is one of the rules above.
pub(super) fn knows(rule: &str) -> bool {
    rule.parse::<Rule>().is_ok_and(|rule| UP.contains(&rule) || DOWN.contains(&rule))
}

/// Checks one file.
pub(super) fn check(linted: &Linted<'_>, findings: &mut Findings<'_>) {
    let text = linted.file.text.as_str();
    let parsed = SourceFile::parse(text);
    for error in parsed.errors() {
        let line = line_at(text, usize::from(error.range().start()));
        findings.add(line, "syntax", error.message().to_owned(), "");
    }
    let rules: &[Rule] = match linted.place {
        Place::Up => &UP,
        Place::Down => &DOWN,
        Place::Code | Place::Bootstrap | Place::Seed => return,
    };
    let mut linter = Linter::from(rules.iter().copied());
    linter.settings.assume_in_transaction = !linted.header.without_transaction;
    for violation in linter.lint(&parsed, text) {
        let line = line_at(text, usize::from(violation.text_range.start()));
        findings.add(line, &violation.code.to_string(), violation.message, violation.help.as_deref().unwrap_or_default());
    }
}
