//! What a company has subscribed to: who is told what, who sets it, what a debt walls, and how many people there may be.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::server::{Answer, Caller, Said, Server};
use crate::together::together;

const FULL: &str = "return=representation";

async fn told(server: &Server, who: &Caller) -> Value {
    server.post(who, "rpc/company_subscription", json!({}), "").await.ok()
}

async fn set(server: &Server, company: &str, mut wanted: Value) -> Value {
    wanted["company_id"] = json!(company);
    server.post(&server.service(), "rpc/set_company_subscription", wanted, "").await.ok()
}

/// Puts a moment of a company's subscription where the service may: days before now.
async fn days_ago(server: &Server, company: &str, column: &str, days: u32) {
    let sql = format!("update public.companies set {column} = now() - interval '{days} days' where id = '{company}'");
    server.db.superuser().await.batch_execute(&sql).await.unwrap();
}

async fn enter(server: &Server, who: &Caller) -> Answer {
    server.post(who, "customers", json!({ "phone": "+15550100", "first_name": "Ada", "last_name": "X" }), "").await
}

async fn event(server: &Server, company: &str, (id, at): (&str, &str), subscription: Value) -> Answer {
    let body = json!({ "provider": "stripe", "event_id": id, "occurred_at": at, "company_id": company, "subscription": subscription });
    server.post(&server.service(), "rpc/apply_subscription_event", body, "").await
}

#[tokio::test]
async fn everybody_knows_the_tier_and_who_pays_the_bill() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let admin = server.member(&ann.company_id, "admin").await;
    let wanted = json!({ "tier": "pro", "seats": 9, "reason": "agreed by telephone" });
    let changed = set(&server, &ann.company_id, wanted.clone()).await;
    assert_eq!([&changed["tier"], &changed["status"], &changed["seats"]], [&json!("pro"), &json!("active"), &json!(9)]);

    let hers = told(&server, &ann).await;
    assert_eq!([&hers["tier"], &hers["status"], &hers["can_write"]], [&json!("pro"), &json!("active"), &json!(true)]);
    assert_eq!(hers["seats"], json!({ "max": 9, "used": 2, "invited": 0 }));
    assert!(hers["features"].as_array().unwrap().contains(&json!("reports")));
    assert_eq!(hers["quotas"]["api_keys"], 20);
    assert_eq!(hers["billing"]["cancel_at_period_end"], false);
    let admins = told(&server, &admin).await;
    assert_eq!((&admins["tier"], admins.get("billing")), (&json!("pro"), None), "billing:manage is the owner's");
    let others = told(&server, &bob).await;
    assert_eq!([&others["tier"], &others["seats"]["max"]], [&json!("free"), &json!(5)]);
    assert_eq!(told(&server, &server.person("dora").await).await, Value::Null);
    let tiers = server.post(&admin, "rpc/subscription_tiers", json!({}), "").await.ok();
    let names: Vec<_> =
        tiers.as_array().unwrap().iter().map(|tier| (tier["tier"].as_str().unwrap(), tier["seats"].as_i64().unwrap())).collect();
    assert_eq!(names, [("free", 5), ("starter", 5), ("pro", 25), ("enterprise", 250)]);

    // Only who pays says where bills go, and nobody gives himself a tier.
    let bills = json!({ "email": "bills@example.com", "cancel_at_period_end": true });
    let billing = server.post(&ann, "rpc/change_billing", bills.clone(), "").await.ok();
    assert_eq!([&billing["billing"]["email"], &billing["billing"]["cancel_at_period_end"]], [&json!("bills@example.com"), &json!(true)]);
    server.post(&ann, "rpc/change_billing", json!({ "email": "nowhere" }), "").await.refused(422, "billing_email_invalid");
    server.post(&admin, "rpc/change_billing", bills.clone(), "").await.refused(403, "permission_denied");
    server.post(&server.person("eve").await, "rpc/change_billing", bills.clone(), "").await.refused(403, "company_required");
    server.post(&Server::nobody(), "rpc/change_billing", bills, "").await.refused(401, "42501");
    let mut own = wanted;
    own["company_id"] = json!(ann.company_id);
    server.post(&ann, "rpc/set_company_subscription", own.clone(), "").await.refused(403, "42501");
    server.patch(&ann, "companies", json!({ "subscription_tier": "enterprise" }), "").await.refused(403, "42501");
    server.patch(&ann, "companies", json!({ "writes_until": null }), "").await.refused(403, "42501");
    let one = json!({ "provider": "x", "event_id": "1", "occurred_at": "2026-01-01T00:00:00Z", "company_id": ann.company_id, "subscription": {} });
    server.post(&ann, "rpc/apply_subscription_event", one, "").await.refused(403, "42501");
    own["tier"] = json!("platinum");
    server.post(&server.service(), "rpc/set_company_subscription", own.clone(), "").await.refused(422, "subscription_invalid");
    own["company_id"] = json!("01900000-0000-7000-8000-0000000000ff");
    server.post(&server.service(), "rpc/set_company_subscription", own, "").await.refused(404, "company_not_found");
}

