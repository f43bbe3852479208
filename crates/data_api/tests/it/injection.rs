//! Texts that would be SQL if anything pasted them into a statement, at every place of a request where a name or a value can stand.
//!
//! Invariant: a trap that everybody may call lies in the database. It tells itself by its own state, also from a transaction that only
//! reads; and a text that reached a statement would break its syntax. Neither is ever answered.

use axum::body::Body;
use data_api::DataApiConfig;
use http::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::server::{Caller, Server};

const TRAP: &str = "
create schema trap;
grant usage on schema trap to public;
create function trap.sprung() returns text language plpgsql set search_path = '' as $$ begin raise sqlstate 'ZZ999'; end $$;
grant execute on function trap.sprung() to public";

/// Each leaves another kind of quotation: a text, a name, a dollar-quoted text, a comment, a list, an escape; the last is in none.
const TEXTS: [&str; 9] = [
    "x' || trap.sprung() || '",
    "x'); select trap.sprung(); --",
    "x\" is null or trap.sprung() is null or \"x",
    "x\"), (trap.sprung()); --",
    "$$ || trap.sprung() || $$",
    "x*/ trap.sprung() /*",
    "x\\' || trap.sprung() --",
    "1) or (trap.sprung() is null",
    "trap.sprung()",
];

/// Places in the address: `@` is the text as it is, `#` the text in the dialect's quotes.
const PLACES: [&str; 54] = [
    "@",
    "rpc/@",
    "rpc/my_companies?#=1",
    "rpc/my_companies?@=1",
    "rpc/my_companies?select=#",
    "rpc/my_companies?order=#",
    "rpc/my_companies?name=eq.@",
    "rpc/search_customers?query=@",
    "rpc/search_customers?query=a&max_results=@",
    "customers?select=#",
    "customers?select=@",
    "customers?select=#:id",
    "customers?select=@:id",
    "customers?select=id::@",
    "customers?select=id::#",
    "customers?select=metadata->#",
    "customers?select=metadata->>@",
    "customers?select=x:metadata->#->>#",
    "customers?select=credit_limit::@.sum()",
    "customers?select=credit_limit.sum()::@",
    "customers?select=#(id)",
    "customers?select=@(id)",
    "customers?select=jobs!#(id)",
    "customers?select=#:jobs!customer_id(id)",
    "customers?select=jobs!customer_id(#)",
    "customers?select=...jobs!customer_id(#:title)",
    "customers?select=jobs!customer_id(id)&jobs.#=eq.1",
    "customers?select=jobs!customer_id(id)&jobs.title=eq.@",
    "customers?select=jobs!customer_id(id)&jobs.order=#",
    "customers?select=jobs!customer_id(id)&jobs.limit=@",
    "customers?select=jobs!customer_id(id)&@.limit=1",
    "jobs?select=customers!customer_id(id)&order=customers(#)",
    "customers?order=#",
    "customers?order=@",
    "customers?order=metadata->>#.desc",
    "customers?#=eq.1",
    "customers?@=eq.1",
    "customers?metadata->>#=eq.1",
    "customers?metadata->#=eq.1",
    "customers?first_name=@",
    "customers?first_name=eq.@",
    "customers?first_name=like.@*",
    "customers?first_name=like(any).{@}",
    "customers?first_name=eq(all).{#}",
    "customers?first_name=in.(@)",
    "customers?first_name=in.(#)",
    "customers?first_name=is.@",
    "customers?first_name=isdistinct.@",
    "customers?first_name=fts(@).x",
    "customers?first_name=plfts(english).@",
    "customers?tags=cs.{#}",
    "customers?or=(first_name.eq.#,#.is.null)",
    "customers?not.and=(first_name.eq.@,@.is.null)",
    "customers?limit=@&offset=@",
];

