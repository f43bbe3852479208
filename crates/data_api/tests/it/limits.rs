//! Limits per role: on rows, on depth, on time, and on what a plan may cost; each with its own code.

use data_api::DataApiConfig;
use serde_json::{Value, json};

use crate::server::{Said, Server};

fn list(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

#[tokio::test]
async fn a_role_has_rows_and_depth_of_its_own() {
    let config =
        DataApiConfig { role_rows_max: list("authenticated=3"), role_embed_depth_max: list("authenticated=1"), ..DataApiConfig::default() };
    let server = Server::with(config).await;
    let ann = server.owner("ann").await;
    let rows: Vec<Value> = (0..4).map(|n| json!({ "first_name": format!("C{n}"), "phone": "+15550100" })).collect();
    assert_eq!(server.post(&ann, "customers", json!(rows), "").await.status, 201);

    let count = |answer: Value| answer.as_array().unwrap().len();
    assert_eq!(count(server.get(&ann, "customers?select=id").await.ok()), 3, "who asks for no number gets as many as there may be");
    assert_eq!(count(server.get(&ann, "customers?select=id&limit=3&offset=2").await.ok()), 2);
    assert_eq!(count(server.get(&server.service(), "customers?select=id&limit=4").await.ok()), 4, "it is that role's limit alone");
    let expected = json!({
        "code": "too_many_rows", "message": "The request asks for more rows than this role's answers may have", "details": null,
        "hint": "At most 3 rows may be asked for."
    });
    let range = Said { header: Some(("range", "0-3")), ..Said::default() };
    for refused in [
        server.get(&ann, "customers?select=id&limit=4").await,
        server.get_with(&ann, "customers?select=id", range).await,
        server.get(&ann, "customers?select=id,jobs!customer_id(id)&jobs.limit=4").await,
    ] {
        assert_eq!((refused.status, &refused.body), (400, &expected));
    }

    let nested = "customers?select=id,jobs!customer_id(id,customer:customer_id(id))";
    let refused = server.get(&ann, nested).await;
    refused.refused(400, "embedding_too_deep");
    assert_eq!(refused.body["hint"], "At most 1 levels may be embedded in each other.");
    server.get(&server.service(), nested).await.ok();
    let batch = json!([{ "id": "a", "method": "GET", "path": format!("/{nested}") }]);
    server.batch(&ann, batch, Said::default()).await.refused(400, "embedding_too_deep");
    let batch = json!([{ "id": "a", "method": "GET", "path": "/customers?limit=4" }]);
    let refused = server.batch(&ann, batch, Said::default()).await;
    assert_eq!((refused.status, &refused.body["code"], &refused.body["request"]), (400, &json!("too_many_rows"), &json!("a")));
}

#[tokio::test]
async fn a_role_has_a_time_of_its_own() {
    let server = Server::with(DataApiConfig { role_statement_ms: list("anon=40"), ..DataApiConfig::default() }).await;
    server
        .table(
            "create function public.slow(seconds double precision) returns void language sql as 'select pg_sleep(seconds)';
             grant execute on function public.slow to anon, service_role;",
        )
        .await;
    let nobody = Server::nobody();
    let slow = || server.post(&nobody, "rpc/slow", json!({ "seconds": 60 }), "");
    let refused = slow().await;
    let message = "The statement ran longer than this role's statements may";
    let expected = json!({ "code": "statement_time_exceeded", "message": message, "details": "40 ms are allowed", "hint": null });
    assert_eq!((refused.status, &refused.body), (504, &expected));
    let batch = json!([{ "method": "POST", "path": "/rpc/slow", "body": { "seconds": 60 } }]);
    server.batch(&nobody, batch, Said::default()).await.refused(504, "statement_time_exceeded");
    let allowed = server.post(&server.service(), "rpc/slow", json!({ "seconds": 0.1 }), "").await;
    assert_eq!(allowed.status, 204, "it is that role's limit alone");

    // What the database says of the role goes before it, and has the dialect's answer.
    let in_database =
        "do $$ begin execute format('alter role anon in database %I set statement_timeout = %L', current_database(), '70ms'); end $$";
    server.db.superuser().await.batch_execute(in_database).await.unwrap();
    server.api.reload().await.unwrap();
    let refused = slow().await;
    let message = "canceling statement due to statement timeout";
    assert_eq!((refused.status, refused.body), (500, json!({ "code": "57014", "message": message, "details": null, "hint": null })));
}

const HEAPS: &str = "
create table public.heaps (company_id uuid not null default app.company_id(), id integer not null, note text, primary key (company_id, id));
select app.protect('public.heaps', 'customers');";

#[tokio::test]
async fn a_plan_that_costs_too_much_is_refused_before_it_runs() {
    let config =
        DataApiConfig { plan_cost_max: 60, stream_bytes_min: 1, role_plan_cost_max: list("service_role=0"), ..DataApiConfig::default() };
    let server = Server::with(config).await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    server.table(HEAPS).await;
    let superuser = server.db.superuser().await;
    let fill = "insert into public.heaps select (select id from public.companies where name = 'ann'), n, repeat('x', 200)
                  from generate_series(1, 20000) n";
    superuser.batch_execute(fill).await.unwrap();
    superuser.batch_execute("analyze public.heaps").await.unwrap();

    // By its key it costs nothing, and a row without a match costs as much as the whole table.
    assert_eq!(server.get(&ann, "heaps?select=id&id=eq.7").await.ok(), json!([{ "id": 7 }]));
    let costly = "heaps?select=id&note=eq.none";
    let expected = json!({
        "code": "plan_too_costly", "message": "The planner expects this request to cost more than this role's requests may", "details": null,
        "hint": "Ask for fewer rows, filter by a column that has an index, or order by one."
    });
    let refused = server.get(&ann, costly).await;
    assert_eq!((refused.status, &refused.body), (400, &expected));
    assert_eq!(server.get(&server.service(), costly).await.ok(), json!([]), "a role with 0 is not limited");

    // What is asked first of a shape does not make the next one cheap: neither a value that fits no row nor a small number of rows.
    assert_eq!(server.get(&ann, "heaps?select=note&limit=1").await.ok().as_array().unwrap().len(), 1);
    server.get(&ann, "heaps?select=note&limit=1000&order=note").await.refused(400, "plan_too_costly");
    let whole = server.get(&ann, "heaps?select=note&limit=1000&offset=19000").await;
    whole.refused(400, "plan_too_costly");
    for value in ["20001", "0"] {
        server.get(&ann, &format!("heaps?select=note&id=gt.{value}&order=note")).await.refused(400, "plan_too_costly");
    }
    // A company with none of the rows is told the same: the refusal says nothing of them.
    assert_eq!(server.get(&bob, costly).await.body, expected);
    assert_eq!(server.get(&bob, "heaps?select=id&id=eq.7").await.ok(), json!([]));

    // Writes and batches, too; nothing of them was done.
    server.patch(&ann, "heaps?note=like.x*", json!({ "note": "y" }), "").await.refused(400, "plan_too_costly");
    server.delete(&ann, "heaps?note=like.x*", "").await.refused(400, "plan_too_costly");
    let written = server.patch(&ann, "heaps?id=eq.7", json!({ "note": "y" }), "return=representation").await.ok();
    assert_eq!(written[0]["note"], "y");
    let batch = json!([
        { "id": "w", "method": "DELETE", "path": "/heaps?id=eq.7" },
        { "id": "r", "method": "GET", "path": format!("/{costly}") },
    ]);
    let refused = server.batch(&ann, batch, Said::default()).await;
    assert_eq!((&refused.body["code"], &refused.body["request"]), (&json!("plan_too_costly"), &json!("r")));
    assert_eq!(server.get(&ann, "heaps?select=id&note=eq.y&limit=1&id=eq.7").await.ok(), json!([{ "id": 7 }]));

    // Who may not read it is told that, and the connection is good for the next.
    server.get(&Server::nobody(), costly).await.refused(401, "42501");
    server.get(&ann, "heaps?select=id&nothing=eq.1").await.refused(400, "42703");
    assert_eq!(server.get(&ann, "heaps?select=id&id=eq.8").await.ok(), json!([{ "id": 8 }]));
    server.get(&ann, costly).await.refused(400, "plan_too_costly");

    // A shape is asked for once: what is known of it stays although the table is empty now, and another shape is looked at.
    superuser.batch_execute("truncate public.heaps; analyze public.heaps").await.unwrap();
    server.get(&ann, costly).await.refused(400, "plan_too_costly");
    server.get(&ann, "heaps?select=id&note=eq.none&id=gt.1&order=id").await.ok();
    // Until the tables are read anew.
    server.api.reload().await.unwrap();
    assert_eq!(server.get(&ann, costly).await.ok(), json!([]));
}
