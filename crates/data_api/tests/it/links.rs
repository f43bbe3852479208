//! Links: one row, one purpose, so many uses; and what customers answer in the portal by the same functions.

use serde_json::{Value, json};

use crate::portal::enter;
use crate::server::{Answer, Caller, Server};

async fn link(server: &Server, who: &Caller, wish: Value) -> Caller {
    let made = server.auth(who, "links", wish).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.body.get("token_hash"), None);
    Caller { token: Some(made.body["token"].as_str().unwrap().to_owned()), ..Caller::default() }
}

/// Makes an estimate that was sent, and returns its id.
async fn estimate(server: &Server, who: &Caller, customer: &str, title: &str) -> String {
    let line = json!([{ "description": title, "quantity": 1, "unit_price": 9000 }]);
    let row = json!({ "customer_id": customer, "title": title, "line_items": line });
    let made = server.post(who, "estimates?select=id", row, "return=representation").await.ok();
    let id = made[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(server.patch(who, &format!("estimates?id=eq.{id}"), json!({ "status": "sent" }), "").await.status, 204);
    id
}

async fn titles(server: &Server, who: &Caller, table: &str) -> Value {
    server.get(who, &format!("{table}?select=title&order=title")).await.ok()
}

async fn call(server: &Server, who: &Caller, function: &str, arguments: Value) -> Answer {
    server.post(who, &format!("rpc/{function}"), arguments, "").await
}

#[tokio::test]
async fn a_link_reads_its_row_and_does_what_it_is_for_once() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let ada = server.customer(&ann, "Ada").await;
    let (first, second) = (estimate(&server, &ann, &ada, "First").await, estimate(&server, &ann, &ada, "Second").await);
    let accept = link(&server, &ann, json!({ "purpose": "accept_estimate", "estimate_id": first })).await;
    assert_eq!(titles(&server, &accept, "estimates").await, json!([{ "title": "First" }]));
    assert_eq!(server.get(&accept, "estimate_line_items?select=description").await.ok(), json!([{ "description": "First" }]));
    for nothing in ["invoices", "contracts", "jobs"] {
        assert_eq!(titles(&server, &accept, nothing).await, json!([]), "{nothing}");
    }
    assert_eq!(server.get(&accept, "customers?select=first_name").await.ok(), json!([]));
    server.get(&accept, "public_links?select=id").await.refused(403, "42501");
    server.get(&accept.working_in(&bob.company_id), "estimates?select=title").await.refused(403, "company_not_member");
    // It is of this estimate and for this.
    call(&server, &accept, "accept_estimate", json!({ "name": "Eve", "estimate_id": second })).await.refused(404, "nothing_to_answer");
    call(&server, &accept, "sign_contract", json!({ "name": "Eve", "signature": "x" })).await.refused(403, "permission_denied");
    call(&server, &accept, "ask_for_visit", json!({ "title": "More" })).await.refused(403, "permission_denied");
    call(&server, &accept, "accept_estimate", json!({ "name": " " })).await.refused(422, "signer_name_missing");
    let done = call(&server, &accept, "accept_estimate", json!({ "name": "Ada Lee" })).await.ok();
    assert_eq!(done, json!({ "id": first, "status": "accepted" }));
    let row = server.get(&ann, &format!("estimates?select=status,accepted_by_name&id=eq.{first}")).await.ok();
    assert_eq!(row, json!([{ "status": "accepted", "accepted_by_name": "Ada Lee" }]));
    call(&server, &accept, "accept_estimate", json!({ "name": "Ada Lee" })).await.refused(404, "nothing_to_answer");
    assert_eq!(titles(&server, &accept, "estimates").await, json!([{ "title": "First" }]), "for a while it can be looked at");
    let past = "update public.public_links set last_used_at = now() - interval '61 minutes'";
    server.db.superuser().await.batch_execute(past).await.unwrap();
    server.get(&accept, "estimates?select=title").await.refused(401, "link_not_valid");
    // Whoever only looks opens it first; that is the use.
    let view = link(&server, &ann, json!({ "purpose": "view_estimate", "estimate_id": second })).await;
    assert_eq!(titles(&server, &view, "estimates").await, json!([]));
    assert_eq!(call(&server, &view, "open_link", json!({})).await.ok()["purpose"], "view_estimate");
    assert_eq!(call(&server, &view, "open_link", json!({})).await.ok()["estimate_id"], json!(second));
    assert_eq!(titles(&server, &view, "estimates").await, json!([{ "title": "Second" }]));
    call(&server, &view, "accept_estimate", json!({ "name": "Eve" })).await.refused(403, "permission_denied");
    server.db.superuser().await.batch_execute(past).await.unwrap();
    server.get(&view, "estimates?select=title").await.refused(401, "link_not_valid");
}

