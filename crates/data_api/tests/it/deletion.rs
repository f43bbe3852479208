//! What a deletion does to a row that is kept for a while: it is gone for everybody, can be brought back, and goes for good after its date.

use serde_json::json;

use crate::server::{Said, Server};

const FULL: &str = "return=representation";
const WITH_DELETED: Said<'static> = Said { prefer: "deleted=include", accept: "", header: None };

#[tokio::test]
async fn a_deletion_marks_and_a_restoration_brings_back() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let id = server.customer(&ann, "Ada").await;
    let one = format!("customers?id=eq.{id}");
    let gone = server.delete(&ann, &format!("{one}&select=first_name,deleted_by"), FULL).await;
    assert_eq!((gone.status, &gone.body), (200, &json!([{ "first_name": "Ada", "deleted_by": ann.user_id }])));
    assert_eq!(server.get(&ann, "customers").await.ok(), json!([]));
    let again = server.delete(&ann, &one, FULL).await;
    assert_eq!((again.status, &again.body), (200, &json!([])), "it is not there");
    let kept = server.get_with(&ann, &format!("{one}&select=status,first_name"), WITH_DELETED).await;
    assert_eq!(kept.ok(), json!([{ "status": "archived", "first_name": "Ada" }]));
    let restored = format!("{one}&select=status,deleted_by");
    let back = server.patch(&ann, &restored, json!({ "deleted_at": null }), "deleted=include,return=representation").await;
    assert_eq!(back.ok(), json!([{ "status": "active", "deleted_by": null }]));
    assert_eq!(server.get(&ann, "customers?select=first_name").await.ok(), json!([{ "first_name": "Ada" }]));
}

#[tokio::test]
async fn for_good_only_after_its_date() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let id = server.customer(&ann, "Ada").await;
    let one = format!("customers?id=eq.{id}");
    server.delete(&ann, &one, "deleted=include").await.refused(409, "permanent_deletion_early");
    assert_eq!(server.delete(&ann, &one, "").await.status, 204);
    server.delete(&ann, &one, "deleted=include").await.refused(409, "permanent_deletion_early");
    server.delete(&server.service(), &one, "deleted=include").await.refused(409, "permanent_deletion_early");
    let due = format!("update public.customers set permanent_delete_scheduled_at = now() - interval '1 minute' where id = '{id}'");
    server.db.superuser().await.batch_execute(&due).await.unwrap();
    assert_eq!(server.delete(&ann, &one, "deleted=include,return=representation").await.ok().as_array().unwrap().len(), 1);
    assert_eq!(server.get_with(&ann, &one, WITH_DELETED).await.ok(), json!([]));
}

#[tokio::test]
async fn whoever_may_not_delete_reaches_nothing() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let id = server.customer(&ann, "Ada").await;
    for role in ["manager", "dispatcher", "technician", "csr", "member", "viewer"] {
        let who = server.member(&ann.company_id, role).await;
        let answer = server.delete(&who, &format!("customers?id=eq.{id}"), FULL).await;
        assert_eq!((answer.status, &answer.body), (200, &json!([])), "{role}");
    }
    let bob = server.owner("bob").await;
    assert_eq!(server.delete(&bob, &format!("customers?id=eq.{id}"), FULL).await.ok(), json!([]));
    server.delete(&crate::server::Caller::default(), &format!("customers?id=eq.{id}"), FULL).await.refused(401, "42501");
    assert_eq!(server.get(&ann, "customers?select=first_name").await.ok(), json!([{ "first_name": "Ada" }]));
}

#[tokio::test]
async fn an_address_that_was_freed_may_be_taken_and_then_not_be_restored() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let row = |name: &str| json!({ "first_name": name, "email": "Ada@Example.com" });
    let first = server.post(&ann, "customers?select=id", row("Ada"), FULL).await;
    let one = format!("customers?id=eq.{}", first.body[0]["id"].as_str().unwrap());
    server.post(&ann, "customers", json!({ "first_name": "Twin", "email": "ada@example.COM " }), "").await.refused(409, "23505");
    assert_eq!(server.delete(&ann, &one, "").await.status, 204);
    assert_eq!(server.post(&ann, "customers", row("Bea"), "").await.status, 201);
    server.patch(&ann, &one, json!({ "deleted_at": null }), "deleted=include").await.refused(409, "23505");
    assert_eq!(server.get(&ann, "customers?select=first_name").await.ok(), json!([{ "first_name": "Bea" }]));
}

