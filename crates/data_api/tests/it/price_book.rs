//! The price book: the tree of categories, its counts, what prices were, and what rules, packages and rates may say.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::server::{Caller, Server};
use crate::together::together;

const FULL: &str = "return=representation";

/// Enters a row and returns it.
async fn enter(server: &Server, who: &Caller, table: &str, row: Value) -> Value {
    server.post(who, table, row, FULL).await.ok()[0].clone()
}

async fn category(server: &Server, who: &Caller, name: &str, parent: Option<&Value>) -> Value {
    enter(server, who, "price_book_categories", json!({ "name": name, "parent_id": parent.map(|parent| parent["id"].clone()) })).await
}

async fn item(server: &Server, who: &Caller, name: &str, category: &Value) -> Value {
    enter(server, who, "price_book_items", json!({ "name": name, "category_id": category["id"], "price": 1000, "cost": 400 })).await
}

fn one(table: &str, row: &Value) -> String {
    format!("{table}?id=eq.{}", row["id"].as_str().unwrap())
}

/// The tree as `path level own all`, in order.
async fn tree(server: &Server, who: &Caller) -> Vec<String> {
    let rows = server.get(who, "price_book_categories?select=path,level,item_count,descendant_item_count&order=path").await.ok();
    let line =
        |row: &Value| format!("{} {} {} {}", row["path"].as_str().unwrap(), row["level"], row["item_count"], row["descendant_item_count"]);
    rows.as_array().unwrap().iter().map(line).collect()
}

#[tokio::test]
async fn a_tree_keeps_its_paths_levels_and_counts() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let heating = category(&server, &ann, "Heating & Air", None).await;
    assert_eq!((&heating["slug"], &heating["path"], &heating["level"]), (&json!("heating-air"), &json!("heating_air"), &json!(0)));
    let furnaces = category(&server, &ann, "Furnaces", Some(&heating)).await;
    let parts = category(&server, &ann, "Parts", Some(&furnaces)).await;
    let plumbing = category(&server, &ann, "Plumbing", None).await;
    let again = category(&server, &ann, "Parts", Some(&plumbing)).await;
    assert!(again["slug"].as_str().unwrap().starts_with("parts-"), "a second one of the name has another slug: {again}");
    server.delete(&ann, &one("price_book_categories", &again), "").await.ok();

    let filter = item(&server, &ann, "Filter", &parts).await;
    item(&server, &ann, "Motor", &parts).await;
    item(&server, &ann, "Tune-up", &furnaces).await;
    let expected = ["heating_air 0 0 3", "heating_air.furnaces 1 1 3", "heating_air.furnaces.parts 2 2 2", "plumbing 0 0 0"];
    assert_eq!(tree(&server, &ann).await, expected);

    // What is deleted is not counted, what comes back is; what moves is counted where it is.
    server.delete(&ann, &one("price_book_items", &filter), "").await.ok();
    let expected = ["heating_air 0 0 2", "heating_air.furnaces 1 1 2", "heating_air.furnaces.parts 2 1 1", "plumbing 0 0 0"];
    assert_eq!(tree(&server, &ann).await, expected);
    let (path, back) = (one("price_book_items", &filter), json!({ "deleted_at": null, "category_id": plumbing["id"] }));
    server.patch(&ann, &path, back, "deleted=include").await.ok();
    // A whole branch moves, and takes its items from the counts of where it was.
    server.patch(&ann, &one("price_book_categories", &furnaces), json!({ "parent_id": plumbing["id"] }), "").await.ok();
    let expected = ["heating_air 0 0 0", "plumbing 0 1 3", "plumbing.furnaces 1 1 2", "plumbing.furnaces.parts 2 1 1"];
    assert_eq!(tree(&server, &ann).await, expected);
    server.patch(&ann, &one("price_book_categories", &plumbing), json!({ "slug": "pipes", "item_count": 99, "path": "x" }), "").await.ok();
    let expected = ["heating_air 0 0 0", "pipes 0 1 3", "pipes.furnaces 1 1 2", "pipes.furnaces.parts 2 1 1"];
    assert_eq!(tree(&server, &ann).await, expected, "paths follow the slug; what is computed cannot be written");
    server.patch(&ann, &one("price_book_categories", &furnaces), json!({ "parent_id": null }), "").await.ok();
    assert_eq!(tree(&server, &ann).await, ["furnaces 0 1 2", "furnaces.parts 1 1 1", "heating_air 0 0 0", "pipes 0 1 1"]);
    let version = server.get(&ann, &format!("{}&select=version", one("price_book_categories", &parts))).await.ok();
    assert_eq!(version, json!([{ "version": 1 }]), "what others did to its path and counts is no edit");
}

