//! Related rows inside of rows: every sort of relationship, what is asked of it, and how it is shown.

use data_api::{DataApiConfig, EmbedNames};
use serde_json::json;

use crate::server::{Said, Server};
use crate::yard::{check, yards, yards_with};

#[tokio::test]
async fn one_many_and_many_to_many() {
    let (server, ann) = Box::pin(yards()).await;
    let cases = [
        (
            "vans?select=name,yards!vans_yard_key(name)&id=in.(10,12)&order=id",
            json!([
                { "name": "Blue", "yards": { "name": "North" } }, { "name": "Green", "yards": null },
            ]),
        ),
        (
            "yards?select=name,vans!vans_yard_key(id)&order=id&vans.order=id.desc",
            json!([
                { "name": "North", "vans": [{ "id": 11 }, { "id": 10 }] }, { "name": "South", "vans": [] },
            ]),
        ),
        (
            "vans?select=id,drivers(name)&order=id&drivers.order=name",
            json!([
                { "id": 10, "drivers": [{ "name": "Ada" }, { "name": "Bob" }] },
                { "id": 11, "drivers": [{ "name": "Ada" }] },
                { "id": 12, "drivers": [] },
            ]),
        ),
        ("drivers?select=name,vans(id)&name=eq.Ada&vans.order=id", json!([{ "name": "Ada", "vans": [{ "id": 10 }, { "id": 11 }] }])),
        (
            "vans?select=id,papers(valid_until)&order=id&limit=2",
            json!([
                { "id": 10, "papers": { "valid_until": "2027-01-31" } }, { "id": 11, "papers": null },
            ]),
        ),
    ];
    check(&server, &ann, &cases).await;
    let whole = server.get(&ann, "papers?select=*,vans(*)").await.ok();
    assert_eq!((&whole[0]["van_id"], &whole[0]["vans"]["name"]), (&json!(10), &json!("Blue")));
}

#[tokio::test]
async fn a_hint_or_another_name_chooses_the_key() {
    let (server, ann) = Box::pin(yards()).await;
    let north = json!([{ "id": 10, "x": { "name": "North" } }]);
    let south = json!([{ "id": 10, "x": { "name": "South" } }]);
    check(
        &server,
        &ann,
        &[
            ("vans?id=eq.10&select=id,x:yards!vans_yard_key(name)", north.clone()),
            ("vans?id=eq.10&select=id,x:yards!yard_id(name)", north.clone()),
            ("vans?id=eq.10&select=id,x:yard_id(name)", north.clone()),
            ("vans?id=eq.10&select=id,x:vans_yard_key(name)", north.clone()),
            ("vans?id=eq.10&select=id,x:yards!spare_yard_id(name)", south.clone()),
            ("vans?id=eq.10&select=id,x:spare_yard_id!inner(name)", south.clone()),
            // Names that the key has in other places.
            ("vans?id=eq.10&select=id,x:yards!vans_yard_id_fkey(name)", north.clone()),
            ("vans?id=eq.10&select=id,x:yards!vans_yard_id_yards_id_fk(name)", north.clone()),
            ("vans?id=eq.10&select=id,x:vans_spare_yard_id_yards_id_fk(name)", south),
            ("yards?id=eq.1&select=id,x:vans!yard_id(id)&x.order=id", json!([{ "id": 1, "x": [{ "id": 10 }, { "id": 11 }] }])),
            ("yards?id=eq.2&select=id,x:vans!spare_yard_id(id)", json!([{ "id": 2, "x": [{ "id": 10 }] }])),
            ("drivers?id=eq.21&select=x:vans!van_drivers(id)", json!([{ "x": [{ "id": 10 }] }])),
        ],
    )
    .await;
    let both = server.get(&ann, "vans?id=eq.10&select=at:yards!yard_id(name),spare:yards!spare_yard_id(name)").await.ok();
    assert_eq!(both, json!([{ "at": { "name": "North" }, "spare": { "name": "South" } }]));
}