#[tokio::test]
async fn ones_own_notes_may_be_deleted_and_not_those_of_others() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let tom = server.member(&ann.company_id, "technician").await;
    let customer = server.customer(&ann, "Ada").await;
    let job = json!({ "customer_id": customer, "title": "Fix", "assigned_to": tom.user_id });
    let job = server.post(&ann, "jobs?select=id", job, FULL).await.body[0]["id"].clone();
    for who in [&ann, &tom] {
        let note = json!({ "entity_type": "job", "entity_id": job, "content": who.user_id });
        assert_eq!(server.post(who, "notes", note, "").await.status, 201);
    }
    assert_eq!(server.get(&tom, "notes").await.ok().as_array().unwrap().len(), 2, "he works on the job and reads its notes");
    let gone = server.delete(&tom, "notes?content=neq.x&select=content", FULL).await;
    assert_eq!(gone.ok(), json!([{ "content": tom.user_id }]), "only what he wrote");
    assert_eq!(server.get(&ann, "notes?select=content").await.ok(), json!([{ "content": ann.user_id }]));
}

#[tokio::test]
async fn a_deletion_through_an_alias_marks_too() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let id = server.customer(&ann, "Ada").await;
    let shared = Said { prefer: FULL, accept: "", header: Some(("content-profile", "shared")) };
    let gone = server.call(&ann, ("DELETE", &format!("customers?id=eq.{id}&select=first_name")), None, shared).await;
    assert_eq!(gone.ok(), json!([{ "first_name": "Ada" }]));
    let kept = server.get_with(&ann, &format!("customers?id=eq.{id}&select=first_name"), WITH_DELETED).await;
    assert_eq!(kept.ok(), json!([{ "first_name": "Ada" }]));
}

const DATES: &str =
    "deleted_at > now() - interval '1 minute' and deleted_at <= now() and permanent_delete_scheduled_at = deleted_at + interval";

#[tokio::test]
async fn nobody_chooses_when_a_row_was_deleted_or_when_it_goes() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let client = server.db.superuser().await;
    let past = json!({ "deleted_at": "2020-01-01T00:00:00Z", "permanent_delete_scheduled_at": "2020-01-02T00:00:00Z", "deleted_by": null });
    for who in [&ann, &server.service()] {
        let id = server.customer(&ann, "Ada").await;
        let one = format!("customers?id=eq.{id}&company_id=eq.{}", ann.company_id);
        assert_eq!(server.patch(who, &one, past.clone(), "").await.status, 204);
        let right = format!("select {DATES} '90 days' from public.customers where id = '{id}'");
        assert!(client.query_one(&right, &[]).await.unwrap().get::<_, bool>(0), "what was asked for is not what stands there");
        // Of what is deleted already the dates stay, too.
        assert_eq!(server.patch(who, &one, past.clone(), "deleted=include").await.status, 204);
        assert!(client.query_one(&right, &[]).await.unwrap().get::<_, bool>(0), "the date was moved");
        server.delete(who, &one, "deleted=include").await.refused(409, "permanent_deletion_early");
    }
    let entered = json!({ "first_name": "Bea", "phone": "+15550100", "deleted_at": "2020-01-01T00:00:00Z",
                          "permanent_delete_scheduled_at": "2020-01-02T00:00:00Z" });
    assert_eq!(server.post(&ann, "customers", entered, "").await.status, 201);
    let right = format!("select {DATES} '90 days' from public.customers where first_name = 'Bea'");
    assert!(client.query_one(&right, &[]).await.unwrap().get::<_, bool>(0), "entered as deleted long ago");
}

