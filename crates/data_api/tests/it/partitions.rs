//! Tables in partitions by the month in the id: rows find theirs, months are made as they are needed, and nobody comes in by one.

use std::sync::Arc;

use jiff::{ToSpan as _, Zoned};
use serde_json::json;
use tokio::task::JoinSet;

use crate::server::Server;

const FULL: &str = "return=representation";

/// The names of the months from the one before this to three ahead, as they are now or were so many months ago.
fn months(ago: i32) -> Vec<String> {
    let first = Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date().first_of_month();
    (-1..=3).map(|ahead| first.saturating_add((ahead - ago).months()).strftime("%Y_%m").to_string()).collect()
}

#[tokio::test]
async fn the_months_that_come_are_there_and_are_closed() {
    let server = Server::new().await;
    let client = server.db.superuser().await;
    for table in ["communications", "activities", "audit_logs", "webhook_logs", "email_logs"] {
        let found = client
            .query(
                "select c.relname::text, c.relrowsecurity and c.relforcerowsecurity
                   from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = ('public.' || $1::text)::regclass order by 1",
                &[&table],
            )
            .await
            .unwrap();
        let names: Vec<String> = found.iter().map(|row| row.get(0)).collect();
        // A month may have begun since it was migrated.
        let expected = [0, 1].map(|ago| months(ago).iter().map(|month| format!("{table}_{month}")).collect::<Vec<_>>());
        assert!(expected.contains(&names), "{names:?}");
        assert!(found.iter().all(|row| row.get::<_, bool>(1)), "row security is forced on each");
    }
    let rights = "select count(*) from pg_class c, unnest(array['anon', 'authenticated', 'service_role', 'public']) r
                   where c.relispartition and c.relkind = 'r' and c.relacl::text ~ (r || '=')";
    assert_eq!(client.query_one(rights, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_row_goes_into_the_month_of_its_id() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let made = server.post(&ann, "communications", json!({ "type": "note", "body": "now" }), FULL).await.ok();
    assert_eq!(made[0]["body"], "now");
    let place = format!("select tableoid::regclass::text from public.communications where body = '{}'", "now");
    let client = server.db.superuser().await;
    let found: String = client.query_one(&place, &[]).await.unwrap().get(0);
    assert!([0, 1].map(|ago| format!("communications_{}", months(ago)[1])).contains(&found), "{found}");

    let random = json!({ "id": "7d444840-9dc0-41d1-b245-5ffdce74fad2", "type": "note" });
    let refused = server.post(&ann, "communications", random, "").await;
    assert_eq!((refused.status, refused.body["code"].as_str()), (400, Some("23514")), "{}", refused.text);
    // The last and the first millisecond around new year 2020, which no partition has.
    let (before, after) = ("016f5e66-e7ff-7000-8000-000000000001", "016f5e66-e800-7000-8000-000000000001");
    let old = |id: &str| json!({ "id": id, "type": "note", "body": id });
    let refused = server.post(&ann, "communications", old(after), "").await;
    assert_eq!((refused.status, refused.body["code"].as_str()), (400, Some("23514")), "{}", refused.text);
    for (day, name) in [("2019-12-31", "communications_2019_12"), ("2020-01-01", "communications_2020_01")] {
        let month = json!({ "table_name": "communications", "start_date": day });
        assert_eq!(server.post(&server.service(), "rpc/create_monthly_partition", month, "").await.ok(), json!(name));
    }
    for (id, name) in [(before, "communications_2019_12"), (after, "communications_2020_01")] {
        assert_eq!(server.post(&ann, "communications", old(id), "").await.status, 201);
        let place = format!("select tableoid::regclass::text from public.communications where body = '{id}'");
        assert_eq!(client.query_one(&place, &[]).await.unwrap().get::<_, String>(0), name);
    }
    server.get(&ann, "communications_2020_01").await.refused(404, "PGRST205");
    server.get(&server.service(), "communications_2020_01").await.refused(404, "PGRST205");
}

#[tokio::test]
async fn only_the_service_makes_a_month_and_only_of_what_has_months() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let call = |table: &str, month: &str| json!({ "table_name": table, "start_date": month });
    let path = "rpc/create_monthly_partition";
    server.post(&ann, path, call("activities", "2031-02-15"), "").await.refused(403, "42501");
    server.post(&Server::nobody(), path, call("activities", "2031-02-15"), "").await.refused(401, "42501");
    let service = server.service();
    server.post(&service, path, call("customers", "2031-02-15"), "").await.refused(422, "table_not_partitioned");
    server.post(&service, path, call("activities; drop table jobs", "2031-02-15"), "").await.refused(422, "table_not_partitioned");
    server.post(&service, path, call("activities", "1969-12-31"), "").await.refused(422, "partition_month_invalid");
    for _ in 0..2 {
        assert_eq!(server.post(&service, path, call("public.activities", "2031-02-15"), "").await.ok(), json!("activities_2031_02"));
    }
}

#[tokio::test]
async fn the_same_month_made_by_several_at_once_is_made_once_while_rows_are_written() {
    let server = Arc::new(Server::new().await);
    let ann = server.owner("ann").await;
    let mut running = JoinSet::new();
    for n in 0..16_u32 {
        let (server, ann) = (Arc::clone(&server), ann.clone());
        running.spawn(async move {
            if n % 2 == 0 {
                let month = json!({ "table_name": "communications", "start_date": format!("2032-{:02}-01", n % 4 + 1) });
                let made = server.post(&server.service(), "rpc/create_monthly_partition", month, "").await;
                assert_eq!(made.ok(), json!(format!("communications_2032_{:02}", n % 4 + 1)));
            } else {
                assert_eq!(server.post(&ann, "communications", json!({ "type": "note" }), "").await.status, 201);
            }
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
    assert_eq!(server.get(&ann, "communications?select=id").await.ok().as_array().unwrap().len(), 8);
}
