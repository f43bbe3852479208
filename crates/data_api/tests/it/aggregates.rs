//! Aggregates: over rows, over what is embedded and spread, behind casts and paths; and what the other columns do to them.

use data_api::DataApiConfig;
use serde_json::json;

use crate::server::{Caller, Said, Server};
use crate::yard::check;

const TABLES: &str = "
create table public.depots (
  company_id uuid not null default app.company_id(), id integer not null, name text not null, city text, primary key (company_id, id));
create table public.costs (
  company_id uuid not null default app.company_id(), id integer not null, depot_id integer, kind text not null, amount numeric not null,
  data jsonb, spent_at timestamptz not null, primary key (company_id, id),
  foreign key (company_id, depot_id) references public.depots (company_id, id));
select app.protect('public.depots', 'customers');
select app.protect('public.costs', 'customers');
create function public.costs_above(limit_amount numeric) returns setof public.costs language sql stable
  as $$ select * from public.costs where amount > limit_amount $$;
create function public.steps(n integer) returns table (step integer, half numeric) language sql stable
  as $$ select i / 2, i / 2.0 from generate_series(1, n) i $$;
grant execute on function public.costs_above, public.steps to anon, authenticated, service_role;";

const FULL: &str = "return=representation";

/// Two depots of one company with four costs, and one cost of no depot.
async fn depots() -> (Server, Caller) {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.table(TABLES).await;
    let depots = json!([{ "id": 1, "name": "North", "city": "Oslo" }, { "id": 2, "name": "South", "city": "Rome" }]);
    assert_eq!(server.post(&ann, "depots", depots, "").await.status, 201);
    let costs = json!([
        { "id": 1, "depot_id": 1, "kind": "fuel", "amount": 10, "data": { "km": 100, "who": "Ada" }, "spent_at": "2026-01-01T08:00:00Z" },
        { "id": 2, "depot_id": 1, "kind": "fuel", "amount": 20, "data": { "km": 50, "who": "Bob" }, "spent_at": "2026-01-01T09:00:00Z" },
        { "id": 3, "depot_id": 1, "kind": "tyre", "amount": 30, "data": { "who": "Ada" }, "spent_at": "2026-01-02T08:00:00Z" },
        { "id": 4, "depot_id": 2, "kind": "fuel", "amount": 40, "data": { "km": 7, "who": "Cem" }, "spent_at": "2026-01-02T08:00:00Z" },
        { "id": 5, "depot_id": null, "kind": "tyre", "amount": 50, "data": null, "spent_at": "2026-01-03T08:00:00Z" },
    ]);
    let entered = server.post(&ann, "costs", costs, "").await;
    assert_eq!(entered.status, 201, "{}", entered.text);
    (server, ann)
}

#[tokio::test]
async fn over_all_rows() {
    let (server, ann) = Box::pin(depots()).await;
    let cases = [
        ("costs?select=count()", json!([{ "count": 5 }])),
        (
            "costs?select=amount.sum(),amount.avg(),amount.min(),amount.max(),depot_id.count()",
            json!([
                { "sum": 150, "avg": 30.0, "min": 10, "max": 50, "count": 4 },
            ]),
        ),
        ("costs?select=total:amount.sum(),rows:count()&kind=eq.fuel", json!([{ "total": 70, "rows": 3 }])),
        ("costs?select=count()&id=gt.99", json!([{ "count": 0 }])),
        ("costs?select=amount.sum()&id=gt.99", json!([{ "sum": null }])),
        ("costs?select=amount.sum()::text,n:count()::text", json!([{ "sum": "150", "n": "5" }])),
        (
            "costs?select=amount::int.max(),data->km::int.sum(),longest:data->>who.max()",
            json!([{ "max": 50, "sum": 157, "longest": "Cem" }]),
        ),
    ];
    check(&server, &ann, &cases).await;
}