#[tokio::test]
async fn the_date_of_an_archived_row_is_not_that_of_its_deletion() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let client = server.db.superuser().await;
    let customer = server.customer(&ann, "Ada").await;
    let job = server.post(&ann, "jobs?select=id", json!({ "customer_id": customer, "title": "Fix" }), FULL).await.ok();
    let one = format!("jobs?id=eq.{}", job[0]["id"].as_str().unwrap());
    assert_eq!(server.patch(&ann, &one, json!({ "status": "archived" }), "").await.status, 204);
    let long_ago =
        "update public.jobs set archived_at = now() - interval '1 year', permanent_delete_scheduled_at = now() - interval '9 months'";
    client.batch_execute(long_ago).await.unwrap();
    assert_eq!(server.delete(&ann, &one, "").await.status, 204);
    let right = format!("select {DATES} '90 days' from public.jobs");
    assert!(client.query_one(&right, &[]).await.unwrap().get::<_, bool>(0), "the date of the archive stayed");
    // Leaving the archive clears the archive's date, and not that of the deletion.
    assert_eq!(server.patch(&ann, &one, json!({ "status": "quoted" }), "deleted=include").await.status, 204);
    assert!(client.query_one(&right, &[]).await.unwrap().get::<_, bool>(0), "the date was lost");
    server.delete(&ann, &one, "deleted=include").await.refused(409, "permanent_deletion_early");
}

#[tokio::test]
async fn a_company_says_how_long_it_keeps_what_was_deleted() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let client = server.db.superuser().await;
    let settings = json!({ "company_id": ann.company_id, "retention": { "deleted_rows": 30 } });
    let kept = server.post(&ann, "company_settings", settings, "resolution=merge-duplicates").await;
    assert!((200..300).contains(&kept.status), "{}", kept.text);
    for (who, days) in [(&ann, "30 days"), (&bob, "90 days")] {
        let id = server.customer(who, "Ada").await;
        assert_eq!(server.delete(who, &format!("customers?id=eq.{id}"), "").await.status, 204);
        let right = format!("select {DATES} '{days}' from public.customers where id = '{id}'");
        assert!(client.query_one(&right, &[]).await.unwrap().get::<_, bool>(0), "{days}");
    }
}

#[tokio::test]
async fn ones_own_is_what_names_him_and_nothing_else() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let max = server.member(&ann.company_id, "manager").await;
    let own = json!({ "permissions": { "customers:delete_own": true, "customers:restore_own": true,
                                       "payments:delete_own": true, "notes:delete": false, "notes:delete_own": true } });
    assert_eq!(server.patch(&ann, &format!("team_members?user_id=eq.{}", max.user_id), own, "").await.status, 204);
    let gone = json!({ "deleted_at": "2026-11-21T00:00:00Z" });

    // A table without an owner of its rows.
    let id = server.customer(&max, "Ada").await;
    server.patch(&max, &format!("customers?id=eq.{id}"), gone.clone(), "").await.refused(403, "permission_denied");
    assert_eq!(server.delete(&ann, &format!("customers?id=eq.{id}"), "").await.status, 204);
    let back = format!("customers?id=eq.{id}&select=id");
    let back = server.patch(&max, &back, json!({ "deleted_at": null }), "deleted=include,return=representation").await;
    assert_eq!(back.ok(), json!([]), "what is deleted is not there for him");
    let born_deleted = json!({ "first_name": "Bea", "phone": "+15550100", "deleted_at": "2026-11-21T00:00:00Z" });
    server.post(&max, "customers", born_deleted, "").await.refused(403, "permission_denied");

    // Rows of nobody, of somebody else, and his own.
    let customer = server.customer(&ann, "Cid").await;
    let payment = json!({ "company_id": ann.company_id, "customer_id": customer, "amount": 100, "payment_method": "cash" });
    let payment = server.post(&server.service(), "payments?select=id,created_by", payment, FULL).await.ok();
    assert_eq!(payment[0]["created_by"], json!(null));
    let one = format!("payments?id=eq.{}", payment[0]["id"].as_str().unwrap());
    server.patch(&max, &one, gone.clone(), "").await.refused(403, "permission_denied");
    for (author, status) in [(&ann, 403), (&max, 204)] {
        let note = json!({ "entity_type": "customer", "entity_id": customer, "content": author.user_id });
        assert_eq!(server.post(author, "notes", note, "").await.status, 201);
        let answer = server.patch(&max, &format!("notes?content=eq.{}", author.user_id), gone.clone(), "").await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}
