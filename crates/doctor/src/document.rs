//! What the checks say of themselves: the list, one in full, and the table of the guide.

use crate::check::{Check, Group, Need};
use crate::checks;

/// Returns a line for each check.
pub fn list() -> String {
    checks::all()
        .map(|check| format!("{:<26} {:<13} {:<9} {}\n", check.code, check.group, check.severity, check.title))
        .collect::<Vec<_>>()
        .concat()
}

/// Returns everything that is known of a check.
pub fn explain(check: &Check) -> String {
    let mut text = format!("{}: {}\n\n{}\n\nTo do: {}\n", check.code, check.title, check.why, check.remedy);
    let mut line = |name: &str, value: &str| {
        text.extend([format!("{name}: {value}\n")]);
    };
    line("Group", check.group.word());
    line("Severity", check.severity.word());
    line("The change", check.lock.sentence());
    if !check.needs.is_empty() {
        line("Needs", &check.needs.iter().map(|need| needed(*need)).collect::<Vec<_>>().join(", "));
    }
    if !check.lints.is_empty() {
        line("Like splinter's", &check.lints.join(", "));
    }
    text
}

/// Returns the table of the guide.
pub fn table() -> String {
    let mut text = String::new();
    for group in Group::ALL {
        text.extend([format!(
            "\n### {group}\n\n| check | severity | what it finds | what to do | needs | splinter |\n|---|---|---|---|---|---|\n"
        )]);
        for check in checks::all().filter(|check| check.group == group) {
            let needs = check.needs.iter().map(|need| needed(*need)).collect::<Vec<_>>().join(", ");
            let lints = check.lints.iter().map(|lint| format!("`{lint}`")).collect::<Vec<_>>().join(" ");
            text.extend([format!("| `{}` | {} | {} | {} | {needs} | {lints} |\n", check.code, check.severity, check.title, check.remedy)]);
        }
    }
    text
}

fn needed(need: Need) -> String {
    match need {
        Need::Monitor => "`pg_monitor`".to_owned(),
        Need::Superuser => "a superuser".to_owned(),
        Need::Statistics => "`pg_read_all_data`".to_owned(),
        Need::Extension(name) => format!("extension `{name}`"),
        Need::Version(major) => format!("PostgreSQL {major}"),
        Need::Table(name) => format!("`{name}`"),
        Need::ApiRoles => "roles of callers".to_owned(),
        Need::Tenants => "a column of companies".to_owned(),
        Need::Primary => "not a copy".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{explain, list};
    use crate::checks;

    #[test]
    fn a_check_is_explained_in_full() {
        let said = explain(checks::find("slow_statement").unwrap());
        assert!(said.starts_with("slow_statement: a statement that runs often is slow\n"), "{said}");
        assert!(said.contains("Needs: extension `pg_stat_statements`, `pg_monitor`\n"), "{said}");
        assert!(list().lines().count() == checks::all().count());
    }
}