#[tokio::test]
async fn a_table_may_lead_to_itself() {
    let (server, ann) = Box::pin(yards()).await;
    check(
        &server,
        &ann,
        &[
            ("vans?id=eq.11&select=id,towed_by(name)", json!([{ "id": 11, "towed_by": { "name": "Blue" } }])),
            ("vans?id=eq.10&select=id,towed:vans(id)&towed.order=id", json!([{ "id": 10, "towed": [{ "id": 11 }, { "id": 12 }] }])),
            (
                "vans?id=eq.10&select=id,towed:vans!towed_by(id,back:towed_by(id,again:vans!vans_towed_by_fkey(id)))&towed.id=eq.11&towed.back.again.id=eq.12",
                json!([{ "id": 10, "towed": [{ "id": 11, "back": { "id": 10, "again": [{ "id": 12 }] } }] }]),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn views_and_functions_lead_to_tables() {
    let (server, ann) = Box::pin(yards()).await;
    check(
        &server,
        &ann,
        &[
            (
                "parked?select=label,yards(name)&order=id",
                json!([
                    { "label": "Blue", "yards": { "name": "North" } }, { "label": "Red", "yards": { "name": "North" } },
                ]),
            ),
            (
                "yards?select=id,parked(label)&order=id&parked.order=label",
                json!([
                    { "id": 1, "parked": [{ "label": "Blue" }, { "label": "Red" }] }, { "id": 2, "parked": [] },
                ]),
            ),
            (
                "parked?select=id,papers(valid_until),drivers(name)&id=eq.11",
                json!([{ "id": 11, "papers": null, "drivers": [{ "name": "Ada" }] }]),
            ),
            (
                "yards?select=id,best_van(name)&order=id",
                json!([
                    { "id": 1, "best_van": { "name": "Blue" } }, { "id": 2, "best_van": null },
                ]),
            ),
            (
                "yards?select=id,all_vans(name,drivers(name))&all_vans.name=eq.Red&order=id",
                json!([
                    { "id": 1, "all_vans": [{ "name": "Red", "drivers": [{ "name": "Ada" }] }] }, { "id": 2, "all_vans": [] },
                ]),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn filters_orders_and_parts_of_what_is_embedded() {
    let (server, ann) = Box::pin(yards()).await;
    check(
        &server,
        &ann,
        &[
            ("yards?id=eq.1&select=v:vans!yard_id(name)&v.name=eq.Red", json!([{ "v": [{ "name": "Red" }] }])),
            ("yards?id=eq.1&select=v:vans!yard_id(name)&vans.name=eq.Red", json!([{ "v": [{ "name": "Red" }] }])),
            ("yards?id=eq.1&select=v:vans!yard_id(name)&v.or=(id.eq.11,name.eq.Pink)", json!([{ "v": [{ "name": "Red" }] }])),
            ("yards?id=eq.1&select=v:vans!yard_id(name)&v.not.and=(id.eq.11)", json!([{ "v": [{ "name": "Blue" }] }])),
            ("yards?id=eq.1&select=v:vans!yard_id(name)&v.order=name.desc&v.limit=1", json!([{ "v": [{ "name": "Red" }] }])),
            ("yards?id=eq.1&select=v:vans!yard_id(name)&v.order=name&v.limit=5&v.offset=1", json!([{ "v": [{ "name": "Red" }] }])),
            ("yards?id=eq.1&select=v:vans!yard_id(name)&v.limit=0", json!([{ "v": [] }])),
            ("vans?id=eq.10&select=yard_id(name)&yard_id.name=eq.South", json!([{ "yard_id": null }])),
            (
                "yards?id=eq.1&select=v:vans!yard_id(id,drivers(name))&v.drivers.name=eq.Bob&v.order=id",
                json!([
                    { "v": [{ "id": 10, "drivers": [{ "name": "Bob" }] }, { "id": 11, "drivers": [] }] },
                ]),
            ),
            ("vans?id=eq.10&select=yard_id(zip:place->>zip,n:id::text)", json!([{ "yard_id": { "zip": "10", "n": "1" } }])),
            (
                "yards?select=id,v:vans!yard_id(count)&order=id",
                json!([{ "id": 1, "v": [{ "count": 2 }] }, { "id": 2, "v": [{ "count": 0 }] }]),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_table_that_has_an_alias_is_warned_about_under_its_own_name() {
    let (server, ann) = Box::pin(yards()).await;
    let said = |names: &str| {
        format!(
            "299 thorbis \"Embedded resource was referenced by relation name even though it has an alias. This is deprecated and will stop \
             working in a future release. Update {names} in query string filters, orders or limits.\""
        )
    };
    for (path, names) in [
        ("yards?id=eq.1&select=v:vans!yard_id(name)&v.name=eq.Red", None),
        ("yards?id=eq.1&select=vans!yard_id(name)&vans.name=eq.Red", None),
        ("yards?id=eq.1&select=v:vans!yard_id(name)&vans.name=eq.Red&vans.limit=1", Some("`vans` to `v`")),
        ("yards?select=v:vans!yard_id(name,d:drivers(name))&vans.order=name&v.drivers.limit=1", Some("`vans` to `v`, `drivers` to `d`")),
    ] {
        let answer = server.get(&ann, path).await;
        assert_eq!((answer.status, answer.header("warning")), (200, names.map(said).unwrap_or_default().as_str()), "{path}");
    }

    let (strict, ann) = Box::pin(yards_with(DataApiConfig { embed_names: EmbedNames::AliasOnly, ..DataApiConfig::default() })).await;
    let refused = strict.get(&ann, "yards?id=eq.1&select=v:vans!yard_id(name)&vans.name=eq.Red").await;
    assert_eq!((refused.status, &refused.body["code"]), (400, &json!("PGRST108")), "{}", refused.text);
    strict.get(&ann, "yards?id=eq.1&select=v:vans!yard_id(name)&v.name=eq.Red").await.ok();
    strict.get(&ann, "yards?id=eq.1&select=vans!yard_id(name)&vans.name=eq.Red").await.ok();
}

#[tokio::test]
async fn what_is_embedded_decides_which_rows_there_are() {
    let (server, ann) = Box::pin(yards()).await;
    check(
        &server,
        &ann,
        &[
            ("yards?select=name,vans!yard_id!inner(id)&vans.id=eq.11", json!([{ "name": "North", "vans": [{ "id": 11 }] }])),
            ("yards?select=name,vans!inner!yard_id()", json!([{ "name": "North" }])),
            (
                "vans?select=id,yards!yard_id!inner(name)&yards.name=eq.North&order=id",
                json!([
                    { "id": 10, "yards": { "name": "North" } }, { "id": 11, "yards": { "name": "North" } },
                ]),
            ),
            (
                "yards?select=name,vans!yard_id!left(id)&vans.id=eq.77&order=id",
                json!([
                    { "name": "North", "vans": [] }, { "name": "South", "vans": [] },
                ]),
            ),
            ("vans?select=id,drivers!inner(name)&drivers.name=eq.Bob", json!([{ "id": 10, "drivers": [{ "name": "Bob" }] }])),
            ("vans?select=id,drivers()&drivers=is.null", json!([{ "id": 12 }])),
            ("vans?select=id,drivers()&drivers=not.is.null&order=id", json!([{ "id": 10 }, { "id": 11 }])),
            ("vans?select=id,drivers()&drivers=is.not_null&drivers.name=eq.Bob", json!([{ "id": 10 }])),
            ("vans?select=id,d:drivers(),p:papers()&or=(d.is.null,p.not.is.null)&order=id", json!([{ "id": 10 }, { "id": 12 }])),
            (
                "yards?select=id,v:vans!yard_id!inner(id,drivers!inner(name))&v.drivers.name=eq.Bob",
                json!([
                    { "id": 1, "v": [{ "id": 10, "drivers": [{ "name": "Bob" }] }] },
                ]),
            ),
            ("yards?select=id,best_van!inner(id)", json!([{ "id": 1, "best_van": { "id": 10 } }])),
            (
                "vans?select=id,y:yard_id(name)&order=y(name).desc.nullslast,id.desc",
                json!([
                    { "id": 11, "y": { "name": "North" } }, { "id": 10, "y": { "name": "North" } }, { "id": 12, "y": null },
                ]),
            ),
            ("vans?select=id,yard_id()&order=yard_id(place->>zip).nullsfirst,id", json!([{ "id": 12 }, { "id": 10 }, { "id": 11 }])),
            ("vans?select=drivers()&id=eq.10", json!([{}])),
        ],
    )
    .await;
    let counted = Said { prefer: "count=exact", ..Said::default() };
    let answer = server.get_with(&ann, "vans?select=id,drivers!inner(id)&limit=1", counted).await;
    assert_eq!((answer.status, answer.header("content-range")), (206, "0-0/2"));
    let answer = server.get_with(&ann, "yards?select=id,vans!yard_id(id)", counted).await;
    assert_eq!((answer.status, answer.header("content-range")), (200, "0-1/2"));
}

#[tokio::test]
async fn columns_may_be_spread_over_the_row() {
    let (server, ann) = Box::pin(yards()).await;
    check(
        &server,
        &ann,
        &[
            (
                "vans?select=id,...yard_id(yard:name)&order=id",
                json!([
                    { "id": 10, "yard": "North" }, { "id": 11, "yard": "North" }, { "id": 12, "yard": null },
                ]),
            ),
            ("papers?select=van_id,...vans(van:name,...yard_id(yard:name))", json!([{ "van_id": 10, "van": "Blue", "yard": "North" }])),
            (
                "yards?select=name,...vans!yard_id(ids:id,towed_by)&order=id&vans.order=id",
                json!([
                    { "name": "North", "ids": [10, 11], "towed_by": [null, 10] }, { "name": "South", "ids": [], "towed_by": [] },
                ]),
            ),
            ("vans?select=id,...drivers(drivers:name)&id=eq.10&drivers.order=name.desc", json!([{ "id": 10, "drivers": ["Bob", "Ada"] }])),
            (
                "yards?id=eq.1&select=...vans!yard_id(id,...drivers(who:name))&vans.order=id&vans.drivers.order=name",
                json!([
                    { "id": [10, 11], "who": [["Ada", "Bob"], ["Ada"]] },
                ]),
            ),
            (
                "vans?select=id,...yard_id!inner(yard:name,vans!yard_id(id))&id=eq.11&yard_id.vans.order=id",
                json!([
                    { "id": 11, "yard": "North", "vans": [{ "id": 10 }, { "id": 11 }] },
                ]),
            ),
        ],
    )
    .await;
    let everything = server.get(&ann, "papers?select=valid_until,...vans(*)").await.ok();
    assert_eq!((&everything[0]["name"], &everything[0]["valid_until"]), (&json!("Blue"), &json!("2027-01-31")));
}

#[tokio::test]
async fn other_forms_of_the_answer_have_what_is_embedded_too() {
    let (server, ann) = Box::pin(yards()).await;
    let one = Said { accept: "application/vnd.pgrst.object+json", ..Said::default() };
    let answer = server.get_with(&ann, "vans?id=eq.10&select=id,yard_id(name)", one).await;
    assert_eq!((answer.status, answer.body), (200, json!({ "id": 10, "yard_id": { "name": "North" } })));
    let stripped = Said { accept: "application/vnd.pgrst.array+json;nulls=stripped", ..Said::default() };
    let answer = server.get_with(&ann, "vans?id=eq.12&select=id,yard_id(name)", stripped).await;
    assert_eq!((answer.status, answer.body), (200, json!([{ "id": 12 }])));
    let csv = Said { accept: "text/csv", ..Said::default() };
    let answer = server.get_with(&ann, "vans?select=id,...yard_id(yard:name)&order=id&limit=1", csv).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "id,yard\n10,North"));
}

#[tokio::test]
async fn a_second_way_stands_aside_until_it_is_named() {
    let (server, ann) = Box::pin(yards()).await;
    server.get(&ann, "vans?id=eq.10&select=id,yards(name)").await.refused(300, "PGRST201");
    server.table("comment on constraint vans_spare_yard_id_fkey on public.vans is '@named_only Where it may be, too.'").await;
    check(
        &server,
        &ann,
        &[
            ("vans?id=eq.10&select=id,yards(name)", json!([{ "id": 10, "yards": { "name": "North" } }])),
            ("vans?id=eq.10&select=id,yards!spare_yard_id(name)", json!([{ "id": 10, "yards": { "name": "South" } }])),
            ("vans?id=eq.10&select=id,spare_yard_id(name)", json!([{ "id": 10, "spare_yard_id": { "name": "South" } }])),
            ("yards?select=name,vans(id)&name=eq.South", json!([{ "name": "South", "vans": [] }])),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_tables_of_the_trade_lead_to_each_other_by_their_names() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let customer = server.customer(&ann, "Ada").await;
    let job = json!({ "customer_id": customer, "title": "Boiler" });
    server.post(&ann, "jobs", job, "").await;
    let answer =
        server.get(&ann, "jobs?select=title,customers(first_name),estimates(id),invoices(id),equipment(id),schedules(id)").await.ok();
    let expected = json!([{
        "title": "Boiler", "customers": { "first_name": "Ada" }, "estimates": [], "invoices": [], "equipment": [], "schedules": []
    }]);
    assert_eq!(answer, expected);
    for path in [
        "customers?select=jobs(title),properties(id),estimates(id),invoices(id),payments(id),equipment(id),service_plans(id),contracts(id)",
        "customers?select=customer_addresses(id),customer_contacts(id)",
        "stock_moves?select=inventory_locations(id)",
        "invoices?select=customers(first_name),jobs(title),invoice_line_items(id),payments(id),estimates(id)",
        "estimates?select=customers(first_name),jobs(title),estimate_line_items(id),estimate_options(id),invoices(id)",
        "equipment?select=customers(first_name),properties(id),jobs(title)",
        "schedules?select=customers(first_name),jobs(title),properties(id)",
        "properties?select=customers(first_name),jobs(title),equipment(id)",
        "payments?select=customers(first_name),invoices(id),jobs(title)",
        "purchase_orders?select=vendors(id),purchase_order_line_items(id),jobs(title)",
        "price_book_items?select=price_book_categories(id)",
    ] {
        let answer = server.get(&ann, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
}