#[tokio::test]
async fn who_owes_for_too_long_reads_and_does_not_write() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let csr = server.member(&ann.company_id, "csr").await;
    assert_eq!(enter(&server, &csr).await.status, 201);
    set(&server, &ann.company_id, json!({ "tier": "pro", "status": "past_due" })).await;
    assert_eq!(enter(&server, &csr).await.status, 201, "for fourteen days nothing changes");
    days_ago(&server, &ann.company_id, "past_due_since", 13).await;
    assert_eq!(enter(&server, &csr).await.status, 201);
    days_ago(&server, &ann.company_id, "past_due_since", 15).await;

    for who in [&ann, &csr] {
        enter(&server, who).await.refused(402, "subscription_past_due");
        server.patch(who, "customers?notes=eq.nothing", json!({ "notes": "x" }), FULL).await.refused(402, "subscription_past_due");
        assert_eq!(server.get(who, "customers?select=first_name").await.ok().as_array().unwrap().len(), 3);
    }
    server.delete(&ann, "customers", "").await.refused(402, "subscription_past_due");
    let batch = json!([{ "method": "POST", "path": "/rest/v1/customers", "body": { "phone": "+15550100", "first_name": "X" } }]);
    assert!(server.batch(&ann, batch, Said::default()).await.text.contains("subscription_past_due"));
    server
        .post(&ann, "rpc/invite_member", json!({ "email": "new@example.com", "role": "viewer" }), "")
        .await
        .refused(402, "subscription_past_due");
    let hers = told(&server, &ann).await;
    assert_eq!([&hers["tier"], &hers["current_tier"], &hers["can_write"]], [&json!("pro"), &json!("free"), &json!(false)]);
    assert_eq!(hers["features"], json!([]));

    // To pay, to sign in, one's own profile, the end of somebody's access, and other companies wait for no payment.
    assert_eq!(server.post(&ann, "rpc/change_billing", json!({ "email": "bills@example.com" }), "").await.status, 200);
    assert_eq!(
        server.patch(&ann, &format!("users?id=eq.{}", ann.user_id), json!({ "bio": "x" }), FULL).await.ok().as_array().unwrap().len(),
        1
    );
    let gone = format!("team_members?user_id=eq.{}", csr.user_id);
    assert_eq!(server.delete(&ann, &gone, FULL).await.ok().as_array().unwrap().len(), 1);
    assert_eq!(server.post(&ann, "rpc/create_company_with_owner", json!({ "name": "Second" }), "").await.status, 200);
    let there = json!({ "company_id": bob.company_id, "user_id": ann.user_id, "role": "csr", "status": "active" });
    assert_eq!(server.post(&server.service(), "team_members", there, "").await.status, 201);
    assert_eq!(enter(&server, &ann.working_in(&bob.company_id)).await.status, 201);
    let service = server.service().working_in(&ann.company_id);
    assert_eq!(enter(&server, &service).await.status, 201, "service programs go on");

    // A payment counts at the next request.
    let paid = event(&server, &ann.company_id, ("evt_1", "2026-01-01T00:00:00Z"), json!({ "tier": "pro", "status": "active" })).await;
    assert_eq!(paid.ok(), "older", "what was set by hand afterwards holds");
    set(&server, &ann.company_id, json!({ "status": "active" })).await;
    assert_eq!(enter(&server, &ann).await.status, 201);

    // A trial that is over is a debt from then on; what was cancelled is had until its paid period ends.
    set(&server, &ann.company_id, json!({ "status": "trialing" })).await;
    days_ago(&server, &ann.company_id, "trial_ends_at", 13).await;
    assert_eq!(enter(&server, &ann).await.status, 201);
    assert_eq!(told(&server, &ann).await["status"], "past_due");
    days_ago(&server, &ann.company_id, "trial_ends_at", 15).await;
    enter(&server, &ann).await.refused(402, "subscription_past_due");
    let period = "update public.companies set subscription_current_period_end = now() + interval '1 day'";
    server.db.superuser().await.batch_execute(period).await.unwrap();
    set(&server, &ann.company_id, json!({ "status": "cancelled" })).await;
    assert_eq!(enter(&server, &ann).await.status, 201);
    days_ago(&server, &ann.company_id, "subscription_current_period_end", 1).await;
    enter(&server, &ann).await.refused(402, "subscription_cancelled");
    set(&server, &ann.company_id, json!({ "tier": "free", "status": "active" })).await;
    assert_eq!(enter(&server, &ann).await.status, 201);
}