#[tokio::test]
async fn the_other_columns_are_what_rows_are_grouped_by() {
    let (server, ann) = Box::pin(depots()).await;
    let cases = [
        ("costs?select=kind,amount.sum()&order=kind", json!([{ "kind": "fuel", "sum": 70 }, { "kind": "tyre", "sum": 80 }])),
        ("costs?select=count(),sort:kind&order=kind.desc&limit=1", json!([{ "count": 2, "sort": "tyre" }])),
        (
            "costs?select=who:data->>who,count()&order=data->>who.desc.nullslast",
            json!([
                { "who": "Cem", "count": 1 }, { "who": "Bob", "count": 1 }, { "who": "Ada", "count": 2 }, { "who": null, "count": 1 },
            ]),
        ),
        (
            "costs?select=day:spent_at::date,count()&order=spent_at",
            json!([
                { "day": "2026-01-01", "count": 2 }, { "day": "2026-01-02", "count": 2 }, { "day": "2026-01-03", "count": 1 },
            ]),
        ),
        (
            "depots?select=*,count()&order=id&limit=1",
            json!([
                { "company_id": ann.company_id, "id": 1, "name": "North", "city": "Oslo", "count": 1 },
            ]),
        ),
    ];
    check(&server, &ann, &cases).await;
    server.get(&ann, "costs?select=kind,count()&order=amount").await.refused(400, "42803");
}

#[tokio::test]
async fn inside_of_what_is_embedded() {
    let (server, ann) = Box::pin(depots()).await;
    let cases = [
        (
            "depots?select=name,costs(count())&order=name",
            json!([
                { "name": "North", "costs": [{ "count": 3 }] }, { "name": "South", "costs": [{ "count": 1 }] },
            ]),
        ),
        (
            "depots?select=name,costs(kind,amount.sum())&order=name&costs.order=kind&costs.amount=lt.40",
            json!([
                { "name": "North", "costs": [{ "kind": "fuel", "sum": 30 }, { "kind": "tyre", "sum": 30 }] },
                { "name": "South", "costs": [] },
            ]),
        ),
    ];
    check(&server, &ann, &cases).await;
    // One row that is embedded is something to group by, too; in which order they come is not said.
    let rows = server.get(&ann, "costs?select=depots(city),amount.sum()&depot_id=not.is.null").await.ok();
    let mut rows = rows.as_array().unwrap().clone();
    rows.sort_by_key(|row| row["sum"].as_i64());
    assert_eq!(json!(rows), json!([{ "depots": { "city": "Rome" }, "sum": 40 }, { "depots": { "city": "Oslo" }, "sum": 60 }]));
    server.get(&ann, "costs?select=depots(city),amount.sum()&order=depots(city)").await.refused(400, "42803");
}

#[tokio::test]
async fn what_one_row_spreads_is_grouped_and_aggregated_around_it() {
    let (server, ann) = Box::pin(depots()).await;
    let cases = [
        (
            "costs?select=amount.sum(),...depots(city)&order=depots(city).nullslast",
            json!([
                { "sum": 60, "city": "Oslo" }, { "sum": 40, "city": "Rome" }, { "sum": 50, "city": null },
            ]),
        ),
        (
            "costs?select=kind,...depots(name.max(),depots:count(),first:id.min()::text)&order=kind",
            json!([
                { "kind": "fuel", "max": "South", "depots": 3, "first": "1" }, { "kind": "tyre", "max": "North", "depots": 1, "first": "1" },
            ]),
        ),
        (
            "costs?select=...depots!inner(place:city,costs(count())),count()&order=depots(city)",
            json!([
                { "place": "Oslo", "costs": [{ "count": 3 }], "count": 3 }, { "place": "Rome", "costs": [{ "count": 1 }], "count": 1 },
            ]),
        ),
    ];
    check(&server, &ann, &cases).await;
}

#[tokio::test]
async fn what_many_rows_spread_is_aggregated_inside() {
    let (server, ann) = Box::pin(depots()).await;
    let cases = [
        (
            "depots?select=name,...costs(amount.sum(),rows:count())&order=name",
            json!([
                { "name": "North", "sum": [60], "rows": [3] }, { "name": "South", "sum": [40], "rows": [1] },
            ]),
        ),
        (
            "depots?select=name,...costs(kind,amount.sum())&order=name&costs.order=kind.desc",
            json!([
                { "name": "North", "kind": ["tyre", "fuel"], "sum": [30, 30] }, { "name": "South", "kind": ["fuel"], "sum": [40] },
            ]),
        ),
        ("depots?select=count(),...costs(kind)&costs.id=eq.99", json!([{ "count": 2, "kind": [] }])),
    ];
    check(&server, &ann, &cases).await;
}

