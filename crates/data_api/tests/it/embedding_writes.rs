//! What is embedded in the rows that a write or a function answers.

use serde_json::json;

use crate::server::Said;
use crate::yard::{check, yards};

const FULL: &str = "return=representation";

#[tokio::test]
async fn new_rows_are_answered_with_what_they_point_at() {
    let (server, ann) = Box::pin(yards()).await;
    let van = json!({ "id": 13, "name": "Grey", "yard_id": 2 });
    let made = server.post(&ann, "vans?select=name,yard_id(name),drivers(name)", van, FULL).await;
    assert_eq!((made.status, made.body), (201, json!([{ "name": "Grey", "yard_id": { "name": "South" }, "drivers": [] }])));
    let vans = json!([{ "id": 14, "yard_id": 1 }, { "id": 15, "yard_id": null }]);
    let made = server.post(&ann, "vans?select=id,...yard_id(yard:name)&order=id.desc", vans, FULL).await;
    assert_eq!((made.status, made.body), (201, json!([{ "id": 15, "yard": null }, { "id": 14, "yard": "North" }])));
    // A function gets the row as it was written.
    let made = server.post(&ann, "yards?select=*,all_vans(id)", json!({ "id": 3, "name": "East" }), FULL).await;
    assert_eq!((made.status, &made.body[0]["all_vans"], &made.body[0]["name"]), (201, &json!([]), &json!("East")));
    let made = server.post(&ann, "vans?select=id,yards!nope(id)", json!({ "id": 16 }), FULL).await;
    made.refused(400, "PGRST200");
    assert_eq!(server.get(&ann, "vans?select=id&id=eq.16").await.ok(), json!([]));
}

#[tokio::test]
async fn merged_changed_and_deleted_rows_too() {
    let (server, ann) = Box::pin(yards()).await;
    let merge = format!("{FULL},resolution=merge-duplicates");
    let yards = json!([{ "id": 1, "name": "N" }, { "id": 4, "name": "W" }]);
    let merged = server.post(&ann, "yards?select=name,best_van(name),vans!yard_id(id)&order=id&vans.order=id", yards, &merge).await;
    let expected = json!([
        { "name": "N", "best_van": { "name": "Blue" }, "vans": [{ "id": 10 }, { "id": 11 }] },
        { "name": "W", "best_van": null, "vans": [] },
    ]);
    assert_eq!((merged.status, merged.body), (201, expected));
    let changed = server.patch(&ann, "vans?id=eq.12&select=id,yard_id(name)", json!({ "yard_id": 2 }), FULL).await;
    assert_eq!(changed.ok(), json!([{ "id": 12, "yard_id": { "name": "South" } }]));
    let changed = server.patch(&ann, "vans?select=id,drivers!inner(name)&drivers.name=eq.Bob", json!({ "name": "X" }), FULL).await;
    assert_eq!((changed.header("content-range"), &changed.body), ("0-2/*", &json!([{ "id": 10, "drivers": [{ "name": "Bob" }] }])));
    check(&server, &ann, &[("vans?select=id&name=eq.X&order=id", json!([{ "id": 10 }, { "id": 11 }, { "id": 12 }]))]).await;
    let put = server.put(&ann, "vans?id=eq.12&select=id,y:yard_id(name)", json!({ "id": 12, "yard_id": 4 }), FULL).await;
    assert_eq!(put.ok(), json!([{ "id": 12, "y": { "name": "W" } }]));
    let deleted = server.delete(&ann, "vans?id=eq.11&select=id,yard_id(name),drivers(name)", FULL).await;
    assert_eq!(deleted.ok(), json!([{ "id": 11, "yard_id": { "name": "N" }, "drivers": [{ "name": "Ada" }] }]));
    let gone = server.delete(&ann, "van_drivers?driver_id=eq.21&select=vans(name),drivers(name)", FULL).await;
    assert_eq!(gone.ok(), json!([{ "vans": { "name": "X" }, "drivers": { "name": "Bob" } }]));
}

#[tokio::test]
async fn rows_of_a_function_lead_to_others() {
    let (server, ann) = Box::pin(yards()).await;
    check(
        &server,
        &ann,
        &[
            (
                "rpc/find_yards?wanted=%25&select=name,vans!yard_id(id)&order=id&vans.order=id",
                json!([
                    { "name": "North", "vans": [{ "id": 10 }, { "id": 11 }] }, { "name": "South", "vans": [] },
                ]),
            ),
            ("rpc/find_yards?wanted=%25&select=name,vans!yard_id!inner()", json!([{ "name": "North" }])),
            (
                "rpc/find_yards?wanted=%25&select=name,best_van(name)&best_van=not.is.null",
                json!([{ "name": "North", "best_van": { "name": "Blue" } }]),
            ),
            ("rpc/find_yards?wanted=N%25&select=name,...vans!yard_id(ids:id)&vans.id=eq.10", json!([{ "name": "North", "ids": [10] }])),
            ("rpc/one_yard?wanted=1&select=name,vans!yard_id(id)&vans.id=gt.10", json!({ "name": "North", "vans": [{ "id": 11 }] })),
        ],
    )
    .await;
    let posted =
        server.post(&ann, "rpc/find_yards?select=id,vans!yard_id(name)&vans.name=eq.Red&limit=1", json!({ "wanted": "N%" }), "").await;
    assert_eq!(posted.ok(), json!([{ "id": 1, "vans": [{ "name": "Red" }] }]));
    let counted = Said { prefer: "count=exact", ..Said::default() };
    let answer = server.get_with(&ann, "rpc/find_yards?wanted=%25&select=id,vans!yard_id!inner(id)", counted).await;
    assert_eq!((answer.status, answer.header("content-range")), (200, "0-0/1"));
}