#[tokio::test]
async fn a_tree_has_no_cycles_and_loses_nothing() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let heating = category(&server, &ann, "Heating", None).await;
    let furnaces = category(&server, &ann, "Furnaces", Some(&heating)).await;
    let parts = category(&server, &ann, "Parts", Some(&furnaces)).await;
    let filter = item(&server, &ann, "Filter", &parts).await;
    for below in [&heating, &furnaces, &parts] {
        let moved = server.patch(&ann, &one("price_book_categories", &heating), json!({ "parent_id": below["id"] }), "").await;
        moved.refused(422, "category_cycle");
    }
    let theirs = category(&server, &bob, "Theirs", None).await;
    server.patch(&ann, &one("price_book_categories", &heating), json!({ "parent_id": theirs["id"] }), "").await.refused(409, "23503");
    let elsewhere = json!({ "name": "X", "category_id": theirs["id"] });
    server.post(&ann, "price_book_items", elsewhere, "").await.refused(409, "23503");

    server.delete(&ann, &one("price_book_categories", &heating), "").await.refused(409, "category_has_subcategories");
    server.delete(&ann, &one("price_book_categories", &parts), "").await.refused(409, "category_has_items");
    server.delete(&ann, &one("price_book_items", &filter), "").await.ok();
    server.delete(&ann, &one("price_book_categories", &parts), "").await.refused(409, "category_has_items");
    server.post(&ann, "price_book_categories", json!({ "name": "X", "slug": "No Slug" }), "").await.refused(400, "23514");

    let mut lowest = heating;
    for level in 1..20 {
        lowest = category(&server, &ann, &format!("Level {level}"), Some(&lowest)).await;
    }
    let deeper = json!({ "name": "Deeper", "parent_id": lowest["id"] });
    server.post(&ann, "price_book_categories", deeper, "").await.refused(422, "category_too_deep");
    let root = category(&server, &ann, "Root", None).await;
    category(&server, &ann, "Leaf", Some(&root)).await;
    server
        .patch(&ann, &one("price_book_categories", &root), json!({ "parent_id": lowest["id"] }), "")
        .await
        .refused(422, "category_too_deep");
}

#[tokio::test]
async fn many_categories_come_and_move_in_one_statement() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let ids: Vec<String> = (0..4).map(|n| format!("01900000-0000-7000-8000-00000000000{n}")).collect();
    let row = |n: usize, parent: Option<usize>| json!({ "id": ids[n], "name": format!("C{n}"), "slug": format!("c{n}"), "parent_id": parent.map(|n| &ids[n]) });
    // Children before their parents.
    let rows = json!([row(3, Some(2)), row(2, Some(1)), row(1, Some(0)), row(0, None)]);
    server.post(&ann, "price_book_categories", rows, "").await.ok();
    assert_eq!(tree(&server, &ann).await, ["c0 0 0 0", "c0.c1 1 0 0", "c0.c1.c2 2 0 0", "c0.c1.c2.c3 3 0 0"]);
    item(&server, &ann, "Item", &json!({ "id": ids[3] })).await;
    for cycle in [json!([row(0, Some(3))]), json!([row(1, Some(2)), row(2, Some(1))]), json!([row(1, Some(1))])] {
        let refused = server.post(&ann, "price_book_categories", cycle, "resolution=merge-duplicates").await;
        refused.refused(422, "category_cycle");
    }
    // Turned upside down: on the way there some stand below themselves, at its end none does.
    let rows = json!([row(0, Some(1)), row(1, Some(2)), row(2, Some(3)), row(3, None)]);
    server.post(&ann, "price_book_categories", rows, "resolution=merge-duplicates").await.ok();
    assert_eq!(tree(&server, &ann).await, ["c3 0 1 1", "c3.c2 1 0 0", "c3.c2.c1 2 0 0", "c3.c2.c1.c0 3 0 0"]);
    // Two move, of which one stands below the other.
    let rows = json!([row(1, None), row(3, Some(0)), row(0, Some(1))]);
    server.post(&ann, "price_book_categories", rows, "resolution=merge-duplicates").await.ok();
    assert_eq!(tree(&server, &ann).await, ["c1 0 0 1", "c1.c0 1 0 1", "c1.c0.c3 2 1 1", "c1.c0.c3.c2 3 0 0"]);
}

