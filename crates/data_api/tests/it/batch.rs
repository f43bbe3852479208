//! Several requests in one transaction: all or nothing, later ones with what earlier ones answered, each with its own answer.

use serde_json::{Value, json};

use crate::server::{Caller, Said, Server};

const SHOWN: &str = "return=representation";

fn customer(id: &str, name: &str) -> Value {
    json!({ "id": id, "method": "POST", "path": "/customers?select=id,first_name", "headers": { "Prefer": SHOWN },
            "body": { "first_name": name, "phone": "+12025550101" } })
}

async fn count(server: &Server, who: &Caller, table: &str) -> usize {
    server.get(who, &format!("{table}?select=id")).await.ok().as_array().unwrap().len()
}

#[tokio::test]
async fn later_requests_use_what_earlier_ones_answered() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let requests = json!([
        customer("ada", "Ada"),
        { "id": "home", "method": "POST", "path": "/rest/v1/properties?select=id,customer_id", "headers": { "Prefer": SHOWN },
          "body": { "customer_id": { "$result": "ada/0/id" }, "name": "Home", "address": "1 Main St", "city": "Normal", "state": "IL", "zip_code": "61761" } },
        { "id": "seen", "method": "GET", "path": "/properties?select=name,customers(first_name)&id=eq.${home/0/id}" },
        { "id": "gone", "method": "DELETE", "path": "/properties?id=eq.${home/0/id}" },
        { "method": "GET", "path": "/properties?select=id", "headers": { "Accept": "text/csv" } },
    ]);
    let answer = server.batch(&ann, requests, Said::default()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let responses = answer.body["responses"].as_array().unwrap();
    let told: Vec<(&str, u64)> =
        responses.iter().map(|response| (response["id"].as_str().unwrap(), response["status"].as_u64().unwrap())).collect();
    assert_eq!(told, [("ada", 201), ("home", 201), ("seen", 200), ("gone", 204), ("4", 200)]);
    assert_eq!(responses[1]["body"][0]["customer_id"], responses[0]["body"][0]["id"]);
    assert_eq!(responses[2]["body"], json!([{ "name": "Home", "customers": { "first_name": "Ada" } }]));
    assert_eq!((&responses[3]["body"], &responses[2]["headers"]["content-range"]), (&Value::Null, &json!("0-0/*")));
    assert_eq!(responses[4]["headers"]["content-type"], "text/csv; charset=utf-8");
    assert_eq!((count(&server, &ann, "customers").await, count(&server, &ann, "properties").await), (1, 0));
}

#[tokio::test]
async fn one_that_fails_takes_all_with_it() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let his = server.customer(&bob, "Bob").await;
    for (bad, status, code) in [
        (
            json!({ "id": "bad", "method": "POST", "path": "/customers", "body": { "first_name": "No way to reach her" } }),
            422,
            "customer_contact_required",
        ),
        (json!({ "id": "bad", "method": "GET", "path": "/nothing_here" }), 404, "PGRST205"),
        (
            json!({ "id": "bad", "method": "GET", "path": "/customers?first_name=eq.Ada", "headers": { "Accept": "application/vnd.pgrst.object+json", "Prefer": "" } }),
            0,
            "",
        ),
        (
            json!({ "id": "bad", "method": "GET", "path": "/customers?first_name=eq.Nobody", "headers": { "Accept": "application/vnd.pgrst.object+json" } }),
            406,
            "PGRST116",
        ),
        (json!({ "id": "bad", "method": "GET", "path": "/customers?id=eq.${ada/7/id}" }), 400, "batch_reference_unknown"),
        (json!({ "id": "bad", "method": "GET", "path": "/auth/v1/user" }), 404, "PGRST125"),
        // Another company's customer is none.
        (
            json!({ "id": "bad", "method": "POST", "path": "/properties", "body": { "customer_id": his, "name": "x", "address": "x", "city": "x", "state": "x", "zip_code": "x" } }),
            409,
            "23503",
        ),
    ] {
        let before = count(&server, &ann, "customers").await;
        let answer = server.batch(&ann, json!([customer("ada", "Ada"), bad, customer("bea", "Bea")]), Said::default()).await;
        if status == 0 {
            assert_eq!((answer.status, count(&server, &ann, "customers").await), (200, before + 2), "{}", answer.text);
            server.delete(&ann, "customers?first_name=in.(Ada,Bea)", "").await.ok();
            continue;
        }
        answer.refused(status, code);
        assert_eq!((&answer.body["request"], count(&server, &ann, "customers").await), (&json!("bad"), before), "{}", answer.text);
    }
    assert_eq!(count(&server, &bob, "customers").await, 1);
}