#[tokio::test]
async fn two_at_once_use_a_link_once_and_one_taken_back_is_refused() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let ada = server.customer(&ann, "Ada").await;
    let book = link(&server, &ann, json!({ "purpose": "book", "customer_id": ada })).await;
    let ask = || call(&server, &book, "ask_for_visit", json!({ "title": "Leak", "contact_name": "Ada" }));
    let (one, other) = tokio::join!(ask(), ask());
    let refused = if one.status == 200 { &other } else { &one };
    assert_eq!(u16::from(one.status == 200) + u16::from(other.status == 200), 1, "{} {}", one.text, other.text);
    refused.refused(403, "link_used_up");
    let asked = server.get(&ann, "requests?select=title,source,customer_id,status").await.ok();
    assert_eq!(asked, json!([{ "title": "Leak", "source": "web", "customer_id": ada, "status": "new" }]));
    let job = json!({ "customer_id": ada, "title": "Boiler" });
    let job = server.post(&ann, "jobs?select=id", job, "return=representation").await.ok()[0]["id"].clone();
    let review = link(&server, &ann, json!({ "purpose": "review", "job_id": job, "uses_max": 2 })).await;
    assert_eq!(titles(&server, &review, "jobs").await, json!([{ "title": "Boiler" }]));
    call(&server, &review, "leave_review", json!({ "rating": 6 })).await.refused(422, "rating_invalid");
    assert_eq!(call(&server, &review, "leave_review", json!({ "rating": 5, "review_text": "Good" })).await.status, 200);
    let left = "customer_reviews?select=rating,review_text,job_id,customer_id,moderation_status";
    let row = |rating: u32, text: &str, status: &str| json!([{ "rating": rating, "review_text": text, "job_id": job, "customer_id": ada, "moderation_status": status }]);
    assert_eq!(server.get(&ann, left).await.ok(), row(5, "Good", "pending"));
    // Again, by the link or in the portal, he changes what he wrote; it is looked at anew.
    assert_eq!(server.patch(&ann, "customer_reviews", json!({ "moderation_status": "approved" }), "").await.status, 204);
    assert_eq!(call(&server, &review, "leave_review", json!({ "rating": 4, "review_text": "Fine" })).await.status, 200);
    assert_eq!(server.get(&ann, left).await.ok(), row(4, "Fine", "pending"));
    let portal = enter(&server, &ann.company_id, &ada).await;
    let again = || call(&server, &portal, "leave_review", json!({ "rating": 1, "review_text": "Worse", "job_id": job }));
    let (one, other) = tokio::join!(again(), again());
    assert_eq!((one.status, other.status), (200, 200), "{} {}", one.text, other.text);
    assert_eq!(server.get(&ann, left).await.ok(), row(1, "Worse", "pending"));
    for rating in [2, 3] {
        assert_eq!(call(&server, &portal, "leave_review", json!({ "rating": rating })).await.status, 200);
    }
    let all = server.get(&ann, "customer_reviews?select=rating,reviewed&order=rating").await.ok();
    assert_eq!(all, json!([{ "rating": 1, "reviewed": "job" }, { "rating": 3, "reviewed": "company" }]));
    assert_eq!(server.patch(&ann, "public_links?purpose=eq.review", json!({ "revoked_at": "2026-11-23T00:00:00Z" }), "").await.status, 204);
    call(&server, &review, "leave_review", json!({ "rating": 1 })).await.refused(401, "link_not_valid");
    server.get(&review, "jobs?select=title").await.refused(401, "link_not_valid");
}

