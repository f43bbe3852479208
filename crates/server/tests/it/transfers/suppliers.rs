//! What suppliers offer: described, looked at, fetched, as the company allows; and their secrets.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::shop::Shop;
use crate::rates::Person;

/// A supplier with two pages, who wants a key.
struct Supplier {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
    cost: Arc<Mutex<Value>>,
}

impl Supplier {
    async fn new() -> Self {
        let (heard, cost): (Arc<Mutex<Vec<String>>>, _) = (Arc::default(), Arc::new(Mutex::new(json!("12.50"))));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (noted, costs) = (Arc::clone(&heard), Arc::clone(&cost));
        let answers = Router::new().fallback(move |request: Request| {
            let (key, uri) = (request.headers().get("x-key").map_or("", |key| key.to_str().unwrap()).to_owned(), request.uri().to_string());
            noted.lock().unwrap().push(format!("{uri} {key}"));
            let cost = costs.lock().unwrap().clone();
            async move { answer(&uri, &key, &cost) }
        });
        tokio::spawn(async move { axum::serve(listener, answers).await });
        Self { address, heard, cost }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

fn answer(uri: &str, key: &str, cost: &Value) -> Response {
    match uri {
        "/busy" => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "40")], "").into_response(),
        "/elsewhere" => axum::Json(json!({ "items": [], "next": "http://127.0.0.1:1/steal" })).into_response(),
        "/prices.csv" => "Art,Name,EK\n7,Valve,3.10\n".into_response(),
        _ if key != "the key" => StatusCode::UNAUTHORIZED.into_response(),
        "/prices" => {
            let items = json!([{ "id": 1, "title": "Valve", "net": cost, "group": "Pipes" }, { "id": 2, "title": "Pump", "net": "1e9" }]);
            axum::Json(json!({ "items": items, "next": "/prices?page=2" })).into_response()
        }
        _ => axum::Json(
            json!({ "items": [{ "id": 3, "title": "Seal", "net": 0.5 }, { "id": 4, "title": "Hose", "net": 1, "group": "Unknown" }] }),
        )
        .into_response(),
    }
}

async fn open() -> (Shop, Supplier) {
    let shop = Shop::open_with(|settings| settings.transfers.supplier_private_addresses_allowed = true).await;
    (shop, Supplier::new().await)
}

const DESCRIBED: &str = r#"{ "items": "items", "next": "next", "currency": "USD", "auth": "header", "header": "x-key",
                            "fields": { "sku": "id", "name": "title", "cost": "net", "category": "group" } }"#;

impl Shop {
    async fn made(&self, table: &str, who: &Person, row: &Value) -> Value {
        let request = self.request("POST", &format!("/rest/v1/{table}"), who).header("prefer", "return=representation");
        let made = self.server.send(request.body(row.to_string())).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.body[0].clone()
    }

    async fn integration(&self, address: &str, more: Value) -> String {
        let described: Value = serde_json::from_str(DESCRIBED).unwrap();
        let mut row = json!({ "supplier_name": "acme", "display_name": "Acme", "api_endpoint": address, "api_enabled": true, "catalogue": described });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.made("supplier_integrations", &self.ann, &row).await["id"].as_str().unwrap().to_owned()
    }

    async fn change(&self, id: &str, what: Value) {
        let path = format!("/rest/v1/supplier_integrations?id=eq.{id}");
        let answer = self.server.send(self.request("PATCH", &path, &self.ann).body(what.to_string())).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
    }

    async fn keep(&self, id: &str, who: &Person, secrets: Value) -> crate::rates::Answer {
        self.server.send(self.request("PUT", &format!("/api/v1/suppliers/{id}/secrets"), who).body(secrets.to_string())).await
    }

    async fn items(&self) -> Value {
        self.get("/rest/v1/price_book_items?select=supplier_sku,name,cost,price&supplier_sku=not.is.null&order=supplier_sku", &self.ann)
            .await
            .body
    }
}

