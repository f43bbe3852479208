//! How rows look and which part of them comes: select, order, ranges, counts, forms.

use serde_json::json;

use crate::server::{Caller, Said, Server};

/// A company with three customers.
async fn three() -> (Server, Caller) {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    let rows = json!([
        { "phone": "+15550100", "first_name": "Ada", "last_name": "A", "notes": null, "metadata": { "plan": { "name": "gold", "years": [2, 3] } } },
        { "phone": "+15550100", "first_name": "Bob", "last_name": "B", "notes": "second", "metadata": {} },
        { "phone": "+15550100", "first_name": "Cem", "last_name": "C", "notes": "third", "metadata": {} },
    ]);
    assert_eq!(server.post(&owner, "customers", rows, "").await.status, 201);
    (server, owner)
}

#[tokio::test]
async fn select_names_renames_casts_and_reaches_into_json() {
    let (server, owner) = Box::pin(three()).await;
    let one = |select: &str| format!("customers?select={select}&first_name=eq.Ada");
    for (select, expected) in [
        ("first_name,last_name", json!([{ "first_name": "Ada", "last_name": "A" }])),
        ("name:first_name,credit:credit_limit::text", json!([{ "name": "Ada", "credit": "0" }])),
        ("version::text", json!([{ "version": "1" }])),
        ("metadata->plan->>name", json!([{ "name": "gold" }])),
        ("years:metadata->plan->years,metadata->plan->years->>1", json!([{ "years": [2, 3], "years": "3" }])),
        ("tags->0", json!([{ "tags": null }])),
    ] {
        let answer = server.get(&owner, &one(select)).await;
        assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        assert_eq!(answer.ok(), expected, "{select}");
    }
    let everything = server.get(&owner, &one("*")).await.ok();
    assert_eq!(everything[0]["company_id"], owner.company_id);
    server.get(&owner, &one("no_such_column")).await.refused(400, "42703");
    server.get(&owner, &one("first_name::no_such_type")).await.refused(400, "42704");
}

#[tokio::test]
async fn order_and_parts() {
    let (server, owner) = Box::pin(three()).await;
    for (query, expected) in [
        ("order=first_name.desc", json!(["Cem", "Bob", "Ada"])),
        ("order=notes.nullsfirst,first_name", json!(["Ada", "Bob", "Cem"])),
        ("order=notes.desc.nullslast", json!(["Cem", "Bob", "Ada"])),
        ("order=metadata->plan->>name.nullslast,first_name.desc", json!(["Ada", "Cem", "Bob"])),
        ("order=first_name&limit=1&offset=1", json!(["Bob"])),
        ("order=first_name&limit=0", json!([])),
        ("order=first_name&offset=-5", json!(["Ada", "Bob", "Cem"])),
    ] {
        let rows = server.get(&owner, &format!("customers?select=first_name&{query}")).await.ok();
        let names: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["first_name"].clone()).collect();
        assert_eq!(json!(names), expected, "{query}");
    }
}

#[tokio::test]
async fn content_range_says_which_part_it_is() {
    let (server, owner) = Box::pin(three()).await;
    for (query, prefer, range, status, expected) in [
        ("", "", "", 200, "0-2/*"),
        ("", "count=exact", "", 200, "0-2/3"),
        ("limit=2", "count=exact", "", 206, "0-1/3"),
        ("limit=2&offset=2", "count=exact", "", 206, "2-2/3"),
        ("", "count=exact", "1-1", 206, "1-1/3"),
        ("", "", "1-", 200, "1-2/*"),
        ("offset=9", "", "", 200, "*/*"),
        ("first_name=eq.Nobody", "count=exact", "", 200, "*/0"),
    ] {
        let said = Said { prefer, header: Some(("range", range)), ..Said::default() };
        let answer = server.get_with(&owner, &format!("customers?order=first_name&{query}"), said).await;
        assert_eq!((answer.status, answer.header("content-range")), (status, expected), "{query} {range}: {}", answer.text);
        assert_eq!(answer.header("preference-applied"), prefer);
    }
    let behind = Said { prefer: "count=exact", ..Said::default() };
    let answer = server.get_with(&owner, "customers?offset=9", behind).await;
    answer.refused(416, "PGRST103");
    assert_eq!(answer.body["details"], "An offset of 9 was requested, but there are only 3 rows.");
    let wrong = Said { header: Some(("range", "5-1")), ..Said::default() };
    server.get_with(&owner, "customers", wrong).await.refused(416, "PGRST103");
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let (server, owner) = Box::pin(three()).await;
    let said = Said { prefer: "count=exact", ..Said::default() };
    let answer = server.call(&owner, ("HEAD", "customers?limit=1"), None, said).await;
    assert_eq!((answer.status, answer.header("content-range"), answer.text.as_str()), (206, "0-0/3", ""));
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
}

