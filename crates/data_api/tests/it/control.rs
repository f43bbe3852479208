//! What SQL says of its answer, and what a request says of its transaction: status, headers, whole errors, its end, its time zone, and the
//! function that runs before.

use data_api::{DataApiConfig, EndOfTransaction};
use serde_json::json;

use crate::server::{Said, Server};

const SAYING: &str = r#"
create function public.teapot() returns json language plpgsql volatile as $$ begin
  perform set_config('response.status', '418', true);
  perform set_config('response.headers', '[{"X-Kind": "teapot"}, {"Cache-Control": "no-store"}, {"Set-Cookie": "a=1"}, {"Set-Cookie": "b=2"}]', true);
  return '{"short": true}'; end $$;
create function public.sheet() returns text language plpgsql stable as $$ begin
  perform set_config('response.headers', '[{"Content-Type": "text/x-sheet"}]', true); return 'x'; end $$;
create function public.bad_status() returns integer language plpgsql as $$ begin perform set_config('response.status', 'fine', true); return 1; end $$;
create function public.bad_headers() returns integer language plpgsql as $$ begin perform set_config('response.headers', '{}', true); return 1; end $$;
create function public.whole_answer(detail text) returns void language plpgsql as $$ begin
  raise sqlstate 'PGRST' using message = '{"code": "PAY", "message": "Pay first", "details": "7 days late", "hint": "By card"}', detail = detail; end $$;
create function public.zone() returns text language sql stable as $$ select current_setting('TimeZone') $$;
create function public.moment() returns setof json language sql stable as $$ select json_build_object('at', timestamptz '2026-07-01 12:00Z') $$;
create function public.before_all() returns void language plpgsql as $$ begin
  if current_setting('request.path') like '%/properties' then raise sqlstate 'PT403' using message = 'Closed on Sundays'; end if;
  perform set_config('response.headers', '[{"X-Before": "' || current_user || '"}]', true); end $$;
grant execute on function public.teapot, public.sheet, public.bad_status, public.bad_headers, public.whole_answer, public.zone, public.moment,
  public.before_all to anon, authenticated, service_role;"#;

#[tokio::test]
async fn a_function_gives_its_answer_a_status_and_headers() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.table(SAYING).await;
    let answer = server.post(&ann, "rpc/teapot", json!({}), "").await;
    assert_eq!((answer.status, answer.header("x-kind"), answer.header("cache-control")), (418, "teapot", "no-store"));
    let cookies: Vec<&str> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!((cookies, &answer.body), (vec!["a=1", "b=2"], &json!({ "short": true })));
    let sheet = server.get(&ann, "rpc/sheet").await;
    assert_eq!((sheet.status, sheet.header("content-type"), sheet.text.as_str()), (200, "text/x-sheet", r#""x""#));
    for (function, code, message) in [
        ("bad_status", "PGRST112", "response.status guc must be a valid status code"),
        ("bad_headers", "PGRST111", "response.headers guc must be a JSON array composed of objects with a single key and a string value"),
    ] {
        let refused = server.post(&ann, &format!("rpc/{function}"), json!({}), "").await;
        refused.refused(500, code);
        assert_eq!(refused.body["message"], message);
    }
}

#[tokio::test]
async fn sql_writes_out_a_whole_error() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.table(SAYING).await;
    let detail = json!({ "status": 402, "status_text": "Please Pay", "headers": { "X-Due": "7" } });
    let answer = server.post(&ann, "rpc/whole_answer", json!({ "detail": detail.to_string() }), "").await;
    assert_eq!((answer.status, answer.header("x-due"), answer.header("proxy-status")), (402, "7", "PostgREST; error=PAY"));
    assert_eq!(answer.body, json!({ "code": "PAY", "message": "Pay first", "details": "7 days late", "hint": "By card" }));
    let answer = server.post(&ann, "rpc/whole_answer", json!({ "detail": "402" }), "").await;
    answer.refused(500, "PGRST121");
    assert_eq!(answer.body["details"], "Invalid JSON value for DETAIL: '402'");
}

