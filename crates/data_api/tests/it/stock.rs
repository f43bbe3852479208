//! Stock: figures change by moves only, exactly, however many move at once; and the ledger tells all of it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::server::{Caller, Server};
use crate::together::together;

const FULL: &str = "return=representation";

/// A company with an item of which it has some.
struct Store {
    server: Arc<Server>,
    ann: Caller,
    stock: Value,
}

async fn enter(server: &Server, who: &Caller, table: &str, row: Value) -> Value {
    server.post(who, table, row, FULL).await.ok()[0].clone()
}

impl Store {
    async fn with(on_hand: i64) -> Self {
        let server = Arc::new(Server::new().await);
        let ann = server.owner("ann").await;
        let category = enter(&server, &ann, "price_book_categories", json!({ "name": "Parts" })).await;
        let item = json!({ "name": "Filter", "item_type": "material", "category_id": category["id"] });
        let item = enter(&server, &ann, "price_book_items", item).await;
        let stock = json!({
            "price_book_item_id": item["id"], "quantity_on_hand": on_hand, "cost_per_unit": 250, "minimum_quantity": 3, "reorder_point": 5
        });
        let stock = enter(&server, &ann, "inventory", stock).await;
        Self { server, ann, stock }
    }

    fn id(&self) -> &str {
        self.stock["id"].as_str().unwrap()
    }

    async fn call(&self, who: &Caller, function: &str, body: Value) -> crate::server::Answer {
        self.server.post(who, &format!("rpc/{function}"), body, "").await
    }

    async fn reserve(&self, quantity: i64) -> Value {
        self.call(&self.ann, "reserve_stock", json!({ "inventory_id": self.id(), "quantity": quantity })).await.ok()
    }

    /// On hand, reserved, available.
    async fn figures(&self) -> (f64, f64, f64) {
        let path = format!("inventory?id=eq.{}&select=quantity_on_hand,quantity_reserved,quantity_available", self.id());
        let row = self.server.get(&self.ann, &path).await.ok()[0].clone();
        let of = |name: &str| row[name].as_f64().unwrap();
        (of("quantity_on_hand"), of("quantity_reserved"), of("quantity_available"))
    }

    /// The ledger as `kind change: on hand before -> after, reserved before -> after`.
    async fn ledger(&self) -> Vec<String> {
        let moves = self.server.get(&self.ann, "stock_moves?order=id").await.ok();
        let of = |row: &Value, name: &str| row[name].as_f64().unwrap();
        let line = |row: &Value| {
            format!(
                "{} {}: {} -> {}, {} -> {}",
                row["kind"].as_str().unwrap(),
                of(row, "quantity"),
                of(row, "quantity_before"),
                of(row, "quantity_after"),
                of(row, "reserved_before"),
                of(row, "reserved_after")
            )
        };
        moves.as_array().unwrap().iter().map(line).collect()
    }

    async fn place(&self, name: &str) -> Value {
        enter(&self.server, &self.ann, "inventory_locations", json!({ "name": name })).await["id"].clone()
    }
}

