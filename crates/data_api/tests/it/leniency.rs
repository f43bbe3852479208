//! What programs send that is not quite what the dialect says, and what its answers leave out: as the dialect's own server has it.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::server::{Answer, Caller, Said, Server};
use crate::yard::yards;

const LISTED: &str = "application/vnd.pgrst.array+json;nulls=stripped";
const OBJECT: &str = "application/vnd.pgrst.object+json;nulls=stripped";

async fn with(server: &Server, who: &Caller, (method, path): (&str, &str), headers: &[(&str, &str)], body: &'static str) -> Answer {
    let mut request = Request::builder().method(method).uri(format!("/rest/v1/{path}"));
    request = request.header("authorization", format!("Bearer {}", who.token.clone().unwrap()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn what_is_no_number_says_nothing_of_the_rows() {
    let (server, ann) = Box::pin(yards()).await;
    let all = server.get(&ann, "vans?select=id&order=id").await.ok();
    assert!(all.as_array().unwrap().len() > 1, "{all}");
    for said in
        ["limit=undefined", "limit=", "limit=null&offset=NaN", "offset=99999999999999999999999&offset=0", "limit=99999999999999999999999"]
    {
        let answer = server.get(&ann, &format!("vans?select=id&order=id&{said}")).await;
        assert_eq!((answer.status, &answer.body), (200, &all), "{said}");
    }
    let apart = with(&server, &ann, ("GET", "vans?limit=1"), &[("range", "20-29")], "").await;
    apart.refused(416, "PGRST103");
    assert_eq!(apart.body["details"], "Limit should be greater than or equal to zero.");
}

#[tokio::test]
async fn of_what_is_said_twice_the_first_counts_and_a_name_alone_says_nothing() {
    let (server, ann) = Box::pin(yards()).await;
    let first = server.get(&ann, "vans?select=id&order=id&limit=1").await.ok();
    let answer = server.get(&ann, "vans?select=id&select=nothing&order=id&order=nothing&limit=7&limit=1&debug&_").await;
    assert_eq!((answer.status, &answer.body), (200, &first), "{}", answer.text);
}

/// A key's column may be called as what is embedded by it.
#[tokio::test]
async fn a_column_may_be_called_as_what_is_embedded() {
    let (server, ann) = Box::pin(yards()).await;
    let ids = server.get(&ann, "vans?select=id&order=id").await.ok();
    let wanted = &ids[0]["id"];
    for filter in [format!("id=eq.{wanted}"), format!("or=(id.eq.{wanted},id.lt.0)")] {
        let answer = server.get(&ann, &format!("vans?select=number:id,id:drivers(name)&{filter}")).await;
        let rows = answer.body.as_array().unwrap_or_else(|| panic!("{}", answer.text));
        assert_eq!((answer.status, rows.len(), &rows[0]["number"]), (200, 1, wanted), "{filter}");
    }
    let without = server.get(&ann, "vans?select=number:id,id:drivers(name)&id=is.null").await.ok();
    assert!(without.as_array().unwrap().iter().all(|row| row["id"] == json!([])), "is.null asks for what is embedded: {without}");
}

#[tokio::test]
async fn answers_say_what_the_dialect_has_them_say() {
    let (server, ann) = Box::pin(yards()).await;
    let missing = server.post(&ann, "rpc/missing", json!({ "b": 1, "a": 2 }), "").await;
    missing.refused(404, "PGRST202");
    assert_eq!(missing.body["message"], "Could not find the function public.missing(a, b) in the schema cache");
    assert!(missing.body["details"].as_str().unwrap().contains("public.missing with parameters a, b or with"), "{}", missing.text);
    let many: serde_json::Map<String, Value> = (0..150).map(|number| (format!("a{number:03}"), json!(1))).collect();
    let many = server.post(&ann, "rpc/missing", Value::Object(many), "").await;
    assert!(many.body["message"].as_str().unwrap().contains("a098, a099, ...)"), "{}", many.text);

    let text = with(&server, &ann, ("POST", "vans"), &[("content-type", "text/plain;charset=UTF-8")], "x").await;
    text.refused(400, "PGRST102");
    assert_eq!(text.body["message"], "Content-Type not acceptable: text/plain");
    let odd = with(&server, &ann, ("POST", "vans"), &[("content-type", "image/odd; q=1")], "x").await;
    assert_eq!(odd.body["message"], "Content-Type not acceptable: image/odd; q=1");

    let options = with(&server, &ann, ("OPTIONS", "vans"), &[], "").await;
    assert_eq!((options.status, options.header("access-control-allow-origin")), (200, "*"));
    assert!(options.header("allow").contains("PATCH"), "{}", options.header("allow"));
}

#[tokio::test]
async fn nulls_are_left_out_of_what_functions_give() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server
        .table(
            r#"create function public.bag() returns json language sql stable as $$ select '{"a":null,"b":1}'::json $$;
               create function public.bags() returns setof json language sql stable as $$ select '{"a":null,"b":1}'::json $$;
               grant execute on all functions in schema public to authenticated;"#,
        )
        .await;
    for (path, accept, expected) in [
        ("rpc/bag", LISTED, json!({ "b": 1 })),
        ("rpc/bag", OBJECT, json!({ "b": 1 })),
        ("rpc/bags", LISTED, json!([{ "b": 1 }])),
        ("rpc/bags", OBJECT, json!({ "b": 1 })),
        ("rpc/bags", "application/json", json!([{ "a": null, "b": 1 }])),
    ] {
        let answer = server.get_with(&ann, path, Said { accept, ..Said::default() }).await;
        assert_eq!((answer.status, &answer.body), (200, &expected), "{path} {accept}");
    }
}

#[tokio::test]
async fn a_schema_and_a_place_are_told_where_there_is_one() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let row = |name: &str| json!({ "phone": "+15550100", "first_name": name, "last_name": "X" });
    let one = server.post(&ann, "customers", json!([row("Ada")]), "return=headers-only").await;
    assert!(one.status == 201 && one.header("location").starts_with("/customers?id=eq."), "{}", one.header("location"));
    let two = server.post(&ann, "customers", json!([row("Bob"), row("Cem")]), "return=headers-only").await;
    assert_eq!((two.status, two.header("location")), (201, ""), "of several rows there is no one place");
    let changed = server.patch(&ann, "customers?first_name=eq.Ada", json!({ "notes": "x" }), "return=representation").await;
    assert_eq!((changed.status, changed.header("content-profile")), (200, "public"));
    let nothing = server.patch(&ann, "customers?first_name=eq.Ada", json!({ "notes": "y" }), "").await;
    assert_eq!((nothing.status, nothing.header("content-profile")), (204, ""), "it stands beside the type of a body");
}