#[tokio::test]
async fn two_moves_do_not_make_a_cycle_together() {
    let server = Arc::new(Server::new().await);
    let ann = server.owner("ann").await;
    for round in 0..8 {
        let first = category(&server, &ann, &format!("First {round}"), None).await;
        let second = category(&server, &ann, &format!("Second {round}"), None).await;
        let below_first = category(&server, &ann, &format!("Below first {round}"), Some(&first)).await;
        let below_second = category(&server, &ann, &format!("Below second {round}"), Some(&second)).await;
        item(&server, &ann, "Item", &below_first).await;
        let moving = [(&first, &below_second), (&second, &below_first)];
        let moving = moving.map(|(what, to)| ("PATCH", one("price_book_categories", what), json!({ "parent_id": to["id"] })));
        let mut answers = together(&server, &ann, moving.into()).await;
        answers.sort_by_key(|answer| answer.status);
        assert_eq!(answers[0].status, 204, "{}", answers[0].text);
        answers[1].refused(422, "category_cycle");
        let roots =
            server.get(&ann, &format!("price_book_categories?select=level,descendant_item_count&level=eq.0&name=like.*{round}")).await.ok();
        assert_eq!(roots, json!([{ "level": 0, "descendant_item_count": 1 }]));
    }
}

#[tokio::test]
async fn many_at_once_are_counted_exactly() {
    let server = Arc::new(Server::new().await);
    let ann = server.owner("ann").await;
    let heating = category(&server, &ann, "Heating", None).await;
    let leaves = [category(&server, &ann, "A", Some(&heating)).await, category(&server, &ann, "B", Some(&heating)).await];
    let other = category(&server, &ann, "Other", None).await;
    let path = one("price_book_categories", &leaves[0]);
    let mut requests = Vec::new();
    for n in 0..16 {
        let rows: Vec<Value> = (0..5).map(|m| json!({ "name": format!("{n}/{m}"), "category_id": leaves[(n + m) % 2]["id"] })).collect();
        requests.push(("POST", "price_book_items".to_owned(), json!(rows)));
    }
    for parent in [other["id"].clone(), Value::Null, heating["id"].clone()] {
        requests.push(("PATCH", path.clone(), json!({ "parent_id": parent })));
    }
    for answer in together(&server, &ann, requests).await {
        answer.ok();
    }
    let counts = server.get(&ann, "price_book_categories?select=name,item_count,descendant_item_count&order=name").await.ok();
    let own: i64 = counts.as_array().unwrap().iter().map(|row| row["item_count"].as_i64().unwrap()).sum();
    let of =
        |name: &str| counts.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap()["descendant_item_count"].as_i64().unwrap();
    assert_eq!((own, of("A"), of("B")), (80, 40, 40), "{counts}");
    let parent = server.get(&ann, &format!("{path}&select=parent_id")).await.ok()[0]["parent_id"].clone();
    let below = |id: &Value| if parent == *id { 40 } else { 0 };
    assert_eq!((of("Heating"), of("Other")), (40 + below(&heating["id"]), below(&other["id"])), "{counts}");
}