#[tokio::test]
async fn what_a_supplier_offers_is_taken_as_the_company_allows() {
    let (shop, supplier) = open().await;
    let category = shop.made("price_book_categories", &shop.ann, &json!({ "name": "Pipes" })).await["id"].clone();
    let id = shop
        .integration(
            &format!("{}/prices", supplier.address),
            json!({ "default_markup_percent": 50, "category_mappings": { "Pipes": category } }),
        )
        .await;
    let preview = format!("/api/v1/suppliers/{id}/preview");
    Shop::refused(&shop.post(&preview, &shop.ann, json!({})).await, 422, "supplier_secret_missing");
    assert_eq!(shop.keep(&id, &shop.ann, json!({ "api_key": "another key" })).await.status, 204);
    Shop::refused(&shop.post(&preview, &shop.ann, json!({})).await, 422, "supplier_refused");
    assert_eq!(shop.keep(&id, &shop.ann, json!({ "api_key": "the key" })).await.status, 204);
    supplier.take();
    let seen = shop.post(&preview, &shop.ann, json!({})).await;
    assert_eq!((seen.status, &seen.body["data"]["items_on_page"]), (200, &json!(2)), "{}", seen.body);
    assert_eq!(seen.body["data"]["items"][0]["cost"], 1250);
    assert_eq!(seen.body["data"]["problems"], json!([{ "sku": "2", "problem": "cost_invalid" }]));
    assert_eq!(supplier.take(), ["/prices the key"]);

    // Nothing is allowed yet.
    let task = shop.task(&shop.ann, "sync_integration", json!({ "integration_id": id })).await;
    assert_eq!(task["status"], "completed", "{task}");
    assert_eq!(supplier.take(), ["/prices the key", "/prices?page=2 the key"]);
    assert_eq!(shop.items().await, json!([]));
    shop.change(&id, json!({ "auto_import_new_items": true, "auto_update_prices": true })).await;
    let answer = shop.post(&format!("/api/v1/suppliers/{id}/sync"), &shop.ann, json!({})).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    shop.ended(&shop.ann, answer.body["data"]["task_id"].as_str().unwrap()).await;
    assert_eq!(shop.items().await, json!([{ "supplier_sku": "1", "name": "Valve", "cost": 1250, "price": 1875 }]));
    let row = "/rest/v1/supplier_integrations?select=status,last_sync_status,total_items_imported,total_items_updated,total_items_failed";
    let expected = json!([{ "status": "connected", "last_sync_status": "success", "total_items_imported": 1, "total_items_updated": 0, "total_items_failed": 4 }]);
    assert_eq!(shop.get(row, &shop.ann).await.body, expected, "of two fetches: one cost each, and of the second two without a category");

    // It costs more now; a price that was set by hand stays, and the history says why.
    *supplier.cost.lock().unwrap() = json!(20);
    shop.change(&id, json!({ "category_mappings": { "*": category } })).await;
    let task = shop.task(&shop.ann, "sync_integration", json!({ "integration_id": id })).await;
    assert_eq!(task["result"]["counts"], json!({ "imported": 2, "updated": 1, "failed": 1 }), "{task}");
    assert_eq!(shop.items().await[0], json!({ "supplier_sku": "1", "name": "Valve", "cost": 2000, "price": 3000 }));
    let history = shop.get("/rest/v1/price_history?select=old_cost,new_cost,change_type,change_reason", &shop.ann).await.body;
    assert_eq!(history, json!([{ "old_cost": 1250, "new_cost": 2000, "change_type": "supplier_sync", "change_reason": "Acme" }]));
    let again = shop.task(&shop.ann, "sync_integration", json!({ "integration_id": id })).await;
    assert_eq!(again["result"]["counts"], json!({ "imported": 0, "updated": 0, "failed": 1 }), "{again}");

    // By itself, as often as the company wants; here not when the server's own hour comes.
    shop.db.superuser().await.batch_execute("update app.cron_states set next_run_at = 'infinity'").await.unwrap();
    shop.change(&id, json!({ "sync_enabled": true, "sync_frequency": "hourly", "next_sync_at": "2020-01-01T00:00:00Z" })).await;
    assert_eq!(shop.count("select app.put_supplier_syncs(10)").await, 1);
    assert_eq!(shop.count("select app.put_supplier_syncs(10)").await, 0, "once");
    shop.server.stop().await;
}

