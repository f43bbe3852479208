//! One person with canaries wherever he may stand: he is told all of it, and once he is erased none is left, while the audit still verifies.

mod asked;
mod everywhere;
mod held;
mod others;
mod rights;

use testkit::Db;
use tokio_postgres::Client;

const PLANT: &str = include_str!("plant.sql");
const SEARCH: &str = include_str!("search.sql");
/// What stands wherever something personal may stand.
const CANARY: &str = "zqcanary";

/// Whose rows get canaries.
struct Subject<'a> {
    kind: &'a str,
    company: &'a str,
    id: &'a str,
}

/// Writes canaries; returns how many.
async fn plant(client: &Client, subject: &Subject<'_>) -> i64 {
    let Subject { kind, company, id } = subject;
    let settings = format!(
        "begin; set local plant.subject = '{kind}'; set local plant.company = '{company}'; set local plant.person = '{id}'; set local plant.word = '{CANARY}';"
    );
    client.batch_execute(&settings).await.unwrap();
    client.batch_execute(PLANT).await.unwrap();
    let planted = client.query_one("select pg_temp.plant()", &[]).await.unwrap().get(0);
    client.batch_execute("commit; drop function pg_temp.plant()").await.unwrap();
    planted
}

/// Finds the canaries that are left. Changes on their way to servers are let go first, as the feed lets them go when all have read them.
async fn left(db: &Db) -> Vec<String> {
    let client = db.superuser().await;
    client.batch_execute("delete from app.change_outbox").await.unwrap();
    client.batch_execute(SEARCH).await.unwrap();
    let rows = client.query("select * from pg_temp.search($1)", &[&CANARY]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
