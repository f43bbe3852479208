//! `send_sms`: what a company writes to the numbers of its own customers and members, and to nobody else's.

use serde_json::{Value, json};

use crate::rates::{Person, soon};
use crate::transfers::shop::Shop;

impl Shop {
    async fn customer(&self, name: &str, phone: &str) {
        let row = json!({ "first_name": name, "phone": phone });
        let made = self.post("/rest/v1/customers", &self.ann, row).await;
        assert_eq!(made.status, 201, "{}", made.body);
    }

    /// Puts an SMS in and returns how it ended, which the owner is shown.
    async fn texted(&self, who: &Person, to: &str) -> Value {
        let request = self.request("POST", "/rest/v1/job_queue?select=id", who).header("prefer", "return=representation");
        let task = json!({ "job_type": "send_sms", "payload": { "to": to, "text": "We are on our way" } });
        let put = self.server.send(request.body(task.to_string())).await;
        assert_eq!(put.status, 201, "{}", put.body);
        self.ended(&self.ann, put.body[0]["id"].as_str().unwrap()).await
    }
}

#[tokio::test]
async fn a_text_reaches_the_companys_own_people_alone() {
    let shop = Shop::open_with(|settings| settings.environment = server::config::Environment::Development).await;
    let (ann, bob, csr) = (&shop.ann, &shop.bob, shop.member("csr").await);
    shop.customer("Ben", "+15550100").await;
    shop.customer("Cal", "+15550101").await;
    shop.customer("Dan", "+1 (555) 555-0102").await;
    // However it is written: an answer STOP is told of one number alone.
    assert_eq!(shop.texted(ann, "1 (555) 0100").await["status"], "completed");
    assert_eq!(shop.texted(&csr, "+15550100").await["status"], "completed");
    let sent =
        "select count(*) from app.captured_messages where channel = 'sms' and recipient = '+15550100' and body_text = 'We are on our way'";
    soon("both are sent", async || shop.count(sent).await == 2).await;

    assert_eq!(shop.texted(ann, "555 555 0102").await["status"], "completed");
    let abroad = "select count(*) from app.captured_messages where recipient = '+15555550102'";
    soon("it goes to the country that the company has", async || shop.count(abroad).await == 1).await;

    // Nobody's, and another company's.
    let task = |to: &str| json!({ "job_type": "send_sms", "payload": { "to": to, "text": "hello" } });
    for (who, to) in [(ann, "+15550199"), (bob, "+15550100"), (ann, "+445555550102"), (ann, "nonsense")] {
        Shop::refused(&shop.post("/rest/v1/job_queue", who, task(to)).await, 400, "22023");
    }
    let technician = shop.member("technician").await;
    Shop::refused(&shop.post("/rest/v1/job_queue", &technician, task("+15550100")).await, 403, "42501");

    // Whoever went since it was asked for is not written to.
    let later =
        json!({ "job_type": "send_sms", "payload": { "to": "+15550101", "text": "too late" }, "scheduled_at": "2100-01-01T00:00:00Z" });
    let request = shop.request("POST", "/rest/v1/job_queue?select=id", ann).header("prefer", "return=representation");
    let put = shop.server.send(request.body(later.to_string())).await;
    assert_eq!(put.status, 201, "{}", put.body);
    let superuser = shop.db.superuser().await;
    superuser.batch_execute("update public.customers set deleted_at = now() where first_name = 'Cal'").await.unwrap();
    superuser
        .batch_execute("update app.tasks set run_at = now(), state = 'ready' where state = 'later' and kind = 'send_sms'")
        .await
        .unwrap();
    let ended = shop.ended(ann, put.body[0]["id"].as_str().unwrap()).await;
    assert!(ended["status"] == "failed" && ended["error_message"].to_string().contains("recipient_unknown"), "{ended}");
    assert_eq!(shop.count("select count(*) from app.captured_messages where body_text = 'too late'").await, 0);
    assert_eq!(shop.count("select count(*) from app.dead_tasks where kind = 'send_sms' and attempt = 1").await, 1, "it is tried once");
    shop.server.stop().await;
}