#[tokio::test]
async fn what_goes_wrong_stands_in_the_row() {
    let (shop, supplier) = open().await;
    let at = |path: &str| format!("{}{path}", supplier.address);
    let id = shop.integration(&at("/prices"), json!({ "catalogue": {} })).await;
    let fails = async |what: Value, code: &str| {
        shop.change(&id, what.clone()).await;
        let failed = shop.task(&shop.ann, "sync_integration", json!({ "integration_id": id })).await;
        assert!(failed["error_message"].as_str().is_some_and(|said| said.contains(code)), "{code}: {failed}");
        let row = shop.get("/rest/v1/supplier_integrations?select=last_sync_status,last_sync_error,status", &shop.ann).await.body;
        assert_eq!((&row[0]["status"], &row[0]["last_sync_status"]), (&json!("error"), &json!("error")));
        assert!(row[0]["last_sync_error"].as_str().unwrap().contains(code) && !row.to_string().contains("127.0.0.1"), "{row}");
    };
    let described: Value = serde_json::from_str(DESCRIBED).unwrap();
    let open: Value = json!({ "items": "items", "next": "next", "currency": "USD", "fields": described["fields"] });
    fails(json!({}), "integration_not_described").await;
    fails(json!({ "catalogue": described, "api_enabled": false }), "integration_disabled").await;
    fails(json!({ "api_enabled": true, "api_endpoint": null }), "integration_not_described").await;
    fails(json!({ "api_endpoint": at("/prices") }), "supplier_secret_missing").await;
    fails(json!({ "catalogue": open, "api_endpoint": at("/elsewhere") }), "supplier_unreadable").await;
    assert!(!supplier.take().iter().any(|line| line.contains("steal")));
    // As CSV nothing has to be shown, and what is busy is asked again later.
    let csv = json!({ "format": "csv", "currency": "USD", "fields": { "sku": "Art", "name": "Name", "cost": "EK" } });
    shop.change(&id, json!({ "catalogue": csv, "api_endpoint": at("/prices.csv") })).await;
    assert_eq!(shop.task(&shop.ann, "sync_integration", json!({ "integration_id": id })).await["status"], "completed");
    shop.change(&id, json!({ "api_endpoint": at("/busy") })).await;
    Shop::refused(&shop.post(&format!("/api/v1/suppliers/{id}/preview"), &shop.ann, json!({})).await, 502, "supplier_unavailable");
    shop.server.stop().await;
}

#[tokio::test]
async fn secrets_of_suppliers_are_sealed_and_nobody_elses() {
    let (shop, supplier) = open().await;
    let id = shop.integration(&format!("{}/prices", supplier.address), json!({})).await;
    assert_eq!(shop.keep(&id, &shop.ann, json!({ "api_key": "hunter2", "api_secret": "hunter3" })).await.status, 204);
    assert_eq!(shop.count("select count(*) from app.supplier_secrets").await, 2);
    assert_eq!(shop.count("select count(*) from app.supplier_secrets s where s::text like '%hunter%'").await, 0);
    assert_eq!(shop.keep(&id, &shop.ann, json!({ "api_secret": null })).await.status, 204);
    assert_eq!(shop.count("select count(*) from app.supplier_secrets").await, 1);
    for (body, status, code) in [
        (json!({ "api_key": "" }), 422, "supplier_secret_invalid"),
        (json!({ "api_key": "x".repeat(4001) }), 422, "supplier_secret_invalid"),
        (json!({ "password": "hunter4" }), 400, "validation_failed"),
    ] {
        let answer = shop.keep(&id, &shop.ann, body).await;
        Shop::refused(&answer, status, code);
        assert!(!answer.body.to_string().contains("hunter"), "{}", answer.body);
    }
    // Another company, a role without the permission, nobody.
    Shop::refused(&shop.keep(&id, &shop.bob, json!({ "api_key": "bob's" })).await, 404, "integration_not_found");
    for path in ["preview", "sync"] {
        Shop::refused(&shop.post(&format!("/api/v1/suppliers/{id}/{path}"), &shop.bob, json!({})).await, 404, "integration_not_found");
    }
    let tech = shop.member("technician").await;
    Shop::refused(&shop.keep(&id, &tech, json!({ "api_key": "tech's" })).await, 403, "permission_denied");
    Shop::refused(&shop.post(&format!("/api/v1/suppliers/{id}/sync"), &tech, json!({})).await, 403, "permission_denied");
    let nobody = Person { token: String::new(), company: shop.ann.company.clone() };
    assert_eq!(shop.keep(&id, &nobody, json!({ "api_key": "x" })).await.status, 401);
    let row = json!({ "job_type": "sync_integration", "payload": { "integration_id": id } });
    Shop::refused(&shop.post("/rest/v1/job_queue", &tech, row.clone()).await, 403, "42501");
    let failed = shop.task(&shop.bob, "sync_integration", json!({ "integration_id": id })).await;
    assert!(failed["error_message"].as_str().unwrap().contains("integration_not_found"), "{failed}");
    assert!(supplier.take().is_empty(), "nobody asked the supplier");
    shop.server.stop().await;
}
