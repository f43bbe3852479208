//! What is wrong gets a clear answer with a stable code.

use serde_json::json;

use crate::server::{Caller, Said, Server};

#[tokio::test]
async fn what_cannot_be_understood() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let raw = |body: &str| Some(body.to_owned());
    for (request, body, status, code) in [
        (("POST", "customers"), raw("{\"first_name\":"), 400, "PGRST102"),
        (("POST", "customers"), None, 400, "PGRST102"),
        (("PATCH", "customers"), None, 400, "PGRST102"),
        (("GET", "customers?first_name=xx.a"), None, 400, "PGRST100"),
        (("GET", "customers?first_name=Ada"), None, 400, "PGRST100"),
        (("GET", "customers?or=(a.eq.1"), None, 400, "PGRST100"),
        (("GET", "customers?select=a(("), None, 400, "PGRST100"),
        (("GET", "customers?order=a.up"), None, 400, "PGRST100"),
        (("GET", "customers?limit=-1"), None, 416, "PGRST103"),
        (("TRACE", "customers"), None, 405, "PGRST117"),
        (("GET", "a/b"), None, 404, "PGRST125"),
        (("POST", ""), raw("{}"), 405, "PGRST117"),
        (("GET", "customers?no_such_column=eq.1"), None, 400, "42703"),
        (("GET", "customers?id=eq.seven"), None, 400, "22P02"),
        (("GET", "customers?version=like.x"), None, 404, "42883"),
        (("POST", "customers"), raw(r#"{"credit_limit":"much"}"#), 400, "22P02"),
        (("GET", "time_entries?select=*,team_members(*)"), None, 300, "PGRST201"),
        (("GET", "customers?jobs.title=eq.x"), None, 400, "PGRST108"),
        (("GET", "customers?select=first_name.sum()"), None, 404, "42883"),
        (("GET", "customers?select=credit_limit.median()"), None, 400, "PGRST100"),
        (("GET", "customers?order=jobs(title)"), None, 400, "PGRST108"),
        (("POST", "customers?select=id,jobs!customer_id(id)"), raw(r#"{"first_name":"A","phone":"+15550100"}"#), 201, ""),
        (("GET", "rpc/a/b"), None, 404, "PGRST125"),
        (("GET", "Customers"), None, 404, "PGRST205"),
        (("GET", "customers?first_name=is.empty"), None, 400, "PGRST100"),
        (("GET", "customers?first_name=in.a"), None, 400, "PGRST100"),
        (("GET", "customers?first_name=neq(any).{a}"), None, 400, "PGRST100"),
        (("GET", "customers?first_name=eq.%00"), None, 400, "PGRST100"),
        (("GET", "customers?first_name=eq.%ff"), None, 400, "PGRST100"),
        (("GET", "customers?tags=cs.a"), None, 400, "22P02"),
        (("GET", "customers?first_name=match.("), None, 400, "2201B"),
        (("GET", "customers?notes=fts.a b"), None, 400, "42601"),
        (("GET", "customers?created_at=gt.soon"), None, 400, "22007"),
        (("GET", "customers?first_name->>a=eq.1"), None, 200, ""),
        (("POST", "customers?columns=first_name,,"), raw("{}"), 400, "PGRST100"),
        (("POST", "customers"), raw(r#"[{"first_name":"A"},{"last_name":"B"}]"#), 400, "PGRST102"),
        (("POST", "customers"), raw(r#"[{"first_name":"A"},7]"#), 400, "PGRST102"),
        (("POST", "customers"), raw(r#"{"first_name":"A"} {}"#), 400, "PGRST102"),
        (("POST", "customers"), raw(r#"{"type":"royal","first_name":"A","phone":"+15550100"}"#), 400, "23514"),
        (("PATCH", "customers"), raw(r#"{"odd":1}"#), 400, "PGRST204"),
    ] {
        let answer = server.call(&ann, request, body, Said::default()).await;
        assert_eq!((answer.status, answer.body["code"].as_str().unwrap_or_default()), (status, code), "{request:?}: {}", answer.text);
        if code.is_empty() {
            continue;
        }
        assert_eq!(answer.header("proxy-status"), format!("PostgREST; error={code}"));
        let parts: Vec<_> = answer.body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(parts, ["code", "details", "hint", "message"], "{request:?}");
        assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    }
}

#[tokio::test]
async fn a_name_that_is_almost_right_is_guessed() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let answer = server.get(&ann, "custmers").await;
    answer.refused(404, "PGRST205");
    let expected = json!({
        "code": "PGRST205", "details": null, "hint": "Perhaps you meant the table 'public.customers'",
        "message": "Could not find the table 'public.custmers' in the schema cache"
    });
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn forms_and_schemas_that_there_are_not() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.get_with(&ann, "customers", Said { accept: "image/png", ..Said::default() }).await.refused(406, "PGRST107");
    server.get_with(&ann, "customers", Said { accept: "application/geo+json", ..Said::default() }).await.refused(406, "PGRST107");
    let hidden = server.get_with(&ann, "users", Said { header: Some(("accept-profile", "auth")), ..Said::default() }).await;
    hidden.refused(406, "PGRST106");
    assert_eq!(hidden.body["hint"], "Only the following schemas are exposed: public, shared, home_services");
    let shared = server.get_with(&ann, "tenants?select=id", Said { header: Some(("accept-profile", "shared")), ..Said::default() }).await;
    assert_eq!((shared.header("content-profile"), &shared.body), ("shared", &json!([{ "id": ann.company_id }])));
    let strict = Said { prefer: "handling=strict,color=blue", ..Said::default() };
    server.get_with(&ann, "customers", strict).await.refused(400, "PGRST122");
}

#[tokio::test]
async fn bytes_that_are_no_text_and_kinds_that_are_not_read() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    for (kind, body, status, code) in [
        ("application/json", &b"{\"first_name\":\"\xff\"}"[..], 400, "PGRST102"),
        ("application/json", b"\xef\xbb\xbf{}", 400, "PGRST102"),
        ("text/csv", b"first_name,phone\nAda", 400, "PGRST102"),
        ("text/csv", b"first_name\n\xff", 400, "PGRST102"),
        ("text/csv", b"", 400, "PGRST102"),
        ("text/csv", b"first_name,fone\nAda,+15550100", 400, "PGRST204"),
        ("image/png", b"{}", 400, "PGRST102"),
        ("application/json; charset=utf-8", b"{\"first_name\":\"Ada\",\"phone\":\"+15550100\"}", 201, ""),
    ] {
        let request = http::Request::builder().method("POST").uri("/rest/v1/customers").header("content-type", kind);
        let request = request.header("authorization", format!("Bearer {}", ann.token.clone().unwrap()));
        let answer = server.send(request.body(body.to_vec().into()).unwrap()).await;
        assert_eq!((answer.status, answer.body["code"].as_str().unwrap_or_default()), (status, code), "{kind}: {}", answer.text);
    }
}

#[tokio::test]
async fn paths_are_names_and_nothing_else() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.customer(&ann, "Ada").await;
    for (path, status, code) in [
        ("/rest/v1/cust%6Fmers", 200, ""),
        ("/rest/v1", 200, ""),
        ("/rest/v1/", 200, ""),
        ("/rest/v1/customers/", 404, "PGRST125"),
        ("/rest/v1//customers", 404, "PGRST125"),
        ("/rest/v1/rpc", 404, "PGRST205"),
        ("/rest/v1/rpc/", 404, "PGRST125"),
        ("/rest/v1/public.customers", 404, "PGRST205"),
        ("/rest/v1/customers%2Fx", 404, "PGRST205"),
        ("/rest/v1/%22customers%22", 404, "PGRST205"),
        ("/rest/v1/%00", 404, "PGRST205"),
        ("/rest/v1/%ff", 404, "PGRST125"),
        ("/rest/v1/rpc/%ff", 404, "PGRST125"),
        ("/rest/v1/pg_class", 404, "PGRST205"),
        ("/rest/v1/role_permissions", 404, "PGRST205"),
        ("/rest/v1/rpc/pg_sleep", 404, "PGRST202"),
    ] {
        let request = http::Request::builder().uri(path).header("authorization", format!("Bearer {}", ann.token.clone().unwrap()));
        let answer = server.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.body["code"].as_str().unwrap_or_default()), (status, code), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn tokens_that_are_not_ours() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let good = ann.token.clone().unwrap();
    let (head, rest) = good.split_once('.').unwrap();
    let (body, _) = rest.split_once('.').unwrap();
    // {"alg":"none","typ":"JWT"}
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}.");
    for token in ["nonsense".to_owned(), format!("{head}.{body}."), format!("{head}.{body}.AAAA"), none, format!("{good}x")] {
        let answer = server.get(&Caller { token: Some(token.clone()), ..Caller::default() }, "customers").await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (401, Some("PGRST301")), "{token}: {}", answer.text);
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
}

#[tokio::test]
async fn limits_are_told_by_name() {
    let config =
        data_api::DataApiConfig { body_rows_max: 2, conditions_max: 2, query_bytes_max: 256, ..data_api::DataApiConfig::default() };
    let server = Server::with(config).await;
    let ann = server.owner("ann").await;
    let row = json!({ "phone": "+15550100", "first_name": "A" });
    server.post(&ann, "customers", json!([row, row, row]), "").await.refused(413, "PGRST102");
    server.get(&ann, "customers?id=is.null&id=is.null&id=is.null").await.refused(400, "PGRST100");
    server.get(&ann, &format!("customers?first_name=eq.{}", "x".repeat(300))).await.refused(414, "PGRST100");
}
