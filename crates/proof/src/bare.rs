//! What is reached without an opening statement: by the server's login itself, and by each role whose context was never set or is empty,
//! as it is on a connection that somebody else has used.
//!
//! Invariant: no context is no company, never every company.

use tokio_postgres::Client;

use crate::expectation::{CUSTOMERS, Permissions, Reach, Standing, Verb};
use crate::report::Report;
use crate::tables::Table;
use crate::world::World;

/// What a connection may have been left with.
const CONTEXTS: [(&str, &str); 2] = [
    ("no context", "select 1"),
    (
        "an empty context",
        "select set_config('app.company_id', '', true), set_config('app.user_id', '', true), set_config('app.permissions', '', true),
                set_config('app.member_role', '', true), set_config('request.jwt.claims', '', true)",
    ),
];

/// Tries every table.
pub(crate) async fn run(world: &World, tables: &[&Table], permissions: &Permissions, report: &mut Report) {
    let client = testkit::connect(&world.db.server_config()).await;
    for table in tables {
        let said = read(&client, "the server's login", "select 1", table).await;
        judge(report, "the server's login", table, &said, "permission denied");
        for (name, context) in CONTEXTS {
            let guest =
                Standing::Guest { company_id: String::new(), role: "portal".to_owned(), whose: (CUSTOMERS.to_owned(), String::new()) };
            for (role, standing) in
                [("anon", Standing::Anonymous), ("authenticated", Standing::Alone { user_id: String::new() }), ("guest", guest)]
            {
                let said = read(&client, role, context, table).await;
                let expected = match permissions.reach(&standing, &table.full_name, Verb::Read) {
                    Reach::Barred => "permission denied",
                    Reach::Everything if !table.rows.is_empty() => "rows",
                    _ => "no rows",
                };
                judge(report, &format!("{role} with {name}"), table, &said, expected);
            }
        }
    }
}

async fn read(client: &Client, role: &str, context: &str, table: &Table) -> String {
    let become_role = if role.contains(' ') { String::new() } else { format!("set local role {role};") };
    client.batch_execute(&format!("begin; {become_role} {context}")).await.expect("a transaction");
    let read = format!("select 1 from {:?}.{:?} limit 1", table.target.schema, table.target.name);
    let said = match client.query(read.as_str(), &[]).await {
        Ok(rows) if rows.is_empty() => "no rows".to_owned(),
        Ok(_) => "rows".to_owned(),
        Err(error) => error.as_db_error().map_or_else(|| error.to_string(), |said| said.message().to_owned()),
    };
    client.batch_execute("rollback").await.expect("an end");
    said
}

fn judge(report: &mut Report, who: &str, table: &Table, said: &str, expected: &str) {
    report.count(format!("bare {expected}"));
    if !said.starts_with(expected) {
        report.findings.push(format!("{who}: select on {}: expected {expected}, found {said}", table.full_name));
    }
}