#[tokio::test]
async fn a_ledger_tells_how_the_figures_came_about() {
    let store = Store::with(10).await;
    let (server, ann) = (&store.server, &store.ann);
    let customer = server.customer(ann, "Ada").await;
    let job = enter(server, ann, "jobs", json!({ "customer_id": customer, "title": "Fix" })).await;

    let adjusted = json!({ "inventory_id": store.id(), "change": 5, "reason": "restock", "note": "from the shop", "unit_cost": 260 });
    let row = store.call(ann, "adjust_stock", adjusted).await.ok();
    assert_eq!(
        (&row["quantity_on_hand"], &row["last_restock_quantity"], &row["last_purchase_cost"]),
        (&json!(15.0), &json!(5.0), &json!(260))
    );
    assert!(row["last_restock_date"].is_string() && row["last_used_date"].is_null());
    let theft = json!({ "inventory_id": store.id(), "change": -1, "reason": "theft" });
    store.call(ann, "adjust_stock", theft).await.ok();

    let reserved = json!({ "inventory_id": store.id(), "quantity": 6, "job_id": job["id"], "reason": "for the repair" });
    let reservation = store.call(ann, "reserve_stock", reserved).await.ok();
    assert_eq!((&reservation["status"], &reservation["quantity"]), (&json!("active"), &json!(6.0)));
    assert_eq!(store.figures().await, (14.0, 6.0, 8.0));
    let used = store.call(ann, "use_stock", json!({ "reservation_id": reservation["id"], "quantity": 2.5 })).await.ok();
    assert_eq!((&used["status"], &used["quantity_used"]), (&json!("active"), &json!(2.5)));
    let released = store.call(ann, "release_stock", json!({ "reservation_id": reservation["id"], "quantity": 1 })).await.ok();
    assert_eq!((&released["status"], &released["quantity"]), (&json!("active"), &json!(5.0)));
    let last = store.call(ann, "use_stock", json!({ "reservation_id": reservation["id"] })).await.ok();
    assert_eq!((&last["status"], &last["quantity_used"], last["fulfilled_at"].is_string()), (&json!("fulfilled"), &json!(5.0), true));
    store.call(ann, "use_stock", json!({ "reservation_id": reservation["id"] })).await.refused(409, "reservation_closed");
    assert_eq!(store.figures().await, (9.0, 0.0, 9.0));

    let expected = [
        "correction 10: 0 -> 10, 0 -> 0",
        "restock 5: 10 -> 15, 0 -> 0",
        "theft -1: 15 -> 14, 0 -> 0",
        "reserve 6: 14 -> 14, 0 -> 6",
        "use -2.5: 14 -> 11.5, 6 -> 3.5",
        "release -1: 11.5 -> 11.5, 3.5 -> 2.5",
        "use -2.5: 11.5 -> 9, 2.5 -> 0",
    ];
    assert_eq!(store.ledger().await, expected);
    let moves = server.get(ann, "stock_moves?kind=eq.use&select=job_id,reservation_id,moved_by").await.ok();
    assert_eq!(moves[0], json!({ "job_id": job["id"], "reservation_id": reservation["id"], "moved_by": ann.user_id }));
    let row = server.get(ann, "inventory?select=last_used_job_id,total_cost_value,version").await.ok();
    assert_eq!((&row[0]["last_used_job_id"], &row[0]["total_cost_value"]), (&job["id"], &json!(2250)));

    let (service, superuser) = (server.service().working_in(&ann.company_id), server.db.superuser().await);
    for who in [ann, &service] {
        server.patch(who, "stock_moves?kind=eq.use", json!({ "quantity": 1 }), "").await.refused(403, "42501");
        server.delete(who, "stock_moves?kind=eq.use", "").await.refused(403, "42501");
        server.patch(who, "stock_reservations?status=eq.active", json!({ "quantity": 1 }), "").await.refused(403, "42501");
    }
    for write in ["update public.stock_moves set quantity = 1", "delete from public.stock_moves"] {
        let refused = superuser.batch_execute(write).await.unwrap_err();
        assert_eq!(refused.as_db_error().unwrap().constraint(), Some("record_immutable"), "{write}");
    }
}

#[tokio::test]
async fn sixteen_who_reserve_the_last_ten_get_ten() {
    let store = Store::with(10).await;
    let request = || ("POST", "rpc/reserve_stock".to_owned(), json!({ "inventory_id": store.id(), "quantity": 1 }));
    let answers = together(&store.server, &store.ann, (0..16).map(|_| request()).collect()).await;
    let got = answers.iter().filter(|answer| answer.status == 200).count();
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(409, "stock_insufficient");
    }
    assert_eq!((got, store.figures().await), (10, (10.0, 10.0, 0.0)));
    let mut expected = vec!["correction 10: 0 -> 10, 0 -> 0".to_owned()];
    expected.extend((0..10).map(|n| format!("reserve 1: 10 -> 10, {n} -> {}", n + 1)));
    let mut ledger = store.ledger().await;
    ledger.sort();
    expected.sort();
    assert_eq!(ledger, expected);

    // One reservation of ten, used by sixteen at once.
    let store = Store::with(10).await;
    let reservation = store.reserve(10).await;
    let request = || ("POST", "rpc/use_stock".to_owned(), json!({ "reservation_id": reservation["id"], "quantity": 1 }));
    let answers = together(&store.server, &store.ann, (0..16).map(|_| request()).collect()).await;
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(409, "reservation_closed");
    }
    assert_eq!((answers.iter().filter(|answer| answer.status == 200).count(), store.figures().await), (10, (0.0, 0.0, 0.0)));
}