#[tokio::test]
async fn events_count_once_and_in_their_own_order() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let company = ann.company_id.as_str();
    let subscribed = |status: &str, subscription: &str| {
        json!({
            "tier": "starter", "status": status, "seats": 8, "customer": "cus_1", "subscription": subscription,
            "amount": 2900, "currency": "USD", "interval": "month", "current_period_end": "2026-04-01T00:00:00Z",
        })
    };
    let sent = async |id: &str, at: &str, subscription: Value| event(&server, company, (id, at), subscription).await.ok();
    assert_eq!(sent("evt_2", "2026-03-02T10:00:00Z", subscribed("past_due", "sub_1")).await, "applied");
    assert_eq!(sent("evt_2", "2026-03-02T10:00:00Z", subscribed("past_due", "sub_1")).await, "repeated");
    assert_eq!(sent("evt_1", "2026-03-01T10:00:00Z", subscribed("active", "sub_1")).await, "older");
    let hers = told(&server, &ann).await;
    assert_eq!([&hers["status"], &hers["past_due_since"]], [&json!("past_due"), &json!("2026-03-02T10:00:00+00:00")]);
    assert_eq!(hers["billing"]["amount"], 2900);
    assert_eq!(sent("evt_3", "2026-03-20T10:00:00Z", subscribed("past_due", "sub_1")).await, "applied");
    assert_eq!(told(&server, &ann).await["writes_until"], "2026-03-16T10:00:00+00:00", "the debt is as old as it was");
    assert_eq!(sent("evt_4", "2026-03-21T10:00:00Z", subscribed("active", "sub_2")).await, "applied");
    assert_eq!(sent("evt_5", "2026-03-22T10:00:00Z", subscribed("cancelled", "sub_1")).await, "other_subscription");
    assert_eq!(told(&server, &ann).await["status"], "active");
    // Two of one moment: the greater id, whichever came first.
    assert_eq!(sent("evt_7", "2026-03-23T10:00:00Z", subscribed("active", "sub_2")).await, "applied");
    assert_eq!(sent("evt_6", "2026-03-23T10:00:00Z", subscribed("past_due", "sub_2")).await, "older");

    let refused = async |at: &str, subscription: Value, code: &str| {
        event(&server, company, ("evt_9", at), subscription).await.refused(422, code);
    };
    refused("2999-01-01T00:00:00Z", subscribed("active", "sub_2"), "subscription_event_invalid").await;
    for (member, value) in [
        ("status", "paid"),
        ("tier", "gold"),
        ("seats", "0"),
        ("currency", "usd"),
        ("amount", "-1"),
        ("interval", "week"),
        ("current_period_end", "soon"),
        ("note", "x"),
    ] {
        let mut wrong = subscribed("active", "sub_2");
        wrong[member] = json!(value);
        refused("2026-03-24T10:00:00Z", wrong, "subscription_invalid").await;
    }
    let nowhere =
        event(&server, "01900000-0000-7000-8000-0000000000ff", ("evt_9", "2026-03-24T10:00:00Z"), subscribed("active", "sub_2")).await;
    nowhere.refused(404, "company_not_found");
}