#[tokio::test]
async fn every_price_leaves_its_trace() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let heating = category(&server, &ann, "Heating", None).await;
    let (filter, motor) = (item(&server, &ann, "Filter", &heating).await, item(&server, &ann, "Motor", &heating).await);
    server.patch(&ann, &one("price_book_items", &filter), json!({ "price": 1200 }), "").await.ok();
    server.patch(&ann, &one("price_book_items", &filter), json!({ "name": "Good filter", "price": 1200 }), "").await.ok();
    let changes = json!([{ "id": filter["id"], "price": 1300 }, { "id": motor["id"], "cost": 500, "markup_percent": 20 }]);
    let repriced = server.post(&ann, "rpc/change_prices", json!({ "changes": changes, "reason": "spring" }), "").await.ok();
    assert_eq!(repriced.as_array().unwrap().len(), 2);
    server.patch(&ann, &one("price_book_items", &filter), json!({ "cost": 450 }), "").await.ok();

    let select = "price_history?select=old_price,new_price,old_cost,new_cost,new_markup_percent,change_type,change_reason,changed_by";
    let history = server.get(&ann, &format!("{select}&item_id=eq.{}&order=id", filter["id"].as_str().unwrap())).await.ok();
    let row = |prices: (i64, i64), costs: (i64, i64), kind: &str, reason: Option<&str>| {
        json!({ "old_price": prices.0, "new_price": prices.1, "old_cost": costs.0, "new_cost": costs.1, "new_markup_percent": 0,
                "change_type": kind, "change_reason": reason, "changed_by": ann.user_id })
    };
    let expected = json!([
        row((1000, 1200), (400, 400), "manual", None),
        row((1200, 1300), (400, 400), "bulk_update", Some("spring")),
        row((1300, 1300), (400, 450), "manual", None),
    ]);
    assert_eq!(history, expected);
    let motors = server.get(&ann, &format!("{select}&item_id=eq.{}", motor["id"].as_str().unwrap())).await.ok();
    assert_eq!((&motors[0]["new_cost"], &motors[0]["new_markup_percent"], motors.as_array().unwrap().len()), (&json!(500), &json!(20), 1));

    // All or nothing, and only of one's own.
    let bob = server.owner("bob").await;
    let theirs = json!({ "changes": [{ "id": filter["id"], "price": 1 }] });
    server.post(&bob, "rpc/change_prices", theirs, "").await.refused(404, "price_book_item_not_found");
    let half = json!({ "changes": [{ "id": filter["id"], "price": 1 }, { "id": bob.company_id, "price": 1 }] });
    server.post(&ann, "rpc/change_prices", half, "").await.refused(404, "price_book_item_not_found");
    for wrong in [json!({ "changes": [] }), json!({ "changes": {} }), json!({ "changes": changes, "change_type": "whim" })] {
        server.post(&ann, "rpc/change_prices", wrong, "").await.refused(422, "price_changes_invalid");
    }
    let csr = server.member(&ann.company_id, "csr").await;
    let price = json!({ "changes": [{ "id": filter["id"], "price": 1 }] });
    server.post(&csr, "rpc/change_prices", price, "").await.refused(404, "price_book_item_not_found");
    let prices = server.get(&ann, "price_book_items?select=price&order=name").await.ok();
    assert_eq!(prices, json!([{ "price": 1300 }, { "price": 1000 }]));

    for who in [&ann, &server.service().working_in(&ann.company_id)] {
        server.patch(who, "price_history?new_price=eq.1200", json!({ "new_price": 1 }), "").await.refused(403, "42501");
        server.delete(who, "price_history?new_price=eq.1200", "").await.refused(403, "42501");
    }
    let superuser = server.db.superuser().await;
    for write in ["update public.price_history set new_price = 1", "delete from public.price_history"] {
        let refused = superuser.batch_execute(write).await.unwrap_err();
        assert_eq!(refused.as_db_error().unwrap().constraint(), Some("record_immutable"), "{write}");
    }
}

#[tokio::test]
async fn rules_say_what_they_mean() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let heating = category(&server, &ann, "Heating", None).await;
    let good = [
        json!({ "applies_to": "category", "category_filter": [heating["id"]], "days_of_week": [0, 6] }),
        json!({ "applies_to": "customer_type", "customer_type_filter": ["commercial"], "time_ranges": [{ "start": "18:00", "end": "24:00" }] }),
        json!({ "rule_type": "discount", "adjustment_type": "fixed_amount", "adjustment_value": 2500, "days_of_week": null }),
        json!({ "rule_type": "minimum_charge", "adjustment_type": "fixed_amount", "minimum_quantity": 1, "maximum_quantity": 1 }),
    ];
    let rule = |more: &Value| {
        let mut row = json!({ "name": "Rule", "rule_type": "markup", "adjustment_type": "percentage", "adjustment_value": 20 });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    for more in &good {
        let made = server.post(&ann, "pricing_rules", rule(more), "").await;
        assert_eq!(made.status, 201, "{more}: {}", made.text);
    }
    let bad = [
        (json!({ "applies_to": "category" }), "pricing_rule_filter_invalid"),
        (json!({ "applies_to": "item", "category_filter": [heating["id"]] }), "pricing_rule_filter_invalid"),
        (json!({ "category_filter": ["heating"] }), "pricing_rule_filter_invalid"),
        (json!({ "category_filter": [] }), "pricing_rule_filter_invalid"),
        (json!({ "item_filter": { "id": heating["id"] } }), "pricing_rule_filter_invalid"),
        (json!({ "customer_type_filter": ["rich"] }), "pricing_rule_filter_invalid"),
        (json!({ "days_of_week": [7] }), "pricing_rule_days_invalid"),
        (json!({ "days_of_week": [1, 1] }), "pricing_rule_days_invalid"),
        (json!({ "days_of_week": ["monday"] }), "pricing_rule_days_invalid"),
        (json!({ "days_of_week": 3 }), "pricing_rule_days_invalid"),
        (json!({ "time_ranges": [{ "start": "18:00", "end": "06:00" }] }), "pricing_rule_times_invalid"),
        (json!({ "time_ranges": [{ "start": "6:00", "end": "07:00" }] }), "pricing_rule_times_invalid"),
        (json!({ "time_ranges": ["18:00"] }), "pricing_rule_times_invalid"),
        (json!({ "rule_type": "discount", "adjustment_value": 101 }), "pricing_rule_value_invalid"),
        (json!({ "adjustment_value": -1 }), "pricing_rule_value_invalid"),
        (json!({ "rule_type": "minimum_charge" }), "pricing_rule_value_invalid"),
        (json!({ "minimum_quantity": 2, "maximum_quantity": 1 }), "pricing_rule_value_invalid"),
    ];
    for (more, code) in &bad {
        let made = server.post(&ann, "pricing_rules", rule(more), "").await;
        assert_eq!((made.status, made.body["code"].as_str()), (422, Some(*code)), "{more}: {}", made.text);
    }
}

