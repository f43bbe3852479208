//! What a customer sees in the portal of a company: what is his, by the columns that are meant for him, and nothing to write.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::{Caller, Server};

/// Opens a session of a customer, as if he had followed a link.
pub(crate) async fn enter(server: &Server, company: &str, customer: &str) -> Caller {
    let (id, company_id) = (Uuid::now_v7(), company.parse::<Uuid>().unwrap());
    let bytes = [id.as_bytes().as_slice(), company_id.as_bytes(), &[7; 32]].concat();
    let text = format!("thp_{}", URL_SAFE_NO_PAD.encode(bytes));
    let sql = format!(
        "update public.customers set portal_enabled = true where company_id = '{company}' and id = '{customer}' and not portal_enabled;
         insert into auth.portal_sessions (company_id, id, customer_id, token_hash, opened_at, expires_at)
         values ('{company}', '{id}', '{customer}', encode(sha256('{text}'), 'hex'), now(), now() + interval '1 day')"
    );
    server.db.superuser().await.batch_execute(&sql).await.unwrap();
    Caller { token: Some(text), ..Caller::default() }
}

async fn titles(server: &Server, who: &Caller, table: &str) -> Value {
    server.get(who, &format!("{table}?select=title&order=title")).await.ok()
}

#[tokio::test]
async fn a_customer_sees_his_own_and_writes_nothing() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let (ada, ben) = (server.customer(&ann, "Ada").await, server.customer(&ann, "Ben").await);
    let far = server.customer(&bob, "Far").await;
    for (who, customer, title) in [(&ann, &ada, "Hers"), (&ann, &ben, "His"), (&bob, &far, "Far")] {
        let line = json!([{ "description": "Visit", "quantity": 1, "unit_price": 9000, "unit_cost": 1000 }]);
        let job = json!({ "customer_id": customer, "title": title, "notes": "internal" });
        assert_eq!(server.post(who, "jobs", job, "").await.status, 201);
        for (table, name) in [
            ("estimates", title.to_owned()),
            ("estimates", format!("{title} draft")),
            ("invoices", title.to_owned()),
            ("invoices", format!("{title} draft")),
        ] {
            let row = json!({ "customer_id": customer, "title": name, "line_items": line, "notes": "internal" });
            assert_eq!(server.post(who, table, row, "").await.status, 201, "{table}");
            if !name.ends_with("draft") {
                let sent = server.patch(who, &format!("{table}?title=eq.{name}"), json!({ "status": "sent" }), "").await;
                assert_eq!(sent.status, 204, "{}", sent.text);
            }
        }
    }
    let portal = enter(&server, &ann.company_id, &ada).await;
    for table in ["jobs", "estimates", "invoices"] {
        assert_eq!(titles(&server, &portal, table).await, json!([{ "title": "Hers" }]), "{table}");
    }
    let lines = server.get(&portal, "invoices?select=total_amount,invoice_line_items(description,total),customers(first_name)").await.ok();
    let hers = json!([{ "total_amount": 9000, "invoice_line_items": [{ "description": "Visit", "total": 9000 }], "customers": { "first_name": "Ada" } }]);
    assert_eq!(lines, hers);
    assert_eq!(server.get(&portal, "estimate_line_items?select=description").await.ok(), json!([{ "description": "Visit" }]));
    assert_eq!(server.get(&portal, "companies?select=name").await.ok(), json!([{ "name": "ann" }]));
    assert_eq!(server.get(&portal, "customers?select=first_name").await.ok(), json!([{ "first_name": "Ada" }]));
    // What is meant for the company alone is not told, in whichever way it is asked for.
    for hidden in [
        "jobs?select=notes",
        "jobs?select=profit_margin_actual",
        "jobs?select=id&notes=eq.internal",
        "jobs?select=id&order=notes",
        "jobs",
        "invoices?select=line_items",
        "invoice_line_items?select=unit_cost",
        "customers?select=internal_notes",
        "team_members?select=id",
        "audit_logs?select=id",
        "public_links?select=id",
        "api_keys?select=id",
        "invoices?select=id,payment_token",
    ] {
        server.get(&portal, hidden).await.refused(403, "42501");
    }
    let hers = format!("customers?id=eq.{ada}");
    server.patch(&portal, &hers, json!({ "first_name": "Eve" }), "").await.refused(403, "42501");
    server.delete(&portal, &hers, "").await.refused(403, "42501");
    server.post(&portal, "jobs", json!({ "customer_id": ada, "title": "New" }), "").await.refused(403, "42501");
    server.post(&portal, "rpc/search_customers", json!({ "query": "ada" }), "").await.refused(403, "42501");
    server.get(&portal.working_in(&bob.company_id), "jobs?select=title").await.refused(403, "company_not_member");
    // What is deleted is gone for him, too.
    assert_eq!(server.patch(&ann, "jobs?title=eq.Hers", json!({ "deleted_at": "now" }), "").await.status, 204);
    assert_eq!(titles(&server, &portal, "jobs").await, json!([]));
    // Closed by a member, it is closed at his next request, and for good.
    assert_eq!(server.patch(&ann, &hers, json!({ "portal_enabled": false }), "").await.status, 204);
    server.get(&portal, "invoices?select=id").await.refused(401, "portal_session_over");
    assert_eq!(server.patch(&ann, &hers, json!({ "portal_enabled": true }), "").await.status, 204);
    server.get(&portal, "invoices?select=id").await.refused(401, "portal_session_over");
    let other = enter(&server, &ann.company_id, &ben).await;
    assert_eq!(titles(&server, &other, "invoices").await, json!([{ "title": "His" }]));
    let forged = Caller { token: other.token.map(|text| format!("{}A", &text[..text.len() - 1])), ..Caller::default() };
    server.get(&forged, "invoices?select=id").await.refused(401, "portal_session_over");
}

#[tokio::test]
async fn sessions_that_are_over_are_not_kept() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let (ada, ben) = (server.customer(&ann, "Ada").await, server.customer(&ann, "Ben").await);
    enter(&server, &ann.company_id, &ada).await;
    let portal = enter(&server, &ann.company_id, &ben).await;
    let client = server.db.superuser().await;
    let over = format!("update auth.portal_sessions set expires_at = now() - interval '25 hours' where customer_id = '{ada}'");
    client.batch_execute(&over).await.unwrap();
    assert_eq!(client.query_one("select app.expire(100)", &[]).await.unwrap().get::<_, i64>(0), 1);
    let left: String = client.query_one("select string_agg(customer_id::text, ' ') from auth.portal_sessions", &[]).await.unwrap().get(0);
    assert_eq!(left, ben);
    assert_eq!(titles(&server, &portal, "jobs").await, json!([]));
}