#[tokio::test]
async fn one_object_is_exactly_one_row() {
    let (server, owner) = Box::pin(three()).await;
    let said = Said { accept: "application/vnd.pgrst.object+json", ..Said::default() };
    let one = server.get_with(&owner, "customers?select=first_name&first_name=eq.Ada", said).await;
    assert_eq!(one.header("content-type"), "application/vnd.pgrst.object+json; charset=utf-8");
    assert_eq!(one.ok(), json!({ "first_name": "Ada" }));
    for (query, rows) in [("first_name=eq.Nobody", 0), ("", 3)] {
        let answer = server.get_with(&owner, &format!("customers?{query}"), said).await;
        answer.refused(406, "PGRST116");
        assert_eq!(answer.body["message"], "Cannot coerce the result to a single JSON object");
        assert_eq!(answer.body["details"], format!("The result contains {rows} rows"));
    }
}

#[tokio::test]
async fn nulls_can_be_left_out_and_rows_be_lines() {
    let (server, owner) = Box::pin(three()).await;
    let path = "customers?select=first_name,notes&order=first_name&limit=2";
    let stripped = Said { accept: "application/vnd.pgrst.array+json;nulls=stripped", ..Said::default() };
    assert_eq!(
        server.get_with(&owner, path, stripped).await.ok(),
        json!([{ "first_name": "Ada" }, { "first_name": "Bob", "notes": "second" }])
    );
    let object = Said { accept: "application/vnd.pgrst.object+json;nulls=stripped", ..Said::default() };
    let first = "customers?select=first_name,notes&first_name=eq.Ada";
    assert_eq!(server.get_with(&owner, first, object).await.ok(), json!({ "first_name": "Ada" }));
    let csv = server.get_with(&owner, path, Said { accept: "text/csv", ..Said::default() }).await;
    assert_eq!((csv.header("content-type"), csv.text.as_str()), ("text/csv; charset=utf-8", "first_name,notes\nAda,\nBob,second"));
}

#[tokio::test]
async fn no_answer_has_more_rows_than_allowed() {
    let config = data_api::DataApiConfig { rows_max: 2, ..data_api::DataApiConfig::default() };
    let server = Server::with(config).await;
    let owner = server.owner("ann").await;
    for name in ["a", "b", "c"] {
        server.customer(&owner, name).await;
    }
    let said = Said { prefer: "count=exact", ..Said::default() };
    let answer = server.get_with(&owner, "customers?limit=1000", said).await;
    assert_eq!((answer.status, answer.header("content-range")), (206, "0-1/3"));
}