#[tokio::test]
async fn packages_and_rates_name_what_there_is() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let heating = category(&server, &ann, "Heating", None).await;
    let filter = item(&server, &ann, "Filter", &heating).await;
    let theirs = item(&server, &bob, "Filter", &category(&server, &bob, "Heating", None).await).await;
    let package = |items: Value| json!({ "name": "Tune-up", "price_book_item_id": filter["id"], "included_items": items });
    let good = json!([{ "item_id": filter["id"], "quantity": 1.5, "notes": "the good one" }]);
    enter(&server, &ann, "service_packages", package(good)).await;
    for (items, status, code) in [
        (json!([{ "item_id": filter["id"] }]), 422, "service_package_items_invalid"),
        (json!([{ "item_id": filter["id"], "quantity": 0 }]), 422, "service_package_items_invalid"),
        (json!([{ "item_id": "filter", "quantity": 1 }]), 422, "service_package_items_invalid"),
        (json!(["filter"]), 422, "service_package_items_invalid"),
        (json!({}), 400, "23514"),
        (json!([{ "item_id": theirs["id"], "quantity": 1 }]), 422, "service_package_item_unknown"),
    ] {
        server.post(&ann, "service_packages", package(items), "").await.refused(status, code);
    }

    let rate = |more: Value| {
        let mut row = json!({ "name": "Rate", "rate": 12_000 });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    for wrong in [
        json!({ "applies_to": "specific_techs" }),
        json!({ "technician_ids": ["ann"] }),
        json!({ "applies_to": "specific_services", "service_categories": [] }),
    ] {
        server.post(&ann, "labor_rates", rate(wrong), "").await.refused(422, "labor_rate_filter_invalid");
    }
    let inactive = rate(json!({ "is_default": true, "is_active": false }));
    server.post(&ann, "labor_rates", inactive, "").await.refused(422, "labor_rate_default_inactive");
    // The last one that is made the default is it.
    let first = enter(&server, &ann, "labor_rates", rate(json!({ "is_default": true, "name": "First" }))).await;
    enter(&server, &ann, "labor_rates", rate(json!({ "is_default": true, "name": "Second" }))).await;
    enter(&server, &bob, "labor_rates", rate(json!({ "is_default": true, "name": "Theirs" }))).await;
    let default = "labor_rates?is_default=eq.true&select=name";
    assert_eq!(server.get(&ann, default).await.ok(), json!([{ "name": "Second" }]));
    server.patch(&ann, &one("labor_rates", &first), json!({ "is_default": true }), "").await.ok();
    assert_eq!(server.get(&ann, default).await.ok(), json!([{ "name": "First" }]));
    assert_eq!(server.get(&bob, default).await.ok(), json!([{ "name": "Theirs" }]));
    // A row that is there and left alone takes it from nobody; merged it does.
    let again = |name: &str, id: &Value| rate(json!({ "id": id, "is_default": true, "name": name }));
    let second = server.get(&ann, "labor_rates?name=eq.Second").await.ok()[0]["id"].clone();
    for (prefer, expected) in [("resolution=ignore-duplicates", "First"), ("resolution=merge-duplicates", "Second")] {
        server.post(&ann, "labor_rates", again("Second", &second), prefer).await.ok();
        assert_eq!(server.get(&ann, default).await.ok(), json!([{ "name": expected }]), "{prefer}");
    }
}
