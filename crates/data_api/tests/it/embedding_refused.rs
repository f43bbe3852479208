//! What cannot be embedded, or not so: the dialect's own words.

use data_api::DataApiConfig;
use serde_json::{Value, json};

use crate::server::{Answer, Server};
use crate::yard::yards;

fn refused(answer: &Answer, status: u16, expected: &Value) {
    assert_eq!((answer.status, &answer.body), (status, expected), "{}", answer.text);
}

#[tokio::test]
async fn several_keys_are_told_apart_by_a_hint() {
    let (server, ann) = Box::pin(yards()).await;
    let answer = server.get(&ann, "vans?select=id,yards(name)").await;
    let expected = json!({
        "code": "PGRST201",
        "message": "Could not embed because more than one relationship was found for 'vans' and 'yards'",
        "details": [
            { "cardinality": "many-to-one", "embedding": "vans with yards",
              "relationship": "vans_spare_yard_id_fkey using vans(spare_yard_id) and yards(id)" },
            { "cardinality": "many-to-one", "embedding": "vans with yards",
              "relationship": "vans_yard_key using vans(yard_id) and yards(id)" },
        ],
        "hint": "Try changing 'yards' to one of the following: 'yards!vans_spare_yard_id_fkey', 'yards!vans_yard_key'. Find the desired relationship in the 'details' key.",
    });
    refused(&answer, 300, &expected);
    let answer = server.get(&ann, "yards?select=id,vans!id(name)").await;
    assert_eq!((answer.status, &answer.body["details"][0]["cardinality"]), (300, &json!("one-to-many")), "{}", answer.text);
}

#[tokio::test]
async fn what_is_not_related_is_not_found() {
    let (server, ann) = Box::pin(yards()).await;
    server.table("create function public.set_of_numbers() returns setof integer language sql stable as 'select 1'").await;
    let details = |between: &str| {
        format!("Searched for a foreign key relationship between {between} in the schema 'public', but no matches were found.")
    };
    let message = |parent: &str, child: &str| format!("Could not find a relationship between '{parent}' and '{child}' in the schema cache");
    for (path, (parent, child), between, hint) in [
        (
            "drivers?select=id,yards(id)",
            ("drivers", "yards"),
            "'drivers' and 'yards'",
            json!("Perhaps you meant 'vans' instead of 'yards'."),
        ),
        ("vans?select=id,driver(id)", ("vans", "driver"), "'vans' and 'driver'", json!("Perhaps you meant 'drivers' instead of 'driver'.")),
        ("vans?select=id,yards!nope(id)", ("vans", "yards"), "'vans' and 'yards' using the hint 'nope'", json!(null)),
        ("rpc/one_yard?wanted=1&select=id,drivers(id)", ("yards", "drivers"), "'yards' and 'drivers'", json!(null)),
        (
            "rpc/set_of_numbers?select=x(id)",
            ("set_of_numbers", "x"),
            "'set_of_numbers' and 'x'",
            json!("Perhaps you meant 'team_members' instead of 'set_of_numbers'."),
        ),
    ] {
        let answer = server.get(&ann, path).await;
        let expected = json!({ "code": "PGRST200", "message": message(parent, child), "details": details(between), "hint": hint });
        refused(&answer, 400, &expected);
    }
}

#[tokio::test]
async fn what_is_said_of_an_embed_must_fit_it() {
    let (server, ann) = Box::pin(yards()).await;
    for path in [
        "vans?drivers.name=eq.Ada",
        "vans?drivers.order=name",
        "vans?drivers.limit=1",
        "vans?drivers.or=(id.eq.1,id.eq.2)",
        "vans?order=drivers(name)",
    ] {
        let expected = json!({
            "code": "PGRST108", "message": "'drivers' is not an embedded resource in this request", "details": null,
            "hint": "Verify that 'drivers' is included in the 'select' query parameter.",
        });
        refused(&server.get(&ann, path).await, 400, &expected);
    }
    let deep = server.get(&ann, "vans?select=drivers(id)&drivers.cars.id=eq.1").await;
    assert_eq!((deep.status, &deep.body["message"]), (400, &json!("'cars' is not an embedded resource in this request")));
    let expected = json!({
        "code": "PGRST118", "message": "A related order on 'd' is not possible", "hint": null,
        "details": "'vans' and 'd' do not form a many-to-one or one-to-one relationship",
    });
    refused(&server.get(&ann, "vans?select=id,d:drivers(name)&order=d(name)").await, 400, &expected);
    for filter in ["d=eq.1", "d=is.true", "or=(id.eq.1,d.gt.3)"] {
        let expected = json!({
            "code": "PGRST120", "message": "Bad operator on the 'drivers' embedded resource", "hint": null,
            "details": "Only is null or not is null filters are allowed on embedded resources",
        });
        refused(&server.get(&ann, &format!("vans?select=id,d:drivers(name)&{filter}")).await, 400, &expected);
    }
    server.get(&ann, "vans?select=id,drivers(colour)").await.refused(400, "42703");
    server.get(&ann, "vans?select=id,drivers(id)&drivers.id=eq.x").await.refused(400, "22P02");
    server.get(&ann, "vans?select=id,drivers(id)&drivers.limit=-1").await.refused(416, "PGRST103");
}

#[tokio::test]
async fn embeds_are_nested_only_so_deep() {
    let server = Server::with(DataApiConfig { embed_depth_max: 2, ..DataApiConfig::default() }).await;
    let ann = server.owner("ann").await;
    server.get(&ann, "customers?select=id,jobs!customer_id(id,customer:customer_id(id))").await.ok();
    let answer = server.get(&ann, "customers?select=id,jobs!customer_id(id,customer:customer_id(id,jobs!customer_id(id)))").await;
    answer.refused(400, "embedding_too_deep");
    assert_eq!(answer.body["hint"], "At most 2 levels may be embedded in each other.");
}
