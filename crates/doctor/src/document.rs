//! What the checks say of themselves: the list, one in full, and the table of the guide.

use crate::check::{Check, Group, Need};
use crate::checks;

/// The lints of Supabase's splinter, and of those that no check asks the reason.
const SPLINTER: &[(&str, &str)] = &[
    ("0001_unindexed_foreign_keys", ""),
    ("0002_auth_users_exposed", ""),
    ("0003_auth_rls_initplan", ""),
    ("0004_no_primary_key", ""),
    ("0005_unused_index", ""),
    ("0006_multiple_permissive_policies", ""),
    ("0007_policy_exists_rls_disabled", ""),
    ("0008_rls_enabled_no_policy", ""),
    ("0009_duplicate_index", ""),
    ("0010_security_definer_view", ""),
    ("0011_function_search_path_mutable", ""),
    ("0013_rls_disabled_in_public", ""),
    ("0014_extension_in_public", ""),
    ("0015_rls_references_user_metadata", ""),
    ("0016_materialized_view_in_api", ""),
    ("0017_foreign_table_in_api", ""),
    ("0018_unsupported_reg_types", ""),
    (
        "0019_insecure_queue_exposed_in_api",
        "of the extension pgmq; its tables are found by row_security_off where they are not an extension's",
    ),
    ("0020_table_bloat", ""),
    ("0021_fkey_to_auth_unique", ""),
    ("0022_extension_versions_outdated", ""),
    ("0023_sensitive_columns_exposed", ""),
    ("0024_rls_policy_always_true", ""),
    ("0025_public_bucket_allows_listing", ""),
    ("0026_pg_graphql_anon_table_exposed", "of the extension pg_graphql"),
    ("0027_pg_graphql_authenticated_table_exposed", "of the extension pg_graphql"),
    ("0028_anon_security_definer_function_executable", ""),
    ("0029_authenticated_security_definer_function_executable", ""),
];

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

/// Returns the tables of the guide: the checks by group, and the lints of splinter.
pub fn table() -> String {
    let mut text = String::new();
    for group in Group::ALL {
        text.extend([format!(
            "\n## {group}\n\n| check | severity | what it finds | what to do | needs | splinter |\n|---|---|---|---|---|---|\n"
        )]);
        for check in checks::all().filter(|check| check.group == group) {
            let needs = check.needs.iter().map(|need| needed(*need)).collect::<Vec<_>>().join(", ");
            let lints = check.lints.iter().map(|lint| format!("`{lint}`")).collect::<Vec<_>>().join(" ");
            text.extend([format!("| `{}` | {} | {} | {} | {needs} | {lints} |\n", check.code, check.severity, check.title, check.remedy)]);
        }
    }
    text.push_str("\n## Splinter\n\nSupabase's own linter, lint by lint.\n\n| lint | check |\n|---|---|\n");
    for (lint, reason) in SPLINTER {
        let asked: Vec<String> =
            checks::all().filter(|check| check.lints.contains(lint)).map(|check| format!("`{}`", check.code)).collect();
        let asked = if asked.is_empty() { format!("none: {reason}") } else { asked.join(", ") };
        text.extend([format!("| `{lint}` | {asked} |\n")]);
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
    use super::{SPLINTER, explain, list};
    use crate::checks;

    #[test]
    fn a_check_is_explained_in_full() {
        let said = explain(checks::find("slow_statement").unwrap());
        assert!(said.starts_with("slow_statement: a statement that runs often is slow\n"), "{said}");
        assert!(said.contains("Needs: extension `pg_stat_statements`, `pg_monitor`\n"), "{said}");
        assert!(list().lines().count() == checks::all().count());
    }

    #[test]
    fn every_lint_of_splinter_has_a_check_or_a_reason() {
        for (lint, reason) in SPLINTER {
            assert_eq!(checks::all().any(|check| check.lints.contains(lint)), reason.is_empty(), "{lint}");
        }
        for lint in checks::all().flat_map(|check| check.lints) {
            assert!(SPLINTER.iter().any(|(known, _)| known == lint), "{lint}");
        }
        assert_eq!(SPLINTER.len(), 28);
    }
}