#[tokio::test]
async fn a_part_behind_the_end_says_how_much_there_is() {
    let (server, owner) = Box::pin(three()).await;
    for (query, prefer, range, status, expected) in [
        ("offset=3", "count=exact", "", 206, "*/3"),
        ("offset=4", "count=exact", "", 416, "*/3"),
        ("", "count=exact", "7-9", 416, "*/3"),
        ("", "", "7-9", 200, "*/*"),
        ("limit=0", "count=exact", "", 206, "*/3"),
        ("limit=2&offset=1", "", "0-1", 200, "1-1/*"),
        ("limit=2", "", "2-", 416, ""),
        ("limit=0", "", "2-", 200, "*/*"),
        ("first_name=gt.Ada&limit=1", "count=exact", "", 206, "0-0/2"),
    ] {
        let said = Said { prefer, header: Some(("range", range)), ..Said::default() };
        let answer = server.get_with(&owner, &format!("customers?order=first_name&{query}"), said).await;
        assert_eq!((answer.status, answer.header("content-range")), (status, expected), "{query} {range}: {}", answer.text);
    }
    let ignored = Said { header: Some(("range", "0-0")), ..Said::default() };
    let head = server.call(&owner, ("HEAD", "customers"), None, ignored).await;
    assert_eq!((head.status, head.header("content-range")), (200, "0-2/*"), "a range counts for GET alone");
    let changed = Said { prefer: "return=representation", ..ignored };
    let all = server.call(&owner, ("PATCH", "customers?select=id"), Some(r#"{"notes":"x"}"#.to_owned()), changed).await;
    assert_eq!((all.header("content-range"), all.body.as_array().map(Vec::len)), ("0-2/*", Some(3)));
}

#[tokio::test]
async fn casts_and_paths_of_every_spelling() {
    let (server, owner) = Box::pin(three()).await;
    for (select, expected) in [
        ("version::TEXT", r#"[{"version":"1"}]"#),
        ("version::Double Precision", r#"[{"version":1}]"#),
        ("credit_limit::int8,n:credit_limit::numeric", r#"[{"credit_limit":0,"n":0}]"#),
        ("tags::text[]", r#"[{"tags":[]}]"#),
        ("metadata->plan->years->-1", r#"[{"years":3}]"#),
        ("metadata->plan->years->9", r#"[{"years":null}]"#),
        ("metadata->>plan", r#"[{"plan":"{\"name\": \"gold\", \"years\": [2, 3]}"}]"#),
        ("y:metadata->plan->years->>0::int", r#"[{"y":2}]"#),
        ("first_name,first_name", r#"[{"first_name":"Ada","first_name":"Ada"}]"#),
        (" first_name , n:last_name ", r#"[{"first_name":"Ada","n":"A"}]"#),
    ] {
        let answer = server.get(&owner, &format!("customers?select={select}&first_name=eq.Ada")).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, expected), "{select}");
    }
    let everything = server.get(&owner, "customers?select=&first_name=eq.Ada").await.ok();
    assert_eq!(everything[0].as_object().unwrap().len(), server.get(&owner, "customers").await.ok()[0].as_object().unwrap().len());
    server.get(&owner, "customers?select=first_name::int").await.refused(400, "22P02");
}

#[tokio::test]
async fn lines_quote_what_they_must_and_writes_answer_them_too() {
    let (server, owner) = Box::pin(three()).await;
    let csv = Said { prefer: "return=representation", accept: "text/csv", header: None };
    let row = json!({ "phone": "+15550100", "first_name": "Di, \"D\"", "last_name": "two\nlines", "tags": ["a", "b c"] });
    let written = server.call(&owner, ("POST", "customers?select=first_name,last_name,notes,tags"), Some(row.to_string()), csv).await;
    let expected = "first_name,last_name,notes,tags\n\"Di, \"\"D\"\"\",\"two\nlines\",,\"{a,\"\"b c\"\"}\"";
    assert_eq!((written.status, written.text.as_str()), (201, expected));
    let none = server.get_with(&owner, "customers?first_name=eq.Nobody", csv).await;
    assert_eq!((none.status, none.text.as_str()), (200, "\n"));
    let preferred = Said { accept: "text/csv;q=0.2, application/json;q=0.7, image/png", ..Said::default() };
    assert_eq!(server.get_with(&owner, "customers?select=first_name&limit=1&order=id", preferred).await.text, r#"[{"first_name":"Ada"}]"#);
}

#[tokio::test]
async fn a_body_of_lines_is_rows() {
    let server = Server::new().await;
    let (owner, other) = (server.owner("ann").await, server.owner("bob").await);
    let send = async |who: &Caller, method: &str, path: &str, body: &'static str| {
        let request =
            http::Request::builder().method(method).uri(format!("/rest/v1/{path}")).header("content-type", "text/csv; charset=utf-8");
        let request = request.header("authorization", format!("Bearer {}", who.token.clone().unwrap()));
        server.send(request.header("accept", "text/csv").header("prefer", "return=representation").body(body.into()).unwrap()).await
    };
    let lines =
        "first_name,company_name,phone,tags,notes\nAda,\"Love, \"\"Lace\"\"\",+15550100,\"{a,b c}\",<b>x</b>\nBo,NULL,+15550101,{},\n";
    let written = send(&owner, "POST", "customers?select=first_name,company_name,tags,notes&order=first_name", lines).await;
    let expected = "first_name,company_name,tags,notes\nAda,\"Love, \"\"Lace\"\"\",\"{a,\"\"b c\"\"}\",x\nBo,,{},\"\"";
    assert_eq!((written.status, written.text.as_str()), (201, expected));

    let one = send(&owner, "PATCH", "customers?first_name=eq.Bo&select=first_name,last_name", "last_name\nDerek").await;
    assert_eq!((one.status, one.text.as_str()), (200, "first_name,last_name\nBo,Derek"));
    let none = send(&other, "PATCH", "customers?first_name=eq.Bo&select=first_name,last_name", "last_name\nTaken").await;
    assert_eq!((none.status, none.text.as_str()), (200, "\n"));

    let uneven = send(&owner, "POST", "customers", "first_name,phone\nCy").await;
    uneven.refused(400, "PGRST102");
    assert_eq!(uneven.body["message"], "All lines must have same number of fields");
    send(&owner, "POST", "customers", "first_name,phone\nCy,+15550102\nDi,NULL").await.refused(422, "customer_contact_required");
    assert_eq!(
        server.get(&owner, "customers?select=first_name&order=first_name").await.ok(),
        json!([{ "first_name": "Ada" }, { "first_name": "Bo" }])
    );
}

#[tokio::test]
async fn preferences_of_several_headers_are_one() {
    let (server, owner) = Box::pin(three()).await;
    let request = http::Request::builder()
        .method("POST")
        .uri("/rest/v1/customers?select=first_name")
        .header("authorization", format!("Bearer {}", owner.token.clone().unwrap()))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("prefer", "count=exact, return=representation")
        .header("prefer", "return=minimal");
    let answer = server.send(request.body("first_name=D%C3%A9+D&last_name=X&phone=%2B15550100".into()).unwrap()).await;
    assert_eq!((answer.status, &answer.body), (201, &json!([{ "first_name": "Dé D" }])));
    assert_eq!(answer.header("preference-applied"), "return=representation, count=exact");
    assert_eq!((answer.header("content-range"), answer.header("vary")), ("*/1", "Accept, Prefer, Range"));
}

#[tokio::test]
async fn a_read_says_what_it_is_in_one_way_of_writing() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    for (path, expected) in [
        ("customers", "/customers"),
        ("customers?last_name=eq.X&first_name=eq.Ada", "/customers?first_name=eq.Ada&last_name=eq.X"),
        ("customers?select=id,name:first_name&order=id", "/customers?order=id&select=id%2Cname%3Afirst_name"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = server.call(&ann, (method, path), None, Said::default()).await;
            assert_eq!((answer.status, answer.header("content-location")), (200, expected), "{method}");
        }
    }
    for answer in [
        server.post(&ann, "customers", json!({ "first_name": "Ada", "phone": "+15550100" }), "").await,
        server.get(&ann, "rpc/my_companies").await,
        server.get(&ann, "customers?nothing=eq.1").await,
    ] {
        assert!(!answer.headers.contains_key("content-location"), "{}", answer.text);
    }
}