/// Headers whose value the text is, with what it stands behind.
const HEADERS: [(&str, &str); 17] = [
    ("accept", "@"),
    ("accept", "application/vnd.pgrst.plan+json; for=\"@\"; options=@"),
    ("accept-profile", "@"),
    ("content-profile", "@"),
    ("content-type", "@"),
    ("prefer", "@"),
    ("prefer", "timezone=@"),
    ("prefer", "count=@"),
    ("prefer", "return=@, resolution=@, missing=@"),
    ("prefer", "tx=@"),
    ("prefer", "handling=strict, max-affected=@"),
    ("range", "@"),
    ("idempotency-key", "@"),
    ("x-company-id", "@"),
    ("user-agent", "@"),
    ("cookie", "a=@"),
    ("x-forwarded-for", "@"),
];

/// One request with the text in it.
struct Asked {
    method: &'static str,
    path: String,
    header: Option<(&'static str, String)>,
    kind: &'static str,
    body: String,
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn at(path: &str) -> Asked {
    Asked { method: "GET", path: format!("/rest/v1/{path}"), header: None, kind: "application/json", body: String::new() }
}

/// Returns the requests that say a text in address and headers.
fn reads(text: &str) -> Vec<Asked> {
    let said =
        |place: &str| place.replace('#', &encoded(&quoted(text))).replace('@', &encoded(text)).replace('{', "%7B").replace('}', "%7D");
    let places = PLACES.iter().map(|place| at(&said(place).replace('>', "%3E")));
    let headers = HEADERS.iter().flat_map(|(name, value)| {
        let header = Some((*name, value.replace('@', text)));
        let body = r#"{"first_name":"A","phone":"+15550100"}"#.to_owned();
        [
            Asked { header: header.clone(), ..at("customers?limit=1") },
            Asked { header: header.clone(), method: "POST", body, ..at("customers") },
            Asked { header, method: "POST", body: "{}".to_owned(), ..at("rpc/my_companies") },
        ]
    });
    places.chain(headers).collect()
}

/// Returns the requests that say it in what they write, and as one of several.
fn writes(text: &str) -> Vec<Asked> {
    let (name, value) = (encoded(&quoted(text)), encoded(text));
    let post = |path: &str, body: Value| Asked { method: "POST", body: body.to_string(), ..at(path) };
    let row = || json!({ "first_name": text, "phone": "+15550100", "notes": text, "tags": [text], "metadata": { (text): text } });
    let form = |body: String| Asked { method: "POST", kind: "application/x-www-form-urlencoded", body, ..at("customers") };
    let batch = |step: Value| Asked { path: "/batch/v1".to_owned(), ..post("", json!({ "requests": [step] })) };
    let first = json!({ "id": "a", "method": "POST", "path": "/customers?select=first_name", "headers": { "prefer": "return=representation" }, "body": row() });
    let then = json!({ "method": "GET", "path": "/customers?first_name=eq.${a/0/first_name}&order=${a/0/first_name}" });
    let last = json!({ "method": "GET", "path": "/customers?${a/0/first_name}=eq.1&select=${a/0/first_name}" });
    vec![
        post("customers", row()),
        post("customers", json!({ (text): 1 })),
        post("customers", json!([{ "first_name": "A", (text): 1 }])),
        post(&format!("customers?columns={name}"), row()),
        post(&format!("customers?columns={value}"), row()),
        Asked {
            header: Some(("prefer", "resolution=merge-duplicates".to_owned())),
            ..post(&format!("customers?on_conflict={name}"), row())
        },
        Asked {
            header: Some(("prefer", "resolution=ignore-duplicates".to_owned())),
            ..post(&format!("customers?on_conflict={value}"), row())
        },
        Asked { header: Some(("prefer", "return=representation".to_owned())), ..post(&format!("customers?select={name}"), row()) },
        Asked { method: "PATCH", ..post(&format!("customers?first_name=eq.{value}"), json!({ "notes": text })) },
        Asked { method: "PATCH", ..post("customers?id=is.null", json!({ (text): text })) },
        Asked { method: "PATCH", ..post(&format!("customers?on_conflict={name}"), json!([{ "id": text, "notes": text }])) },
        Asked { method: "PUT", ..post(&format!("customers?id=eq.{value}"), json!({ "id": text })) },
        Asked { method: "DELETE", ..at(&format!("customers?{name}=eq.{value}")) },
        Asked { method: "DELETE", ..at(&format!("customers?first_name=eq.{value}&id=is.null")) },
        form(format!("first_name={value}&phone=%2B15550100")),
        form(format!("{value}=1")),
        post("rpc/search_customers", json!({ "query": text, "max_results": 3 })),
        post("rpc/search_customers", json!({ (text): text })),
        post("rpc/create_company_with_owner", json!({ "name": text, "slug": text, "industry": text })),
        post("rpc/set_config", json!({ "name": text, "value": text })),
        Asked { kind: "text/plain", body: text.to_owned(), ..post("rpc/my_companies", Value::Null) },
        batch(json!({ "id": text.replace(['/', '}'], ""), "method": "GET", "path": format!("/customers?{name}=eq.{value}") })),
        batch(json!({ "method": "GET", "path": format!("/{value}") })),
        batch(
            json!({ "method": "GET", "path": "/customers", "headers": { "prefer": format!("timezone={text}"), "accept-profile": text } }),
        ),
        batch(json!({ "method": "GET", "path": format!("/customers?id=eq.${{{text}}}") })),
        Asked { path: "/batch/v1".to_owned(), ..post("", json!({ "requests": [first.clone(), then] })) },
        Asked { path: "/batch/v1".to_owned(), ..post("", json!({ "requests": [first, last] })) },
    ]
}

async fn answered(server: &Server, who: &Caller, asked: &Asked) -> (u16, String) {
    let mut request = Request::builder().method(asked.method).uri(&asked.path);
    if let Some(token) = &who.token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if asked.header.as_ref().is_none_or(|(name, _)| *name != "content-type") {
        request = request.header("content-type", asked.kind);
    }
    if let Some((name, value)) = &asked.header {
        request = request.header(*name, value);
    }
    let answer = server.send(request.body(Body::from(asked.body.clone())).unwrap()).await;
    (answer.status, answer.text)
}

#[tokio::test]
async fn no_place_of_a_request_is_a_place_in_a_statement() {
    let server = Server::with(DataApiConfig { plan_enabled: Some(true), ..DataApiConfig::default() }).await;
    let superuser = server.db.superuser().await;
    superuser.batch_execute(TRAP).await.unwrap();
    let ann = server.owner("ann").await;
    let mut fine = 0;
    for text in TEXTS {
        // What a person says of herself goes into her claims, which SQL sees.
        let body =
            json!({ "email": format!("{}@example.com", fine), "password": "correct horse battery staple", "data": { (text): text } });
        let session = server.auth(&Server::nobody(), "signup", body).await.ok();
        let eve = Caller { token: Some(session["access_token"].as_str().unwrap().to_owned()), ..Caller::default() };
        let asked = reads(text).into_iter().chain(writes(text));
        for (who, asked) in asked.map(|asked| (&ann, asked)).chain([(&eve, at("rpc/my_companies"))]) {
            let (status, said) = answered(&server, who, &asked).await;
            let shown = format!("{} {} {:?} {}: {status} {said}", asked.method, asked.path, asked.header, asked.body);
            assert!(status < 500 && !said.contains("ZZ999"), "{shown}");
            assert!(!["syntax error at", "unterminated", "at end of input"].iter().any(|words| said.contains(words)), "{shown}");
            fine += usize::from(status < 300);
        }
    }
    // Values are values: what was written is there as it was written.
    let kept = server.get(&ann, "customers?select=first_name&notes=not.is.null&order=created_at").await.ok();
    assert!(TEXTS.iter().all(|text| kept.as_array().unwrap().iter().any(|row| row["first_name"] == *text)), "{kept}");
    assert!(fine > 100, "only {fine} were answered");
    // The trap works: whoever calls it is told.
    assert!(superuser.query_one("select trap.sprung()", &[]).await.is_err_and(|error| error.code().unwrap().code() == "ZZ999"));
}