#[tokio::test]
async fn what_may_only_read_cannot_write_in_a_batch_either() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server
        .table(
            "create function public.sneaky() returns integer language plpgsql volatile as $$ begin
               insert into public.customers (first_name, phone) values ('Sneaky', '+12025550109'); return 1; end $$;
             grant execute on function public.sneaky to authenticated;",
        )
        .await;
    let requests =
        |method: &str| json!([customer("ada", "Ada"), { "id": "f", "method": method, "path": "/rpc/sneaky" }, customer("bea", "Bea")]);
    server.batch(&ann, requests("GET"), Said::default()).await.refused(405, "25006");
    assert_eq!(count(&server, &ann, "customers").await, 0);
    let answer = server.batch(&ann, requests("POST"), Said::default()).await.ok();
    assert_eq!((&answer["responses"][1]["body"], count(&server, &ann, "customers").await), (&json!(1), 3));
    // Nothing but reads: the whole transaction may not write.
    server.batch(&ann, json!([{ "id": "f", "method": "GET", "path": "/rpc/sneaky" }]), Said::default()).await.refused(405, "25006");
}

#[tokio::test]
async fn a_batch_has_one_caller_and_one_company() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let csr = server.member(&ann.company_id, "viewer").await;
    server.batch(&Server::nobody(), json!([customer("ada", "Ada")]), Said::default()).await.refused(401, "42501");
    server.batch(&csr, json!([customer("ada", "Ada")]), Said::default()).await.refused(403, "42501");
    let other = ann.working_in(&bob.company_id);
    server.batch(&other, json!([customer("ada", "Ada")]), Said::default()).await.refused(403, "company_not_member");
    let person = server.person("cleo").await;
    server.batch(&person, json!([customer("ada", "Ada")]), Said::default()).await.refused(403, "company_required");
    let sneaky = json!([{ "method": "GET", "path": "/customers", "headers": { "X-Company-Id": bob.company_id } }]);
    server.batch(&ann, sneaky, Said::default()).await.refused(400, "batch_malformed");
    server.customer(&bob, "Bob").await;
    let answer = server.batch(&ann, json!([{ "method": "GET", "path": "/customers?select=id" }]), Said::default()).await.ok();
    assert_eq!(answer["responses"][0]["body"], json!([]));
    server.batch(&ann, json!([]), Said::default()).await.refused(400, "batch_malformed");
}

#[tokio::test]
async fn a_batch_is_sent_again_with_its_key_or_undone_as_a_whole() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let said = Said { header: Some(("idempotency-key", "one")), ..Said::default() };
    let first = server.batch(&ann, json!([customer("a", "Ada"), customer("b", "Bea")]), said).await;
    let again = server.batch(&ann, json!([customer("a", "Ada"), customer("b", "Bea")]), said).await;
    assert_eq!((again.status, &again.text, again.header("idempotency-replayed")), (200, &first.text, "true"));
    server.batch(&ann, json!([customer("a", "Ada")]), said).await.refused(422, "idempotency_key_mismatch");
    let undone = Said { prefer: "tx=rollback", ..Said::default() };
    let tried = server.batch(&ann, json!([customer("c", "Cleo")]), undone).await.ok();
    assert_eq!((&tried["responses"][0]["status"], count(&server, &ann, "customers").await), (&json!(201), 2));
}

#[tokio::test]
async fn each_request_is_seen_by_sql_as_itself() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server
        .table(
            "create function public.seen() returns json language plpgsql volatile as $$ begin
               perform set_config('response.headers', '[{\"X-Once\": \"1\"}]', true);
               return json_build_object('method', current_setting('request.method'), 'path', current_setting('request.path'),
                                        'zone', current_setting('TimeZone')); end $$;
             grant execute on function public.seen to authenticated;",
        )
        .await;
    let requests = json!([
        { "method": "POST", "path": "/rpc/seen", "headers": { "Prefer": "timezone=Asia/Tokyo" } },
        { "method": "GET", "path": "/customers?select=id" },
        { "method": "GET", "path": "/rest/v1/rpc/seen" },
    ]);
    let answer = server.batch(&ann, requests, Said::default()).await.ok();
    let responses = &answer["responses"];
    assert_eq!(responses[0]["body"], json!({ "method": "POST", "path": "/rest/v1/rpc/seen", "zone": "Asia/Tokyo" }));
    assert_eq!((&responses[0]["headers"]["x-once"], &responses[1]["headers"]["x-once"]), (&json!("1"), &Value::Null));
    assert_eq!((&responses[2]["body"]["method"], &responses[2]["body"]["path"]), (&json!("GET"), &json!("/rest/v1/rpc/seen")));
    assert_ne!(responses[2]["body"]["zone"], "Asia/Tokyo");
}
