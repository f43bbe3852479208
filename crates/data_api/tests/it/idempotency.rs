//! A write that is sent again with its `Idempotency-Key` is done once and answered as the first time.

use data_api::DataApiConfig;
use serde_json::{Value, json};

use crate::server::{Answer, Caller, Said, Server};

const MINE: &str = "7f0c2a4e-one";

async fn send(server: &Server, who: &Caller, (method, path): (&str, &str), body: Value, key: &str) -> Answer {
    let said = Said { prefer: "return=representation", header: Some(("idempotency-key", key)), ..Said::default() };
    server.call(who, (method, path), Some(body.to_string()), said).await
}

fn customer(name: &str) -> Value {
    json!({ "first_name": name, "phone": "+12025550101" })
}

async fn count(server: &Server, who: &Caller) -> usize {
    server.get(who, "customers?select=id").await.ok().as_array().unwrap().len()
}

#[tokio::test]
async fn the_same_request_gets_the_first_answer() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let first = send(&server, &ann, ("POST", "customers"), customer("Ada"), MINE).await;
    let again = send(&server, &ann, ("POST", "customers"), customer("Ada"), MINE).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, ""));
    assert_eq!((again.status, again.header("idempotency-replayed"), &again.text), (201, "true", &first.text));
    for name in ["content-type", "content-range", "preference-applied", "vary"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    // Quoted, as the standard has it, it is the same key.
    let quoted = send(&server, &ann, ("POST", "customers"), customer("Ada"), &format!("\"{MINE}\"")).await;
    assert_eq!((quoted.header("idempotency-replayed"), count(&server, &ann).await), ("true", 1));

    let path = format!("customers?id=eq.{}", first.body[0]["id"].as_str().unwrap());
    let change = json!({ "notes": "Rings twice" });
    let changed = send(&server, &ann, ("PATCH", &path), change.clone(), "two").await;
    server.patch(&ann, &path, json!({ "notes": "Knocks" }), "").await.ok();
    let again = send(&server, &ann, ("PATCH", &path), change, "two").await;
    assert_eq!((again.status, &again.text), (200, &changed.text));
    assert_eq!(server.get(&ann, &format!("{path}&select=notes")).await.ok(), json!([{ "notes": "Knocks" }]), "it was not done again");

    let founded = json!({ "name": "Second", "industry": "hvac" });
    let first = send(&server, &ann, ("POST", "rpc/create_company_with_owner"), founded.clone(), "three").await;
    let again = send(&server, &ann, ("POST", "rpc/create_company_with_owner"), founded, "three").await;
    assert_eq!((again.status, &again.body["id"]), (200, &first.body["id"]));
}

#[tokio::test]
async fn another_request_with_the_key_is_refused() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    send(&server, &ann, ("POST", "customers"), customer("Ada"), MINE).await.ok();
    send(&server, &ann, ("POST", "customers"), customer("Bea"), MINE).await.refused(422, "idempotency_key_mismatch");
    send(&server, &ann, ("POST", "customers?select=id"), customer("Ada"), MINE).await.refused(422, "idempotency_key_mismatch");
    send(&server, &ann, ("POST", "customers"), customer("Ada"), "\"\"").await.refused(400, "idempotency_key_invalid");
    send(&server, &ann, ("POST", "customers"), customer("Ada"), &"k".repeat(256)).await.refused(400, "idempotency_key_invalid");
    // A key belongs to its route.
    let path = format!("customers?first_name=eq.{}", "Ada");
    send(&server, &ann, ("PATCH", &path), json!({ "notes": "x" }), MINE).await.ok();
    assert_eq!(count(&server, &ann).await, 1);
}

#[tokio::test]
async fn a_key_belongs_to_one_caller_in_one_company() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let cleo = server.member(&ann.company_id, "manager").await;
    for (who, expected) in [(&ann, 1), (&cleo, 2), (&bob, 1)] {
        let answer = send(&server, who, ("POST", "customers"), customer("Ada"), MINE).await;
        assert_eq!((answer.status, answer.header("idempotency-replayed")), (201, ""));
        assert_eq!((answer.body[0]["company_id"].as_str().unwrap(), count(&server, who).await), (who.company_id.as_str(), expected));
    }
    // The service key in two companies, and Ann in a second one.
    for company in [&ann.company_id, &bob.company_id] {
        let service = server.service().working_in(company);
        assert_eq!(send(&server, &service, ("POST", "customers"), customer("Ada"), MINE).await.body[0]["company_id"], json!(company));
    }
    send(&server, &Server::nobody(), ("POST", "customers"), customer("Ada"), MINE).await.refused(401, "42501");
    // Who may no longer come in gets no kept answer either.
    let fired = json!({ "status": "suspended" });
    server.patch(&ann, &format!("team_members?user_id=eq.{}", cleo.user_id), fired, "").await.ok();
    send(&server, &cleo, ("POST", "customers"), customer("Ada"), MINE).await.refused(403, "company_not_member");
}