#[tokio::test]
async fn what_is_not_there_is_not_taken() {
    let store = Store::with(10).await;
    let (server, ann) = (&store.server, &store.ann);
    let adjust = |change: Value, reason: &str| json!({ "inventory_id": store.id(), "change": change, "reason": reason });
    let refused = store.call(ann, "adjust_stock", adjust(json!(-11), "sale")).await;
    refused.refused(409, "stock_insufficient");
    assert_eq!(refused.body["details"], r#"{"on_hand": 10.000, "reserved": 0.000, "available": 10.000}"#);
    let reservation = store.reserve(8).await;
    store.call(ann, "adjust_stock", adjust(json!(-3), "damage")).await.refused(409, "stock_insufficient");
    store.call(ann, "reserve_stock", json!({ "inventory_id": store.id(), "quantity": 3 })).await.refused(409, "stock_insufficient");
    for function in ["use_stock", "release_stock"] {
        let more = json!({ "reservation_id": reservation["id"], "quantity": 9 });
        store.call(ann, function, more).await.refused(409, "reservation_exceeded");
        store.call(ann, function, json!({ "reservation_id": ann.user_id })).await.refused(404, "reservation_not_found");
    }
    for (change, reason) in [(json!(1), "sale"), (json!(-1), "restock"), (json!(1), "transfer"), (json!(1), "whim"), (json!(1), "use")] {
        store.call(ann, "adjust_stock", adjust(change, reason)).await.refused(422, "stock_reason_invalid");
    }
    for change in [json!(0), json!("NaN"), json!(0.0001), Value::Null] {
        store.call(ann, "adjust_stock", adjust(change, "correction")).await.refused(422, "stock_quantity_invalid");
    }
    for quantity in [0, -1] {
        let body = json!({ "inventory_id": store.id(), "quantity": quantity });
        store.call(ann, "reserve_stock", body).await.refused(422, "stock_quantity_invalid");
    }
    assert_eq!(store.figures().await, (10.0, 8.0, 2.0));

    // Written past the moves.
    let one = format!("inventory?id=eq.{}", store.id());
    for (column, value) in [("quantity_on_hand", 99), ("quantity_reserved", 0)] {
        for who in [ann, &server.service().working_in(&ann.company_id)] {
            server.patch(who, &one, json!({ column: value }), "").await.refused(422, "stock_by_moves");
        }
    }
    let item = json!({ "price_book_item_id": store.stock["price_book_item_id"] });
    server.post(ann, "inventory", item, "").await.refused(409, "23505");
    let category = server.get(ann, "price_book_categories?select=id").await.ok()[0]["id"].clone();
    let other = enter(server, ann, "price_book_items", json!({ "name": "Motor", "category_id": category })).await;
    let reserved = json!({ "price_book_item_id": other["id"], "quantity_on_hand": 5, "quantity_reserved": 5 });
    server.post(ann, "inventory", reserved, "").await.refused(422, "stock_by_moves");
    server.patch(ann, &one, json!({ "price_book_item_id": other["id"] }), "").await.refused(422, "stock_item_fixed");

    // What is reserved is not deleted.
    server.delete(ann, &one, "").await.refused(409, "stock_reserved");
    store.call(ann, "release_stock", json!({ "reservation_id": reservation["id"] })).await.ok();
    server.delete(ann, &one, "").await.ok();
    store.call(ann, "adjust_stock", adjust(json!(1), "restock")).await.refused(404, "stock_not_found");
    store.call(ann, "reserve_stock", json!({ "inventory_id": store.id(), "quantity": 1 })).await.refused(404, "stock_not_found");
    let said = crate::server::Said { prefer: "deleted=include", ..Default::default() };
    assert_eq!(server.get_with(ann, &format!("{one}&select=status"), said).await.ok(), json!([{ "status": "discontinued" }]));
    server.patch(ann, &one, json!({ "deleted_at": null }), "deleted=include").await.ok();
    assert_eq!(server.get(ann, &format!("{one}&select=status")).await.ok(), json!([{ "status": "active" }]));
}

#[tokio::test]
async fn low_stock_is_noticed_and_forgotten() {
    let store = Store::with(10).await;
    let (server, ann) = (&store.server, &store.ann);
    let one = format!("inventory?id=eq.{}", store.id());
    let flags = format!("{one}&select=is_low_stock,low_stock_alert_sent,low_stock_alert_sent_at,total_cost_value");
    let low = || async { store.call(ann, "low_stock", json!({})).await.ok().as_array().unwrap().len() };
    let adjust = |change: i64| json!({ "inventory_id": store.id(), "change": change, "reason": "correction" });
    assert_eq!(low().await, 0);
    store.call(ann, "adjust_stock", adjust(-5)).await.ok();
    assert_eq!(low().await, 1, "at the reorder point");
    let row = |is_low: bool, value: i64| json!([{ "is_low_stock": is_low, "low_stock_alert_sent": false, "low_stock_alert_sent_at": null, "total_cost_value": value }]);
    assert_eq!(server.get(ann, &flags).await.ok(), row(false, 1250));
    store.call(ann, "adjust_stock", adjust(-2)).await.ok();
    assert_eq!(server.get(ann, &flags).await.ok(), row(true, 750));
    let alerted = json!({ "low_stock_alert_sent": true, "low_stock_alert_sent_at": "2026-11-22T00:00:00Z" });
    server.patch(ann, &one, alerted, "").await.ok();
    store.call(ann, "adjust_stock", adjust(5)).await.ok();
    assert_eq!((server.get(ann, &flags).await.ok(), low().await), (row(false, 2000), 0));
    server
        .patch(ann, &one, json!({ "minimum_quantity": 8, "cost_per_unit": 300, "total_cost_value": 1, "is_low_stock": false }), "")
        .await
        .ok();
    assert_eq!(server.get(ann, &flags).await.ok(), row(true, 2400), "what is computed cannot be written");
}

#[tokio::test]
async fn stock_lies_where_it_was_put() {
    let store = Store::with(10).await;
    let (server, ann) = (&store.server, &store.ann);
    let (house, truck, shelf) = (store.place("House").await, store.place("Truck").await, store.place("Shelf").await);
    let lies = || async { store.call(ann, "stock_by_location", json!({ "inventory_id": store.id() })).await.ok() };
    assert_eq!(lies().await, json!([{ "location_id": null, "name": null, "quantity": 10.0 }]));
    server.patch(ann, &format!("inventory?id=eq.{}", store.id()), json!({ "location_id": house }), "").await.ok();
    let transfer = |to: &Value, quantity: i64, from: &Value| json!({ "inventory_id": store.id(), "to_location_id": to, "quantity": quantity, "from_location_id": from });
    store.call(ann, "transfer_stock", transfer(&truck, 4, &Value::Null)).await.ok();
    store.call(ann, "transfer_stock", transfer(&shelf, 1, &truck)).await.ok();
    let expected = json!([
        { "location_id": house, "name": "House", "quantity": 6.0 },
        { "location_id": shelf, "name": "Shelf", "quantity": 1.0 },
        { "location_id": truck, "name": "Truck", "quantity": 3.0 },
    ]);
    assert_eq!((lies().await, store.figures().await), (expected, (10.0, 0.0, 10.0)));
    store.call(ann, "transfer_stock", transfer(&shelf, 4, &truck)).await.refused(409, "stock_insufficient_there");
    store.call(ann, "transfer_stock", transfer(&house, 1, &Value::Null)).await.refused(422, "stock_location_invalid");
    store.call(ann, "transfer_stock", transfer(&json!(ann.user_id), 1, &Value::Null)).await.refused(422, "stock_location_invalid");
    let reservation = store.reserve(7).await;
    let used = |from: &Value, quantity: i64| json!({ "reservation_id": reservation["id"], "quantity": quantity, "location_id": from });
    store.call(ann, "use_stock", used(&truck, 4)).await.refused(409, "stock_insufficient_there");
    store.call(ann, "use_stock", used(&truck, 3)).await.ok();
    store.call(ann, "use_stock", used(&Value::Null, 4)).await.ok();
    let expected = json!([
        { "location_id": house, "name": "House", "quantity": 2.0 },
        { "location_id": shelf, "name": "Shelf", "quantity": 1.0 },
    ]);
    assert_eq!((lies().await, store.figures().await), (expected, (3.0, 0.0, 3.0)));

    // What is everywhere together is not at the place that nobody named.
    let loose = Store::with(2).await;
    let van = loose.place("Van").await;
    let adjust = |change: i64, reason: &str, at: &Value| json!({ "inventory_id": loose.id(), "change": change, "reason": reason, "location_id": at });
    loose.call(&loose.ann, "adjust_stock", adjust(5, "restock", &van)).await.ok();
    loose.call(&loose.ann, "adjust_stock", adjust(-3, "damage", &Value::Null)).await.refused(409, "stock_insufficient_there");
    loose.call(&loose.ann, "adjust_stock", adjust(-2, "damage", &Value::Null)).await.ok();
    loose.call(&loose.ann, "adjust_stock", adjust(-5, "damage", &van)).await.ok();
    let left = loose.call(&loose.ann, "stock_by_location", json!({ "inventory_id": loose.id() })).await.ok();
    assert_eq!((left, loose.figures().await), (json!([]), (0.0, 0.0, 0.0)));

    // One place is the usual one.
    let default = |place: &Value| format!("inventory_locations?id=eq.{}", place.as_str().unwrap());
    for place in [&house, &truck] {
        server.patch(ann, &default(place), json!({ "is_default": true }), "").await.ok();
    }
    let defaults = server.get(ann, "inventory_locations?is_default=eq.true&select=name").await.ok();
    assert_eq!(defaults, json!([{ "name": "Truck" }]));
    // What is there already and left alone takes it from nobody; what is merged does, by either key.
    let row = |name: &str| json!({ "id": house, "name": name, "is_default": true });
    for (path, body) in
        [("inventory_locations", row("House")), ("inventory_locations?on_conflict=name", json!({ "name": "House", "is_default": true }))]
    {
        let left = server.post(ann, path, body.clone(), "resolution=ignore-duplicates").await;
        assert_eq!(left.status, 201, "{}", left.text);
        let defaults = server.get(ann, "inventory_locations?is_default=eq.true&select=name").await.ok();
        assert_eq!(defaults, json!([{ "name": "Truck" }]), "{path}");
        let merged = server.post(ann, path, body, "resolution=merge-duplicates").await;
        assert_eq!(merged.status, 200, "{}", merged.text);
        let defaults = server.get(ann, "inventory_locations?is_default=eq.true&select=name").await.ok();
        assert_eq!(defaults, json!([{ "name": "House" }]), "{path}");
        server.patch(ann, &default(&truck), json!({ "is_default": true }), "").await.ok();
    }
}

#[tokio::test]
async fn stock_is_moved_by_those_who_may_and_of_their_company() {
    let store = Store::with(10).await;
    let (server, ann) = (&store.server, &store.ann);
    let (technician, viewer) = (server.member(&ann.company_id, "technician").await, server.member(&ann.company_id, "viewer").await);
    let bob = server.owner("bob").await;
    let adjust = json!({ "inventory_id": store.id(), "change": 1, "reason": "correction" });
    let reserve = json!({ "inventory_id": store.id(), "quantity": 1 });
    store.call(&technician, "adjust_stock", adjust.clone()).await.refused(403, "permission_denied");
    store.call(&viewer, "reserve_stock", reserve.clone()).await.refused(403, "permission_denied");
    let reservation = store.call(&technician, "reserve_stock", reserve.clone()).await.ok();
    for (function, body) in [("adjust_stock", &adjust), ("reserve_stock", &reserve)] {
        store.call(&bob, function, body.clone()).await.refused(404, "stock_not_found");
        store.call(&server.service(), function, body.clone()).await.refused(403, "company_required");
        assert_eq!(store.call(&Server::nobody(), function, body.clone()).await.status, 401);
    }
    for function in ["use_stock", "release_stock"] {
        store.call(&bob, function, json!({ "reservation_id": reservation["id"] })).await.refused(404, "reservation_not_found");
    }
    let theirs = store.call(&bob, "stock_by_location", json!({ "inventory_id": store.id() })).await.ok();
    assert_eq!(theirs, json!([]));
    let service = server.service().working_in(&ann.company_id);
    store.call(&service, "adjust_stock", adjust).await.ok();
    assert_eq!(store.figures().await, (11.0, 1.0, 10.0));
}
