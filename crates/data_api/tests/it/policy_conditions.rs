//! Policies that ask for more than a permission: how sure one is of somebody, when he asks, what he may know, what is his.

use serde_json::{Value, json};

use crate::server::{Caller, Server};

const TABLES: &str = "
create function public.make_shelf(name text) returns void language plpgsql as $$
begin
  execute format('create table public.%1$I (company_id uuid not null default app.company_id(), id uuid not null default app.uuid_v7(),
                    label text, assigned_to uuid, settings jsonb not null default ''{}'', primary key (company_id, id))', name);
  perform app.protect(format('public.%I', name)::regclass, 'posts');
end $$;
select public.make_shelf(t) from unnest(array['vaults', 'fresh_vaults', 'ledgers', 'persons', 'errands']) t;
drop function public.make_shelf(text);
create policy proved on public.vaults as restrictive for all to authenticated using ((select app.assurance_level()) >= 2);
create policy proved_lately on public.fresh_vaults as restrictive for select to authenticated
  using (coalesce((select app.second_factor_age()) < interval '15 minutes', false));
create policy open_hours on public.ledgers as restrictive for select to authenticated using ((select app.is_business_hours()));
create policy personal on public.persons as restrictive for select to authenticated
  using ((select app.has_pii_access()) or not (settings ? 'pii_restricted'));
create policy errands_of_his on public.errands as restrictive for select to authenticated
  using (not (select app.is_assigned_only('jobs:read')) or assigned_to = (select auth.uid()));
";

async fn labels(server: &Server, who: &Caller, table: &str) -> Value {
    let rows = server.get(who, &format!("{table}?select=label&order=label")).await.ok();
    rows.as_array().unwrap().iter().map(|row| row["label"].clone()).collect()
}

