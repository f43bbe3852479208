//! Who is held keeps what is his: files, rows of his things, whatever others ask for; and nobody is held in the middle of his erasure.

use serde_json::{Value, json};

use super::asked::{ERASE, customer, text};
use crate::rates::{Person, soon};
use crate::transfers::shop::Shop;

/// Holds a customer.
async fn hold(shop: &Shop, who: &Person, customer: &str) {
    let hold = json!({ "customer_id": customer, "reason": "A lawsuit about the boiler" });
    assert_eq!(shop.post("/rest/v1/legal_holds", who, hold).await.status, 201);
}

/// A customer with an address of his own.
async fn named(shop: &Shop, word: &str) -> String {
    let (id, _) = customer(shop, &shop.ann, word).await;
    let own = format!(
        "update public.customers set email = '{word}@person.example', phone = '+1202555{:04}' where id = '{id}'",
        200 + word.len() + usize::from(word.as_bytes()[0])
    );
    shop.db.superuser().await.batch_execute(&own).await.unwrap();
    id
}

async fn made(shop: &Shop, table: &str, who: &Person, row: Value) -> String {
    let request = shop.request("POST", &format!("/rest/v1/{table}"), who).header("prefer", "return=representation");
    let made = shop.server.send(request.body(row.to_string())).await;
    assert_eq!(made.status, 201, "{table}: {}", made.body);
    text(&made.body[0]["id"])
}

#[tokio::test]
async fn files_of_whoever_is_held_outlive_the_trash() {
    let shop = Shop::open_with(|settings| {
        settings.storage.trash_days = 0;
        settings.maintenance.upkeep_interval_ms = 50;
    })
    .await;
    let ann = &shop.ann;
    let held = named(&shop, "held").await;
    let free = named(&shop, "free").await;
    hold(&shop, ann, &held).await;
    // Of each a file that a row of his property has, and one in a folder of his own.
    for (word, id) in [("held", &held), ("free", &free)] {
        let property = made(
            &shop,
            "properties",
            ann,
            json!({ "customer_id": id, "name": word, "address": "1 Main St", "city": "Springfield",
                                                               "state": "IL", "zip_code": "62701" }),
        )
        .await;
        for name in [format!("{word}-plan.txt"), format!("{id}/{word}-letter.txt")] {
            let path = format!("{}/{name}", ann.company);
            let sent = shop.request("POST", &format!("/storage/v1/object/attachments/{path}"), ann).header("content-type", "text/plain");
            assert_eq!(shop.server.send(sent.body(word)).await.status, 200);
            if name.ends_with("plan.txt") {
                let row = json!({ "file_name": "plan.txt", "original_file_name": "plan.txt", "mime_type": "text/plain", "entity_type": "property",
                                  "entity_id": property, "storage_bucket": "attachments", "storage_path": path });
                let row = made(&shop, "attachments", ann, row).await;
                let marked = shop.request("DELETE", &format!("/rest/v1/attachments?id=eq.{row}"), ann);
                assert_eq!(shop.server.send(marked).await.status, 204);
            } else {
                let gone = shop.request("DELETE", &format!("/storage/v1/object/attachments/{path}"), ann);
                assert_eq!(shop.server.send(gone).await.status, 200);
            }
        }
    }
    let kept =
        |word: &str| format!("select count(*) from app.object_versions where name ~ '{word}-(plan|letter)' and ended_how = 'removed'");
    soon("the trash is empty of whoever is free", async || shop.count(&kept("free")).await == 0).await;
    assert_eq!(shop.count(&kept("held")).await, 2);
    // The row that had it stays, too: a property is a thing of his.
    let client = shop.db.superuser().await;
    let refused = client.batch_execute("delete from public.attachments where storage_path ~ 'held-plan'").await.unwrap_err();
    assert_eq!(refused.as_db_error().and_then(|error| error.constraint()), Some("person_held"));
    client.batch_execute("delete from public.attachments where storage_path ~ 'free-plan'").await.unwrap();
    // Released, they go like all others.
    client.batch_execute("update public.legal_holds set released_at = now()").await.unwrap();
    soon("the trash is empty", async || shop.count(&kept("held")).await == 0).await;
    shop.server.stop().await;
}