#[tokio::test]
async fn two_who_open_a_link_at_once_both_see_what_it_shows() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let ada = server.customer(&ann, "Ada").await;
    let shown = estimate(&server, &ann, &ada, "Shown").await;
    let view = link(&server, &ann, json!({ "purpose": "view_estimate", "estimate_id": shown })).await;
    let (first, observer) = (server.db.superuser().await, server.db.superuser().await);
    // As another opening does that is not over.
    first.batch_execute("begin; update public.public_links set use_count = use_count + 1, last_used_at = now()").await.unwrap();
    let meeting = async {
        let waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
        while observer.query(waits, &[]).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        first.batch_execute("commit").await.unwrap();
    };
    let (second, ()) = tokio::join!(call(&server, &view, "open_link", json!({})), meeting);
    assert_eq!(second.ok()["estimate_id"], json!(shown));
    assert_eq!(titles(&server, &view, "estimates").await, json!([{ "title": "Shown" }]));
}

#[tokio::test]
async fn who_makes_links_and_what_a_customer_answers() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let (ada, ben) = (server.customer(&ann, "Ada").await, server.customer(&ann, "Ben").await);
    let (hers, his) = (estimate(&server, &ann, &ada, "Hers").await, estimate(&server, &ann, &ben, "His").await);
    let wish = |purpose: &str, estimate: &str| json!({ "purpose": purpose, "estimate_id": estimate });
    let technician = server.member(&ann.company_id, "technician").await;
    server.auth(&technician, "links", wish("view_estimate", &hers)).await.refused_by_auth(403, "permission_denied");
    server.auth(&bob, "links", wish("view_estimate", &hers)).await.refused_by_auth(422, "link_target_missing");
    server.auth(&Server::nobody(), "links", wish("view_estimate", &hers)).await.refused_by_auth(401, "no_authorization");
    server.auth(&ann, "links", wish("burn", &hers)).await.refused_by_auth(400, "validation_failed");
    server.auth(&ann, "links", json!({ "purpose": "pay_invoice" })).await.refused_by_auth(422, "link_target_missing");
    let mut over = wish("view_estimate", &hers);
    over["expires_at"] = json!("2026-01-01T00:00:00Z");
    server.auth(&ann, "links", over).await.refused_by_auth(422, "link_expiry_invalid");
    // In the portal a customer names what he answers, and answers what is his.
    let portal = enter(&server, &ann.company_id, &ada).await;
    call(&server, &portal, "accept_estimate", json!({ "name": "Ada", "estimate_id": his })).await.refused(404, "nothing_to_answer");
    call(&server, &portal, "accept_estimate", json!({ "name": "Ada" })).await.refused(404, "nothing_to_answer");
    let declined = call(&server, &portal, "decline_estimate", json!({ "estimate_id": hers, "reason": "Too much" })).await.ok();
    assert_eq!(declined, json!({ "id": hers, "status": "rejected" }));
    let contract = json!({ "customer_id": ada, "estimate_id": hers, "title": "Care", "content": "Text" });
    let id = server.post(&ann, "contracts?select=id", contract, "return=representation").await.ok()[0]["id"].clone();
    let sign = json!({ "contract_id": id, "name": "Ada Lee", "signature": "data:image/png;base64,AA==" });
    call(&server, &portal, "sign_contract", sign.clone()).await.refused(404, "nothing_to_answer");
    assert_eq!(server.patch(&ann, "contracts?title=eq.Care", json!({ "status": "sent" }), "").await.status, 204);
    assert_eq!(call(&server, &portal, "sign_contract", sign).await.ok()["status"], "signed");
    let asked = call(&server, &portal, "ask_for_visit", json!({ "title": "Leak" })).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    assert_eq!(server.get(&ann, "requests?select=source,customer_id").await.ok(), json!([{ "source": "portal", "customer_id": ada }]));
    assert_eq!(call(&server, &portal, "leave_review", json!({ "rating": 4 })).await.status, 200);
    call(&server, &portal, "open_link", json!({})).await.refused(404, "nothing_to_answer");
    // A member has no part in them.
    call(&server, &ann, "accept_estimate", json!({ "name": "Ann", "estimate_id": his })).await.refused(403, "42501");
}