#[tokio::test]
async fn the_last_seat_is_taken_once() {
    let server = Arc::new(Server::new().await);
    let ann = server.owner("ann").await;
    let mut people = Vec::new();
    for name in ["bea", "cat", "dan", "eve", "fay"] {
        people.push(server.person(name).await);
    }
    set(&server, &ann.company_id, json!({ "seats": 3 })).await;
    let row =
        |person: &Caller, status: &str| json!({ "company_id": ann.company_id, "user_id": person.user_id, "role": "csr", "status": status });
    assert_eq!(server.post(&server.service(), "team_members", row(&people[0], "active"), "").await.status, 201);
    let rest = people[1..].iter().map(|person| ("POST", "team_members".to_owned(), row(person, "active"))).collect();
    let answers = together(&server, &server.service(), rest).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(402, "seats_exceeded");
    }
    // Whoever does not come in takes none; whoever comes back does.
    let out = people[1..].iter().zip(&answers).find(|(_, answer)| answer.status != 201).unwrap().0;
    assert_eq!(server.post(&server.service(), "team_members", row(out, "suspended"), "").await.status, 201);
    let invite = async || server.post(&ann, "rpc/invite_member", json!({ "email": "new@example.com", "role": "viewer" }), "").await;
    invite().await.refused(402, "seats_exceeded");
    let back = format!("team_members?user_id=eq.{}", out.user_id);
    server.patch(&ann, &back, json!({ "status": "active" }), "").await.refused(402, "seats_exceeded");
    let away = format!("team_members?user_id=eq.{}", people[0].user_id);
    assert_eq!(server.patch(&ann, &away, json!({ "status": "suspended" }), "").await.status, 204);
    assert_eq!(invite().await.status, 200);
    assert_eq!(server.post(&ann, "rpc/invite_member", json!({ "email": "b@example.com", "role": "viewer" }), "").await.status, 402);
    // The seat is kept for whoever was invited.
    server.patch(&ann, &back, json!({ "status": "active" }), "").await.refused(402, "seats_exceeded");
}

