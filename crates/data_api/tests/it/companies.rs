//! The lives of a company: kept out by the operator, deleted by its owner and brought back; and the second factor that it demands.

use serde_json::{Value, json};

use crate::server::{Answer, Caller, Server};

async fn rpc(server: &Server, who: &Caller, name: &str, body: Value) -> Answer {
    server.post(who, &format!("rpc/{name}"), body, "").await
}

async fn run(server: &Server, sql: &str) {
    server.db.superuser().await.batch_execute(sql).await.unwrap();
}

async fn ask(server: &Server, query: &str) -> String {
    server.db.superuser().await.query_one(&format!("select ({query})::text"), &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_suspended_company_is_closed_to_its_members() {
    let server = Server::new().await;
    let (ann, carl) = (server.owner("ann").await, server.owner("carl").await);
    let (bob, service) = (server.member(&ann.company_id, "csr").await, server.service());
    let suspend = json!({ "company_id": ann.company_id, "reason": "Three invoices are unpaid." });
    for stranger in [&ann, &carl] {
        rpc(&server, stranger, "suspend_company", suspend.clone()).await.refused(403, "42501");
        rpc(&server, stranger, "resume_company", json!({ "company_id": ann.company_id })).await.refused(403, "42501");
    }
    assert_eq!(rpc(&server, &Server::nobody(), "suspend_company", suspend.clone()).await.status, 401);
    let unknown = json!({ "company_id": "01900000-0000-7000-8000-000000000001" });
    rpc(&server, &service, "suspend_company", unknown.clone()).await.refused(404, "company_not_found");
    rpc(&server, &service, "resume_company", unknown).await.refused(404, "company_not_found");

    assert_eq!(rpc(&server, &service, "suspend_company", suspend).await.status, 200);
    for member in [&ann, &bob] {
        let refused = server.get(member, "customers").await;
        refused.refused(403, "company_suspended");
        assert_eq!(refused.body["details"], "Three invoices are unpaid.");
        server.post(member, "customers", json!({ "first_name": "X", "phone": "+15550100" }), "").await.refused(403, "company_suspended");
    }
    server.get(&carl.working_in(&ann.company_id), "customers").await.refused(403, "company_not_member");
    assert_eq!(server.get(&carl, "customers").await.status, 200, "the other company goes on");
    assert_eq!(server.get(&service, "customers").await.status, 200);
    let none = server.auth(&ann, "company", json!({ "company_id": null })).await.ok();
    let free = Caller { token: none["access_token"].as_str().map(str::to_owned), ..Caller::default() };
    assert_eq!(rpc(&server, &free, "my_companies", json!({})).await.ok()[0]["slug"], "ann", "his other companies are a choice away");

    assert_eq!(rpc(&server, &service, "resume_company", json!({ "company_id": ann.company_id })).await.status, 200);
    assert_eq!(server.get(&bob, "customers").await.status, 200);
}

#[tokio::test]
async fn a_company_chooses_its_looks_and_settings_and_nothing_that_the_platform_decides() {
    let server = Server::new().await;
    let (ann, carl) = (server.owner("ann").await, server.owner("carl").await);
    let technician = server.member(&ann.company_id, "technician").await;
    let row = format!("companies?id=eq.{}", ann.company_id);
    let looks = json!({
        "brand_primary_color": "#aa0033", "brand_secondary_color": "#001122", "brand_accent_color": "#ffcc00", "brand_font": "Inter",
        "logo_url": "https://ann.example.com/logo.png", "logo_square_url": "https://ann.example.com/square.png",
        "website_url": "https://ann.example.com", "ein": "12-3456789", "email_settings": { "reply_to": "desk@ann.example.com" },
        "portal_settings": { "shows_prices": true }, "refund_settings": { "days": 14 }, "onboarding_data": { "step": "team" },
        "onboarding_step_completed": { "team": true }, "onboarding_completion_percentage": 40
    });
    assert_eq!(server.patch(&ann, &row, looks.clone(), "").await.status, 204);
    let names = looks.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>().join(",");
    assert_eq!(server.get(&ann, &format!("{row}&select={names}")).await.ok(), json!([looks]));
    assert_eq!(server.patch(&carl, &row, looks.clone(), "return=representation").await.ok(), json!([]));
    assert_eq!(server.patch(&technician, &row, looks.clone(), "return=representation").await.ok(), json!([]));
    assert_eq!(server.patch(&Server::nobody(), &row, looks, "").await.status, 401);
    server.patch(&ann, &row, json!({ "brand_primary_color": "red" }), "").await.refused(400, "23514");
    for decided in [json!({ "email_verified": true }), json!({ "stripe_subscription_status": "active" }), json!({ "deleted_at": null })] {
        server.patch(&ann, &row, decided, "").await.refused(403, "42501");
    }
}

#[tokio::test]
async fn a_deleted_company_is_closed_and_comes_back_until_its_date() {
    let server = Server::new().await;
    let (ann, carl) = (server.owner("ann").await, server.owner("carl").await);
    let admin = server.member(&ann.company_id, "admin").await;
    let id = json!({ "company_id": ann.company_id });
    server.customer(&ann, "Ada").await;
    server.customer(&carl, "Cleo").await;
    rpc(&server, &admin, "delete_company", json!({ "slug": "ann" })).await.refused(403, "owner_required");
    rpc(&server, &ann, "delete_company", json!({ "slug": "carl" })).await.refused(422, "company_slug_mismatch");
    assert_eq!(rpc(&server, &Server::nobody(), "delete_company", json!({ "slug": "ann" })).await.status, 401);

    let deleted = rpc(&server, &ann, "delete_company", json!({ "slug": "ann", "reason": "We retire." })).await.ok();
    assert_eq!(deleted["deleted_by"], *ann.user_id);
    let grace = "select permanent_delete_scheduled_at - deleted_at from public.companies where slug = 'ann'";
    assert_eq!(ask(&server, grace).await, "30 days");
    server.get(&admin, "customers").await.refused(403, "company_not_member");
    server.get(&ann, "customers").await.refused(403, "company_not_member");
    let none = server.auth(&ann, "company", json!({ "company_id": null })).await.ok();
    let owner = Caller { token: none["access_token"].as_str().map(str::to_owned), ..Caller::default() };
    assert_eq!(rpc(&server, &owner, "my_companies", json!({})).await.ok(), json!([]));
    assert_eq!(rpc(&server, &owner, "my_deleted_companies", json!({})).await.ok()[0]["slug"], "ann");
    assert_eq!(rpc(&server, &carl, "my_deleted_companies", json!({})).await.ok(), json!([]));
    for stranger in [&carl, &Caller { works_in: None, ..admin.clone() }] {
        rpc(&server, stranger, "restore_company", id.clone()).await.refused(404, "company_not_found");
    }
    assert_eq!(ask(&server, "select app.expire_company(1000)").await, "0", "it is kept until its date");

    assert_eq!(rpc(&server, &owner, "restore_company", id.clone()).await.ok()["deleted_at"], Value::Null);
    assert_eq!(server.get(&admin, "customers?select=first_name").await.ok(), json!([{ "first_name": "Ada" }]));

    // The operator closes a company in which he works, and says its slug, too.
    let (service, operator) = (server.service(), server.service().working_in(&ann.company_id));
    rpc(&server, &service, "delete_company", json!({ "slug": "ann" })).await.refused(403, "company_required");
    rpc(&server, &operator, "delete_company", json!({ "slug": "carl" })).await.refused(422, "company_slug_mismatch");
    assert_eq!(rpc(&server, &operator, "delete_company", json!({ "slug": "ann" })).await.ok()["deleted_by"], Value::Null);
    assert_eq!(rpc(&server, &service, "restore_company", id.clone()).await.ok()["deleted_at"], Value::Null);

    assert_eq!(rpc(&server, &ann.working_in(&ann.company_id), "delete_company", json!({ "slug": "ann" })).await.status, 200);
    run(&server, "update public.companies set permanent_delete_scheduled_at = now() - interval '1 second' where slug = 'ann'").await;
    for who in [&owner, &server.service()] {
        rpc(&server, who, "restore_company", id.clone()).await.refused(404, "company_not_found");
    }
    assert_eq!(rpc(&server, &owner, "my_deleted_companies", json!({})).await.ok(), json!([]), "what cannot come back is not listed");
    // A row at a time, as if there were millions.
    while ask(&server, "select app.expire_company(1)").await != "0" {}
    assert_eq!(ask(&server, "select string_agg(slug, ',') from public.companies").await, "carl");
    assert_eq!(ask(&server, "select string_agg(first_name, ',') from public.customers").await, "Cleo");
    assert_eq!(rpc(&server, &owner, "create_company_with_owner", json!({ "name": "Ann", "slug": "ann" })).await.status, 200);
}

/// Refuses that a customer goes while his company is there, and that a company goes.
const REFUSALS: &str = "
create function public.refuse() returns trigger language plpgsql as $$ begin
  if to_jsonb(old) ->> 'first_name' = 'Held' and exists (select from public.companies c where c.id::text = to_jsonb(old) ->> 'company_id')
     or to_jsonb(old) ->> 'slug' = 'ann' then
    raise exception using errcode = '23514', constraint = 'refused';
  end if;
  return old;
end $$;
create trigger refuse before delete on public.customers for each row execute function public.refuse();
create trigger refuse before delete on public.companies for each row execute function public.refuse()";

#[tokio::test]
async fn no_row_and_no_company_keeps_another_from_going() {
    let server = Server::new().await;
    let (ann, carl) = (server.owner("ann").await, server.owner("carl").await);
    for name in ["Held", "Ada", "Bea"] {
        server.customer(&ann, name).await;
    }
    server.customer(&carl, "Held").await;
    // Whom an estimate holds goes after it.
    let dan = server.customer(&ann, "Dan").await;
    let estimate = json!({ "customer_id": dan, "title": "Boiler" });
    assert_eq!(server.post(&ann, "estimates", estimate, "").await.status, 201);
    let held = "select string_agg(h.table_name || ' ' || h.reason, ', ' order by h.table_name) from app.retention_held h";
    let past = "update public.companies set deleted_at = now() - interval '31 days',
                  permanent_delete_scheduled_at = now() - case slug when 'ann' then interval '2 days' else interval '1 day' end";
    run(&server, &format!("{REFUSALS}; {past}")).await;
    assert_eq!(ask(&server, "select app.expire(1000)").await, "0", "that is another work");
    while ask(&server, "select app.expire_company(2)").await != "0" {}
    assert_eq!(ask(&server, "select string_agg(slug, ',') from public.companies").await, "ann");
    assert_eq!(ask(&server, "select string_agg(first_name, ',') from public.customers").await, "Held");
    assert_eq!(ask(&server, held).await, "public.companies refused, public.customers refused");

    // On the next day it is tried again, and goes with what it held.
    run(&server, "drop trigger refuse on public.companies; update app.retention_held set tried_at = tried_at - interval '25 hours'").await;
    while ask(&server, "select app.expire_company(2)").await != "0" {}
    assert_eq!(ask(&server, "select (select count(*) from public.companies) + (select count(*) from public.customers)").await, "0");
}

/// Says that a time of grace that is running is over.
const OVERDUE: &str = "update public.team_members set mfa_due_at = now() - interval '1 second' where mfa_due_at is not null";

#[tokio::test]
async fn owners_and_admins_get_in_with_a_second_factor_when_their_grace_is_over() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let (admin, csr) = (server.member(&ann.company_id, "admin").await, server.member(&ann.company_id, "csr").await);
    let due =
        "select string_agg(role || ' ' || coalesce((mfa_due_at - now() > interval '6 days 23 hours')::text, 'never'), ', ' order by role)
                 from public.team_members";
    assert_eq!(ask(&server, due).await, "admin true, csr never, owner true");
    assert_eq!(server.get(&admin, "customers").await.status, 200, "the grace is running");

    run(&server, OVERDUE).await;
    for who in [&ann, &admin] {
        server.get(who, "customers").await.refused(403, "mfa_required");
        server.post(who, "customers", json!({ "first_name": "X", "phone": "+15550100" }), "").await.refused(403, "mfa_required");
        rpc(&server, who, "my_companies", json!({})).await.refused(403, "mfa_required");
    }
    assert_eq!(server.get(&csr, "customers").await.status, 200);
    let raised = format!("update auth.sessions set aal = 'aal2' where user_id = '{}'", admin.user_id);
    run(&server, &raised).await;
    server.get(&admin, "customers").await.refused(403, "mfa_required");
    let admin = server.proved(admin).await;
    assert_eq!(server.get(&admin, "customers").await.status, 200, "a token from after the proof, and no other");

    // Whoever is no admin any more needs none; whoever becomes one has his own grace.
    let change = |who: &Caller, role: &str| json!({ "user_id": who.user_id, "role": role });
    assert_eq!(rpc(&server, &admin, "change_member_role", change(&csr, "admin")).await.status, 200);
    assert_eq!(server.get(&csr, "customers").await.status, 200);
    run(&server, OVERDUE).await;
    server.get(&csr, "customers").await.refused(403, "mfa_required");
    assert_eq!(rpc(&server, &admin, "change_member_role", change(&csr, "csr")).await.status, 200);
    assert_eq!(server.get(&csr, "customers").await.status, 200);
}

#[tokio::test]
async fn a_company_demands_a_second_factor_of_everybody() {
    let server = Server::new().await;
    let (ann, carl) = (server.owner("ann").await, server.owner("carl").await);
    let (csr, other) = (server.member(&ann.company_id, "csr").await, server.member(&carl.company_id, "csr").await);
    let demand = |required: bool| json!({ "mfa_required": required });
    assert_eq!(server.patch(&csr, "companies", demand(true), "return=representation").await.ok(), json!([]), "not for a member to say");
    assert_eq!(server.patch(&ann, "companies", demand(true), "").await.status, 204);
    assert_eq!(server.get(&csr, "customers").await.status, 200, "the grace is running");
    let late = server.member_called("late", &ann.company_id, "viewer").await;
    run(&server, &format!("{OVERDUE} and role in ('csr', 'viewer')")).await;
    server.get(&csr, "customers").await.refused(403, "mfa_required");
    server.get(&late, "customers").await.refused(403, "mfa_required");
    assert_eq!(server.get(&other, "customers").await.status, 200, "the other company demands nothing");
    assert_eq!(server.patch(&ann, "companies", demand(false), "").await.status, 204);
    assert_eq!(server.get(&csr, "customers").await.status, 200);

    // The operator's rule for owners and admins goes and comes with a grace of its own.
    let rule = |required: bool| format!("select app.declare_company_rules('{{\"mfa_required\": {required}}}')");
    let owners = "select count(mfa_due_at) from public.team_members where role = 'owner'";
    assert_eq!(ask(&server, &rule(false)).await, "true");
    assert_eq!(ask(&server, owners).await, "0");
    assert_eq!((ask(&server, &rule(true)).await, ask(&server, &rule(true)).await), ("true".to_owned(), "false".to_owned()));
    assert_eq!(ask(&server, owners).await, "2");
}

#[tokio::test]
async fn whoever_comes_while_a_company_begins_to_demand_a_second_factor_learns_of_it() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.person("bob").await);
    let (company, observer) = (server.db.superuser().await, server.db.superuser().await);
    company.batch_execute("begin; update public.companies set mfa_required = true").await.unwrap();
    let (service, row) = (server.service(), json!({ "company_id": ann.company_id, "user_id": bob.user_id, "role": "csr" }));
    let meeting = async {
        let waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
        while observer.query(waits, &[]).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        company.batch_execute("commit").await.unwrap();
    };
    let (added, ()) = tokio::join!(server.post(&service, "team_members", row, ""), meeting);
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(ask(&server, "select mfa_due_at is not null from public.team_members where role = 'csr'").await, "true");
}