#[tokio::test]
async fn a_hold_that_ran_out_is_not_made_longer_while_its_person_is_erased() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    let (jane, _) = customer(&shop, ann, "jane").await;
    hold(&shop, ann, &jane).await;
    let client = shop.db.superuser().await;
    let over = "set session_replication_role = replica; update public.legal_holds set holds_until = current_date - 1; set session_replication_role = origin";
    client.batch_execute(over).await.unwrap();
    let longer = async || {
        let request = shop.request("PATCH", "/rest/v1/legal_holds?id=not.is.null", ann);
        shop.server.send(request.body(json!({ "holds_until": "2099-01-01" }).to_string())).await
    };
    let under_way = format!(
        "insert into app.erasures (company_id, subject, subject_id, asked_how, status) values ('{}', 'customer', '{jane}', 'member', 'running')",
        ann.company
    );
    client.batch_execute(&under_way).await.unwrap();
    Shop::refused(&longer().await, 409, "person_erased");
    client.batch_execute("delete from app.erasures").await.unwrap();
    assert_eq!(longer().await.status, 204);
    Shop::refused(&shop.post(ERASE, ann, json!({ "customer_id": jane, "confirm": true })).await, 409, "person_held");
    shop.server.stop().await;
}

#[tokio::test]
async fn whoever_is_erased_takes_nothing_of_one_who_is_held() {
    let shop = Shop::open().await;
    let ann = &shop.ann;
    // Letters about the one's boiler went to the other's address, as in one house they do.
    let held = named(&shop, "held").await;
    let gone = customer(&shop, ann, "gone").await.0;
    hold(&shop, ann, &held).await;
    let client = shop.db.superuser().await;
    let also = format!(
        "insert into public.communications (company_id, job_id, type, to_address, body)
           select company_id, id, 'email', 'shared@person.example', 'about the boiler' from public.jobs where customer_id = '{held}';
         insert into public.email_logs (company_id, job_id, \"to\", \"from\", subject, template_type)
           select company_id, id, 'shared@person.example', 'us@ann.example', 'The boiler', 'x' from public.jobs where customer_id = '{held}';
         set session_replication_role = replica;
         insert into public.notes (company_id, entity_type, entity_id, job_id, content, deleted_at)
           select company_id, 'customer', '{gone}', id, 'of both', now() from public.jobs where customer_id = '{held}';
         set session_replication_role = origin"
    );
    client.batch_execute(&also).await.unwrap();
    let asked = shop.post(ERASE, ann, json!({ "customer_id": gone, "confirm": true })).await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    shop.until(&format!("/api/gdpr/erasures/{}", text(&asked.body["data"]["id"])), ann, "completed").await;
    for kept in [
        "public.communications where body = 'about the boiler' and to_address = 'shared@person.example'",
        "public.email_logs where subject = 'The boiler'",
        "public.notes where content = 'of both'",
        "public.customers where first_name = 'held'",
    ] {
        assert_eq!(shop.count(&format!("select count(*) from {kept}")).await, 1, "{kept}");
    }
    assert_eq!(shop.count("select count(*) from public.customers where first_name = 'gone'").await, 0);
    shop.server.stop().await;
}

#[tokio::test]
async fn an_account_takes_from_nobodys_settings_an_address_that_it_never_proved() {
    let shop = Shop::open().await;
    let client = shop.db.superuser().await;
    let address = "purchasing@ann.example";
    let settings =
        format!("insert into public.po_settings (company_id, notification_emails) values ('{}', '[\"{address}\"]')", shop.ann.company);
    client.batch_execute(&settings).await.unwrap();
    for (proved, left) in [("null", 1), ("now()", 0)] {
        let retired = format!(
            "with made as (insert into auth.users (id, email, email_confirmed_at, email_proved_at) values (gen_random_uuid(), '{address}', now(), {proved}) returning id)
             select id::text from made"
        );
        let id: String = client.query_one(&retired, &[]).await.unwrap().get(0);
        client.batch_execute(&format!("do $$ begin perform app.retire_account('{id}'); end $$")).await.unwrap();
        let told = format!("select count(*) from public.po_settings where notification_emails ? '{address}'");
        assert_eq!(shop.count(&told).await, left);
    }
}