#[tokio::test]
async fn a_policy_asks_for_features_and_quotas() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    server
        .table(
            "create table public.tiles (company_id uuid not null default app.company_id(), id uuid not null default app.uuid_v7(), label text,
                                        primary key (company_id, id));
             select app.protect('public.tiles', 'posts');
             create policy needs_reports on public.tiles as restrictive for select to authenticated using ((select app.has_feature('reports')));
             create function public.count_tiles() returns bigint language sql stable as $$ select count(*) from public.tiles $$;
             create function public.tile_quota(name text) returns bigint language sql stable as $$ select app.quota(name) $$;
             create function public.use_tiles(used bigint) returns void language sql stable as $$ select app.check_quota('api_keys', used) $$;
             grant execute on function public.count_tiles(), public.tile_quota(text), public.use_tiles(bigint) to authenticated",
        )
        .await;
    for who in [&ann, &bob] {
        assert_eq!(server.post(who, "tiles", json!({ "label": "x" }), "").await.status, 201);
    }
    set(&server, &ann.company_id, json!({ "tier": "pro" })).await;
    let count = async |who: &Caller| server.post(who, "rpc/count_tiles", json!({}), "").await.ok();
    assert_eq!((count(&ann).await, count(&bob).await), (json!(1), json!(0)));
    let quota = async |who: &Caller, name: &str| server.post(who, "rpc/tile_quota", json!({ "name": name }), "").await;
    assert_eq!(quota(&ann, "webhooks").await.ok(), 50);
    assert_eq!(quota(&bob, "webhooks").await.ok(), 10);
    assert_eq!(quota(&ann, "seats").await.ok(), 25);
    assert_eq!(quota(&server.person("dora").await, "webhooks").await.ok(), 0);
    quota(&ann, "unicorns").await.refused(400, "22023");
    let used = async |who: &Caller, used: i64| server.post(who, "rpc/use_tiles", json!({ "used": used }), "").await;
    assert_eq!(used(&ann, 20).await.status, 204);
    used(&ann, 21).await.refused(402, "quota_exceeded");
    used(&bob, 4).await.refused(402, "quota_exceeded");
    set(&server, &ann.company_id, json!({ "tier": "enterprise" })).await;
    assert_eq!(quota(&ann, "webhooks").await.ok(), Value::Null);
}

#[tokio::test]
async fn a_company_has_no_more_keys_and_webhooks_than_its_tier_includes() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let key = async |who: &Caller| server.auth(who, "api-keys", json!({ "name": "Till", "permissions": ["jobs:read"] })).await;
    let mut keys = Vec::new();
    for _ in 0..3 {
        let made = key(&ann).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        keys.push(made.body["id"].as_str().unwrap().to_owned());
    }
    key(&ann).await.refused_by_auth(402, "quota_exceeded");
    // Another company has its own, and one that was taken back leaves its place.
    assert_eq!(key(&bob).await.status, 201);
    let revoked = server.patch(&ann, &format!("api_keys?id=eq.{}", keys[0]), json!({ "revoked_at": "now" }), "").await;
    assert_eq!(revoked.status, 204, "{:?}", revoked.body);
    assert_eq!(key(&ann).await.status, 201);

    let hook = |name: usize, active: bool| json!({ "name": format!("Hook {name}"), "url": "https://example.com/x", "is_active": active });
    let many: Vec<Value> = (0..10).map(|name| hook(name, true)).collect();
    assert_eq!(server.post(&ann, "webhooks", json!(many), "").await.status, 201);
    server.post(&ann, "webhooks", hook(10, true), "").await.refused(402, "quota_exceeded");
    server
        .post(&server.service(), "webhooks", json!({ "company_id": ann.company_id, "name": "x", "url": "https://example.com/x" }), "")
        .await
        .refused(402, "quota_exceeded");
    // One that rests takes no place before it works again.
    assert_eq!(server.post(&ann, "webhooks", hook(10, false), "").await.status, 201);
    let wake = async || server.patch(&ann, "webhooks?name=eq.Hook 10", json!({ "is_active": true }), "").await;
    wake().await.refused(402, "quota_exceeded");
    set(&server, &ann.company_id, json!({ "tier": "pro" })).await;
    assert_eq!((wake().await.status, key(&ann).await.status), (204, 201));
    // What is there stays when the tier includes less.
    set(&server, &ann.company_id, json!({ "tier": "free" })).await;
    let renamed = server.patch(&ann, "webhooks?name=eq.Hook 10", json!({ "name": "Hook 11" }), "").await;
    assert_eq!(renamed.status, 204, "{:?}", renamed.body);
    key(&ann).await.refused_by_auth(402, "quota_exceeded");
}
