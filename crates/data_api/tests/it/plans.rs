//! How PostgreSQL would go about a request, instead of what comes of it: where it may be asked for, and what is left behind.

use data_api::DataApiConfig;
use serde_json::{Value, json};

use crate::server::{Answer, Caller, Said, Server};

const PLAN: &str = "application/vnd.pgrst.plan";
const JSON: &str = "application/vnd.pgrst.plan+json";

async fn open() -> (Server, Caller) {
    let server = Server::with(DataApiConfig { plan_enabled: Some(true), ..DataApiConfig::default() }).await;
    let ann = server.owner("ann").await;
    server.customer(&ann, "Ada").await;
    (server, ann)
}

async fn asked(server: &Server, who: &Caller, request: (&str, &str), body: Option<Value>, accept: &str) -> Answer {
    server.call(who, request, body.map(|body| body.to_string()), Said { accept, ..Said::default() }).await
}

#[tokio::test]
async fn a_read_tells_its_plan() {
    let (server, ann) = Box::pin(open()).await;
    let text = asked(&server, &ann, ("GET", "customers"), None, PLAN).await;
    assert_eq!(
        (text.status, text.header("content-type")),
        (200, "application/vnd.pgrst.plan+text; for=\"application/json\"; charset=utf-8")
    );
    assert!(text.text.starts_with("Aggregate  (cost=") && text.text.contains('\n'), "{}", text.text);
    assert_eq!((text.header("content-range"), text.header("preference-applied")), ("", ""));
    let told = asked(&server, &ann, ("GET", "customers?first_name=eq.Ada"), None, JSON).await;
    assert_eq!(told.header("content-type"), "application/vnd.pgrst.plan+json; for=\"application/json\"; charset=utf-8");
    assert!(told.body[0]["Plan"]["Total Cost"].is_number() && told.body[0].get("Execution Time").is_none(), "{}", told.text);
    let all = "application/vnd.pgrst.plan+json; for=\"application/vnd.pgrst.object\"; options=analyze|verbose|settings|buffers|wal;";
    let measured = asked(&server, &ann, ("GET", "customers?first_name=eq.Nobody"), None, all).await;
    assert_eq!(
        measured.header("content-type"),
        "application/vnd.pgrst.plan+json; for=\"application/vnd.pgrst.object+json\"; options=analyze|verbose|settings|buffers|wal; charset=utf-8"
    );
    let plan = &measured.body[0];
    assert!(plan["Execution Time"].is_number() && plan["Plan"]["WAL Bytes"].is_number() && plan["Plan"]["Output"].is_array(), "{plan}");
    asked(&server, &ann, ("GET", "customers"), None, "application/vnd.pgrst.plan; options=wal").await.refused(400, "22023");
    let head = asked(&server, &ann, ("HEAD", "customers"), None, PLAN).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

#[tokio::test]
async fn what_a_plan_did_to_measure_itself_is_undone() {
    let (server, ann) = Box::pin(open()).await;
    server
        .table(
            "create function public.enter() returns integer language sql as $$
               insert into public.customers (first_name, last_name, phone) values ('a', 'b', '+15550100'); select 1 $$;
             grant execute on function public.enter to authenticated;",
        )
        .await;
    let row = json!({ "first_name": "Bob", "last_name": "B", "phone": "+15550100" });
    let measure = "application/vnd.pgrst.plan+json; options=analyze";
    for (request, body) in [
        (("POST", "customers"), Some(row)),
        (("PATCH", "customers?first_name=eq.Ada"), Some(json!({ "first_name": "Eve" }))),
        (("DELETE", "customers?first_name=eq.Ada"), None),
        (("POST", "rpc/enter"), Some(json!({}))),
    ] {
        for accept in [JSON, measure] {
            let told = asked(&server, &ann, request, body.clone(), accept).await;
            assert_eq!(told.status, 200, "{request:?}: {}", told.text);
            assert_eq!(told.body[0].get("Execution Time").is_some(), accept == measure, "{request:?}: {}", told.text);
        }
    }
    assert_eq!(server.get(&ann, "customers?select=first_name").await.ok(), json!([{ "first_name": "Ada" }]));
}

#[tokio::test]
async fn a_plan_is_the_callers_own() {
    let (server, _ann) = Box::pin(open()).await;
    let bob = server.owner("bob").await;
    let measure = "application/vnd.pgrst.plan+json; options=analyze|verbose";
    let told = asked(&server, &bob, ("GET", "customers"), None, measure).await;
    let scanned: Vec<f64> = rows(&told.body[0]["Plan"], "customers");
    assert!(!scanned.is_empty() && scanned.iter().all(|rows| *rows == 0.0), "{}", told.text);
    assert!(!told.text.contains("Ada"), "{}", told.text);
    asked(&server, &Server::nobody(), ("GET", "customers"), None, PLAN).await.refused(401, "42501");
}

/// Returns how many rows each look at a table gave.
fn rows(plan: &Value, table: &str) -> Vec<f64> {
    let below = plan["Plans"].as_array().into_iter().flatten().flat_map(|below| rows(below, table));
    let own = (plan["Relation Name"] == table).then(|| plan["Actual Rows"].as_f64().unwrap());
    own.into_iter().chain(below).collect()
}

#[tokio::test]
async fn where_plans_are_not_told() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let refused = asked(&server, &ann, ("GET", "customers"), None, "application/vnd.pgrst.plan; options=analyze").await;
    refused.refused(406, "PGRST107");
    assert_eq!(
        refused.body["message"],
        "None of these media types are available: application/vnd.pgrst.plan+text; for=\"application/json\"; options=analyze"
    );
    let other = asked(&server, &ann, ("GET", "customers"), None, "application/vnd.pgrst.plan+json, application/json").await;
    assert_eq!(other.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(other.ok(), json!([]));
}