#[tokio::test]
async fn a_request_chooses_how_its_transaction_ends() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let customer = json!({ "first_name": "Ada", "phone": "+12025550101" });
    let tried = server.post(&ann, "customers?select=first_name", customer.clone(), "return=representation, tx=rollback").await;
    assert_eq!((tried.status, tried.header("preference-applied")), (201, "return=representation, tx=rollback"));
    assert_eq!(tried.body, json!([{ "first_name": "Ada" }]));
    assert_eq!(server.get(&ann, "customers").await.ok(), json!([]));
    server.post(&ann, "customers", customer.clone(), "tx=commit").await.ok();
    assert_eq!(server.get(&ann, "customers?select=first_name").await.ok(), json!([{ "first_name": "Ada" }]));

    for (end, kept) in [(EndOfTransaction::Commit, 1), (EndOfTransaction::Rollback, 0), (EndOfTransaction::RollbackAllowOverride, 0)] {
        let server = Server::with(DataApiConfig { transaction_end: end, ..DataApiConfig::default() }).await;
        // Founding a company is a request, too.
        let ann = server.person("ann").await;
        let founded = json!({ "name": "Ann", "industry": "hvac" });
        let prefer = if end == EndOfTransaction::Commit { "tx=rollback" } else { "" };
        server.post(&ann, "rpc/create_company_with_owner", founded.clone(), prefer).await.ok();
        let companies = server.post(&ann, "rpc/my_companies", json!({}), "").await.ok();
        assert_eq!(companies.as_array().unwrap().len(), kept, "{end:?}");
        if end == EndOfTransaction::RollbackAllowOverride {
            server.post(&ann, "rpc/create_company_with_owner", founded, "tx=commit").await.ok();
            assert_eq!(server.post(&ann, "rpc/my_companies", json!({}), "").await.ok().as_array().unwrap().len(), 1);
        }
    }
}

#[tokio::test]
async fn what_a_commit_would_refuse_is_refused_when_it_is_undone() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server
        .table(
            "create table public.pairs (company_id uuid not null default app.company_id(), id integer not null, other integer,
               primary key (company_id, id), foreign key (company_id, other) references public.pairs deferrable initially deferred);
             select app.protect('public.pairs', 'customers');",
        )
        .await;
    server.post(&ann, "pairs", json!({ "id": 1, "other": 2 }), "tx=rollback").await.refused(409, "23503");
    assert_eq!(server.post(&ann, "pairs", json!([{ "id": 1, "other": 2 }, { "id": 2, "other": 1 }]), "tx=rollback").await.status, 201);
    assert_eq!(server.get(&ann, "pairs").await.ok(), json!([]));
}

#[tokio::test]
async fn times_are_told_in_the_zone_that_is_wanted() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.table(SAYING).await;
    for (zone, at) in [("America/Los_Angeles", "2026-07-01T05:00:00-07:00"), ("+05", "2026-07-01T17:00:00+05:00")] {
        let prefer = format!("timezone={zone}");
        let answer = server.get_with(&ann, "rpc/moment", Said { prefer: &prefer, ..Said::default() }).await;
        assert_eq!(answer.header("preference-applied"), prefer);
        assert_eq!(answer.ok()[0]["at"], at);
    }
    let unknown = server.get_with(&ann, "rpc/zone", Said { prefer: "timezone=Jupiter/Red_Spot", ..Said::default() }).await;
    unknown.refused(400, "22023");
    assert_eq!(unknown.body["message"], r#"invalid value for parameter "TimeZone": "Jupiter/Red_Spot""#);
    let after = server.get(&ann, "rpc/zone").await.ok();
    assert_ne!(after, json!("America/Los_Angeles"), "it ends with its transaction");
}

#[tokio::test]
async fn a_function_runs_before_every_request_as_the_caller() {
    let config = DataApiConfig { pre_request: "public.before_all".to_owned(), ..DataApiConfig::default() };
    let server = Server::with(config).await;
    server.table(SAYING).await;
    let ann = server.owner("ann").await;
    let answer = server.get(&ann, "customers").await;
    assert_eq!((answer.status, answer.header("x-before")), (200, "authenticated"));
    let nobody = server.post(&Server::nobody(), "rpc/zone", json!({}), "").await;
    assert_eq!((nobody.status, nobody.header("x-before")), (200, "anon"));
    assert_eq!(
        server.post(&ann, "customers", json!({ "first_name": "Ada", "phone": "+12025550101" }), "").await.header("x-before"),
        "authenticated"
    );
}