#[tokio::test]
async fn what_failed_may_be_tried_again_and_what_was_undone_is_not_kept() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let nameless = json!({ "first_name": "Ada", "phone": "no number" });
    let refused = send(&server, &ann, ("POST", "customers"), nameless.clone(), MINE).await;
    assert!((400..500).contains(&refused.status), "{}", refused.text);
    // It is another request now, and the key is still free.
    send(&server, &ann, ("POST", "customers"), customer("Ada"), MINE).await.ok();
    let said = Said { prefer: "tx=rollback", header: Some(("idempotency-key", "undone")), ..Said::default() };
    server.call(&ann, ("POST", "customers"), Some(customer("Bea").to_string()), said).await.ok();
    let done = send(&server, &ann, ("POST", "customers"), customer("Bea"), "undone").await;
    assert_eq!((done.status, done.header("idempotency-replayed"), count(&server, &ann).await), (201, "", 2));
}

#[tokio::test]
async fn while_the_first_is_at_work_the_second_is_told_to_wait() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let blocker = server.db.superuser().await;
    blocker.batch_execute("begin; lock table public.customers in share mode").await.unwrap();
    let first = send(&server, &ann, ("POST", "customers"), customer("Ada"), MINE);
    let second = async {
        let waits = "select 1 from pg_locks where locktype = 'relation' and not granted and relation = 'public.customers'::regclass
                       and database = (select oid from pg_database where datname = current_database())";
        let observer = server.db.superuser().await;
        while observer.query(waits, &[]).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let second = send(&server, &ann, ("POST", "customers"), customer("Ada"), MINE).await;
        blocker.batch_execute("commit").await.unwrap();
        second
    };
    let (first, second) = tokio::join!(first, second);
    second.refused(409, "idempotency_key_in_flight");
    assert_eq!((first.status, count(&server, &ann).await), (201, 1));
}

#[tokio::test]
async fn an_answer_that_is_too_large_to_keep_undoes_the_write() {
    let server = Server::with(DataApiConfig { idempotency_bytes_max: 1024, ..DataApiConfig::default() }).await;
    let ann = server.owner("ann").await;
    let rows: Vec<Value> =
        (0..20).map(|number| json!({ "first_name": format!("Ada {number}"), "phone": format!("+120255501{number:02}") })).collect();
    send(&server, &ann, ("POST", "customers"), json!(rows), MINE).await.refused(413, "idempotency_answer_too_large");
    assert_eq!(count(&server, &ann).await, 0);
    send(&server, &ann, ("POST", "customers?select=first_name"), json!(rows[..1]), MINE).await.ok();

    let off = Server::with(DataApiConfig { idempotency_hours: 0, ..DataApiConfig::default() }).await;
    let ann = off.owner("ann").await;
    for _ in 0..2 {
        send(&off, &ann, ("POST", "customers"), customer("Ada"), MINE).await.ok();
    }
    assert_eq!(count(&off, &ann).await, 2);
}

#[tokio::test]
async fn a_key_expires() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    send(&server, &ann, ("POST", "customers"), customer("Ada"), MINE).await.ok();
    let db = server.db.superuser().await;
    db.batch_execute("update app.idempotency_keys set expires_at = now() - interval '1 s'").await.unwrap();
    let again = send(&server, &ann, ("POST", "customers"), customer("Ada"), MINE).await;
    assert_eq!((again.header("idempotency-replayed"), count(&server, &ann).await), ("", 2));
    db.batch_execute("update app.idempotency_keys set expires_at = now() - interval '1 s'; select app.expire(100)").await.unwrap();
    assert!(db.query("select from app.idempotency_keys", &[]).await.unwrap().is_empty());
}