/// How many rows of a table a member sees whose session is as his claims say: the walls of the database alone.
async fn seen(server: &Server, who: &Caller, claims: &Value, table: &str) -> i64 {
    let client = server.db.superuser().await;
    let member = format!(
        "begin; select set_config('app.company_id', '{}', true), set_config('app.permissions', ',posts:read,', true),
                       set_config('request.jwt.claims', '{claims}', true), set_config('role', 'authenticated', true)",
        who.company_id
    );
    client.batch_execute(&member).await.unwrap();
    client.query_one(&format!("select count(*) from public.{table}"), &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn how_sure_one_is_of_somebody() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    server.table(TABLES).await;
    server.post(&ann, "vaults", json!({ "label": "gold" }), "").await.refused(403, "42501");
    for table in ["vaults", "fresh_vaults"] {
        let rows = [&ann, &bob].map(|who| json!({ "company_id": who.company_id, "label": "gold" }));
        assert_eq!(server.post(&server.service(), table, json!(rows), "").await.status, 201);
        assert_eq!(labels(&server, &ann, table).await, json!([]));
    }
    let before = ann.clone();
    let ann = server.proved(ann).await;
    assert_eq!(labels(&server, &before, "vaults").await, json!([]), "a token from before the proof stays what it is");
    assert_eq!(labels(&server, &ann, "vaults").await, json!(["gold"]), "her company's alone");
    assert_eq!(server.post(&ann, "vaults", json!({ "label": "silver" }), "").await.status, 201);
    assert_eq!(labels(&server, &bob, "vaults").await, json!([]));

    // A factor that was lost counts at the next request, whatever the token says.
    server.table("update auth.sessions set aal = 'aal1'").await;
    assert_eq!(labels(&server, &ann, "vaults").await, json!([]));

    // When it was proved counts by the newest proof of a second factor, whatever else is said.
    let now = jiff::Timestamp::now().as_second();
    for (amr, count) in [
        (json!([{ "method": "totp", "timestamp": now - 60 }, { "method": "password", "timestamp": now - 7200 }]), 1),
        (json!([{ "method": "mfa/phone", "timestamp": now - 800 }, { "method": "totp", "timestamp": now - 7200 }]), 1),
        (json!([{ "method": "totp", "timestamp": now - 1000 }, { "method": "password", "timestamp": now }]), 0),
        (json!([{ "method": "password", "timestamp": now }]), 0),
        (json!(["totp", { "method": "totp", "timestamp": "now" }, null]), 0),
        (json!("totp"), 0),
    ] {
        let claims = |aal: &str| json!({ "aal": aal, "amr": amr });
        assert_eq!(seen(&server, &ann, &claims("aal2"), "fresh_vaults").await, count, "{amr}");
        assert_eq!(seen(&server, &ann, &claims("aal1"), "fresh_vaults").await, 0, "{amr}");
    }
}

#[tokio::test]
async fn when_the_company_is_open() {
    let server = Server::new().await;
    let (ann, bob, person) = (server.owner("ann").await, server.owner("bob").await, server.person("dora").await);
    server.table(TABLES).await;
    server
        .table(
            "create function public.open_at(moment timestamptz) returns boolean language sql stable as $$ select app.is_open_at(moment) $$;
             grant execute on function public.open_at(timestamptz) to authenticated",
        )
        .await;
    assert_eq!(server.post(&ann, "ledgers", json!({ "label": "books" }), "").await.status, 201);
    assert_eq!(labels(&server, &ann, "ledgers").await, json!([]), "a company without hours is never open");

    assert_eq!(server.patch(&ann, "companies", json!({ "business_timezone": "America/Chicago" }), "").await.status, 204);
    let hours = json!({ "monday": { "open": "07:30", "close": "17:30" }, "friday": { "open": "22:00", "close": "02:00" },
                        "tuesday": { "open": "late" }, "wednesday": null, "thursday": { "open": "08:00", "close": "24:00" } });
    let settings = server.post(&ann, "company_settings", json!({ "hours_of_operation": hours }), "").await;
    assert!(matches!(settings.status, 201 | 409), "{}", settings.text);
    assert!(server.patch(&ann, "company_settings", json!({ "hours_of_operation": hours }), "").await.status == 204);
    let holiday = json!({ "name": "Founders", "holiday_date": "2020-11-30", "is_recurring": true });
    assert_eq!(server.post(&ann, "company_holidays", holiday, "").await.status, 201);
    // 2026-11-23 is a Monday; Chicago is six hours behind.
    for (moment, is_open) in [
        ("2026-11-23T13:29:59Z", false),
        ("2026-11-23T13:30:00Z", true),
        ("2026-11-23T23:29:59Z", true),
        ("2026-11-23T23:30:00Z", false),
        ("2026-11-30T18:00:00Z", false),
        ("2026-11-24T18:00:00Z", false),
        ("2026-11-25T18:00:00Z", false),
        ("2026-11-27T05:59:59Z", true),
        ("2026-11-27T06:00:00Z", false),
        ("2026-11-28T04:00:00Z", true),
        ("2026-11-28T07:59:59Z", true),
        ("2026-11-28T08:00:00Z", false),
        ("2026-07-06T12:30:00Z", true),
    ] {
        let open = async |who: &Caller| server.post(who, "rpc/open_at", json!({ "moment": moment }), "").await.ok();
        assert_eq!(open(&ann).await, is_open, "{moment}");
        assert_eq!((open(&bob).await, open(&person).await), (json!(false), json!(false)), "not by another company's hours");
    }
    let always: serde_json::Map<String, Value> = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
        .map(|day| (day.to_owned(), json!({ "open": "00:00", "close": "24:00" })))
        .into_iter()
        .collect();
    assert_eq!(server.patch(&ann, "company_settings", json!({ "hours_of_operation": always }), "").await.status, 204);
    assert_eq!(labels(&server, &ann, "ledgers").await, json!(["books"]));
}

#[tokio::test]
async fn what_somebody_may_know_and_what_is_his() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.table(TABLES).await;
    let (manager, csr) = (server.member(&ann.company_id, "manager").await, server.member(&ann.company_id, "csr").await);
    let technician = server.member(&ann.company_id, "technician").await;
    let rows = json!([{ "label": "open", "settings": {} }, { "label": "restricted", "settings": { "pii_restricted": true } }]);
    assert_eq!(server.post(&ann, "persons", rows, "").await.status, 201);
    let (all, some) = (json!(["open", "restricted"]), json!(["open"]));
    assert_eq!((labels(&server, &ann, "persons").await, labels(&server, &manager, "persons").await), (all.clone(), all.clone()));
    assert_eq!((labels(&server, &csr, "persons").await, labels(&server, &technician, "persons").await), (some.clone(), some.clone()));
    // Given to one, taken from another, it counts at the next request.
    for (who, held, seen) in [(&csr, true, &all), (&manager, false, &some)] {
        let path = format!("team_members?user_id=eq.{}", who.user_id);
        assert_eq!(server.patch(&ann, &path, json!({ "permissions": { "pii:read": held } }), "").await.status, 204);
        assert_eq!(labels(&server, who, "persons").await, *seen);
    }

    let errands = [("hers", Some(&csr.user_id)), ("his", Some(&technician.user_id)), ("nobody's", None)]
        .map(|(label, whose)| json!({ "label": label, "assigned_to": whose }));
    assert_eq!(server.post(&ann, "errands", json!(errands), "").await.status, 201);
    assert_eq!(labels(&server, &technician, "errands").await, json!(["his"]));
    assert_eq!(labels(&server, &csr, "errands").await, json!(["hers", "his", "nobody's"]));
}