#[tokio::test]
async fn a_count_beside_is_of_the_rows_and_not_of_the_groups() {
    let (server, ann) = Box::pin(depots()).await;
    let said = Said { prefer: "count=exact", ..Said::default() };
    let answer = server.get_with(&ann, "costs?select=kind,count()&order=kind", said).await;
    assert_eq!((answer.status, answer.header("content-range")), (206, "0-1/5"));
    let object = Said { accept: "application/vnd.pgrst.object+json", ..Said::default() };
    assert_eq!(server.get_with(&ann, "costs?select=count()", object).await.ok(), json!({ "count": 5 }));
    let csv = Said { accept: "text/csv", ..Said::default() };
    assert_eq!(server.get_with(&ann, "costs?select=kind,amount.sum()&order=kind", csv).await.text, "kind,sum\nfuel,70\ntyre,80");
}

#[tokio::test]
async fn of_functions_and_of_what_was_written() {
    let (server, ann) = Box::pin(depots()).await;
    let cases = [
        (
            "rpc/costs_above?limit_amount=15&select=kind,amount.sum()&order=kind",
            json!([{ "kind": "fuel", "sum": 60 }, { "kind": "tyre", "sum": 80 }]),
        ),
        (
            "rpc/costs_above?limit_amount=15&select=amount.sum(),...depots(city)&order=depots(city).nullsfirst",
            json!([
                { "sum": 50, "city": null }, { "sum": 50, "city": "Oslo" }, { "sum": 40, "city": "Rome" },
            ]),
        ),
        (
            "rpc/steps?n=4&select=step,half.sum()&order=step",
            json!([
                { "step": 0, "sum": 0.5 }, { "step": 1, "sum": 2.5 }, { "step": 2, "sum": 2.0 },
            ]),
        ),
    ];
    check(&server, &ann, &cases).await;
    let raised = server.patch(&ann, "costs?kind=eq.fuel&select=kind,count(),amount.sum()", json!({ "amount": 5 }), FULL).await;
    assert_eq!(raised.ok(), json!([{ "kind": "fuel", "count": 3, "sum": 15 }]));
    let strict = "return=representation,handling=strict,max-affected=2";
    let too_many = server.patch(&ann, "costs?kind=eq.fuel&select=count()", json!({ "amount": 6 }), strict).await;
    too_many.refused(400, "PGRST124");
    let object = Said { prefer: FULL, accept: "application/vnd.pgrst.object+json", ..Said::default() };
    assert_eq!(server.call(&ann, ("DELETE", "costs?kind=eq.fuel&select=count()"), None, object).await.ok(), json!({ "count": 3 }));
}

#[tokio::test]
async fn another_company_is_not_in_any_of_them() {
    let (server, _ann) = Box::pin(depots()).await;
    let bob = server.owner("bob").await;
    assert_eq!(server.post(&bob, "depots", json!({ "id": 1, "name": "East" }), "").await.status, 201);
    let cases = [
        ("costs?select=count(),amount.max()", json!([{ "count": 0, "max": null }])),
        ("depots?select=name,costs(count())", json!([{ "name": "East", "costs": [{ "count": 0 }] }])),
        ("rpc/costs_above?limit_amount=0&select=count()", json!([{ "count": 0 }])),
    ];
    check(&server, &bob, &cases).await;
    let nobody = server.get(&Server::nobody(), "costs?select=count()").await;
    assert_eq!(nobody.status, 401, "{}", nobody.text);
}

#[tokio::test]
async fn where_they_are_not_allowed() {
    let server = Server::with(DataApiConfig { aggregates_enabled: false, ..DataApiConfig::default() }).await;
    let ann = server.owner("ann").await;
    for select in ["count()", "first_name,credit_limit.sum()", "id,jobs(count())", "id,...jobs(title.max())"] {
        let answer = server.get(&ann, &format!("customers?select={select}")).await;
        assert_eq!(answer.status, 400, "{select}: {}", answer.text);
        let expected = json!({ "code": "PGRST123", "message": "Use of aggregate functions is not allowed", "details": null, "hint": null });
        assert_eq!(answer.body, expected, "{select}");
    }
}
