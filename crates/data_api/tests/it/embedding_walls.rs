//! Embedded rows are behind the same walls as rows that are read by themselves.

use serde_json::json;

use crate::server::{Said, Server};
use crate::yard::{check, fill, yards};

#[tokio::test]
async fn another_companys_rows_are_not_there() {
    let (server, ann) = Box::pin(yards()).await;
    let bob = server.owner("bob").await;
    let paths = [
        "yards?select=id,vans!yard_id(name)",
        "vans?select=id,yard_id(name),drivers(name),towed_by(name)",
        "yards?select=id,best_van(name),all_vans(name)",
        "parked?select=id,yards(name)",
        "rpc/find_yards?wanted=%25&select=id,vans!yard_id(name)",
    ];
    for path in paths {
        assert_eq!(server.get(&bob, path).await.ok(), json!([]), "{path}");
    }
    // The same ids in both companies: each sees its own.
    Box::pin(fill(&server, &bob)).await;
    assert_eq!(server.patch(&bob, "yards", json!({ "name": "Bobs" }), "").await.status, 204);
    assert_eq!(server.patch(&bob, "vans", json!({ "name": "Bobs" }), "").await.status, 204);
    assert_eq!(server.patch(&bob, "drivers", json!({ "name": "Bobs" }), "").await.status, 204);
    for path in paths {
        let (hers, his) = (server.get(&ann, path).await, server.get(&bob, path).await);
        assert!(!hers.text.contains("Bobs") && hers.text.len() > 2, "{path}: {}", hers.text);
        assert!(his.text.contains("Bobs") && !his.text.contains("North") && !his.text.contains("Ada"), "{path}: {}", his.text);
    }
    // The service sees both, and rows of one company only with their own.
    let both = server.get(&server.service(), "vans?select=name,yard_id(name)&id=eq.10&order=name").await.ok();
    let pair = |van: &str, yard: &str| json!({ "name": van, "yard_id": { "name": yard } });
    assert_eq!(both, json!([pair("Blue", "North"), pair("Bobs", "Bobs")]));
    let one = server.get(&server.service().working_in(&bob.company_id), "vans?select=drivers(name)&id=eq.11").await.ok();
    assert_eq!(one, json!([{ "drivers": [{ "name": "Bobs" }] }]));
}

#[tokio::test]
async fn who_may_not_read_a_noun_does_not_see_it_embedded() {
    let (server, ann) = Box::pin(yards()).await;
    let viewer = server.member(&ann.company_id, "viewer").await;
    check(
        &server,
        &ann,
        &[("vans?select=id,papers(valid_until)&id=eq.10", json!([{ "id": 10, "papers": { "valid_until": "2027-01-31" } }]))],
    )
    .await;
    check(
        &server,
        &viewer,
        &[
            ("vans?select=id,papers(valid_until)&id=eq.10", json!([{ "id": 10, "papers": null }])),
            ("vans?select=id,papers!inner(valid_until)", json!([])),
            ("vans?select=id,papers()&papers=not.is.null", json!([])),
            ("vans?select=id,papers()&order=papers(valid_until),id&limit=1", json!([{ "id": 10 }])),
        ],
    )
    .await;
    let nobody = Server::nobody();
    server.get(&nobody, "vans?select=id,yard_id(name)").await.refused(401, "42501");
    server.table("revoke select on public.papers from authenticated").await;
    server.get(&ann, "vans?select=id,papers(valid_until)").await.refused(403, "42501");
    assert_eq!(server.get(&ann, "vans?select=id&id=eq.10").await.ok(), json!([{ "id": 10 }]));
}

#[tokio::test]
async fn deleted_rows_are_not_embedded() {
    let (server, ann) = Box::pin(yards()).await;
    assert_eq!(server.delete(&ann, "vans?id=eq.11", "").await.status, 204);
    check(
        &server,
        &ann,
        &[
            ("yards?select=vans!yard_id(id)&id=eq.1", json!([{ "vans": [{ "id": 10 }] }])),
            ("drivers?select=vans(id)&id=eq.20", json!([{ "vans": [{ "id": 10 }] }])),
            ("yards?select=all_vans(id)&id=eq.1", json!([{ "all_vans": [{ "id": 10 }] }])),
            ("yards?select=id,vans!yard_id!inner()&vans.id=eq.11", json!([])),
            ("vans?select=towed:vans(id)&id=eq.10", json!([{ "towed": [{ "id": 12 }] }])),
        ],
    )
    .await;
    let included = Said { prefer: "deleted=include", ..Said::default() };
    let answer = server.get_with(&ann, "yards?select=vans!yard_id(id)&id=eq.1&vans.order=id", included).await;
    assert_eq!(answer.ok(), json!([{ "vans": [{ "id": 10 }, { "id": 11 }] }]));
    let viewer = server.member(&ann.company_id, "viewer").await;
    let answer = server.get_with(&viewer, "yards?select=vans!yard_id(id)&id=eq.1", included).await;
    assert_eq!(answer.ok(), json!([{ "vans": [{ "id": 10 }] }]), "who may not restore does not see it");
}

#[tokio::test]
async fn the_business_own_tables_lead_to_each_other() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let customer = server.customer(&ann, "Ada").await;
    let tag = server.post(&ann, "tags", json!({ "name": "Loyal" }), "return=representation").await.ok()[0]["id"].clone();
    let labelled = server.post(&ann, "customer_tags", json!({ "customer_id": customer, "tag_id": tag }), "").await;
    assert_eq!(labelled.status, 201, "{}", labelled.text);
    let job = json!({ "customer_id": customer, "title": "Fix", "assigned_to": ann.user_id });
    assert_eq!(server.post(&ann, "jobs", job, "").await.status, 201);
    check(
        &server,
        &ann,
        &[
            ("jobs?select=title,customer:customer_id(first_name)", json!([{ "title": "Fix", "customer": { "first_name": "Ada" } }])),
            ("jobs?select=customers!customer_id(first_name)", json!([{ "customers": { "first_name": "Ada" } }])),
            ("jobs?select=customers!jobs_customer_id_fkey(first_name)", json!([{ "customers": { "first_name": "Ada" } }])),
            ("jobs?select=c:customers!jobs_customer_id_customers_id_fk(first_name)", json!([{ "c": { "first_name": "Ada" } }])),
            ("jobs?select=assigned:assigned_to(role)", json!([{ "assigned": { "role": "owner" } }])),
            (
                "customers?select=tags(name),jobs!customer_id(title)",
                json!([{ "tags": [{ "name": "Loyal" }], "jobs": [{ "title": "Fix" }] }]),
            ),
            (
                "companies?select=customers(first_name,jobs!customer_id(title,customer:customer_id(first_name)))",
                json!([
                    { "customers": [{ "first_name": "Ada", "jobs": [{ "title": "Fix", "customer": { "first_name": "Ada" } }] }] },
                ]),
            ),
        ],
    )
    .await;
}
