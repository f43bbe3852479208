//! `send_email` by a template: what it says, to whom, and what is refused before and when it is written.

use serde_json::{Value, json};

use crate::rates::{Person, soon};
use crate::transfers::shop::Shop;

/// One whose mails are kept to be looked at.
async fn open() -> Shop {
    Shop::open_with(|settings| settings.environment = server::config::Environment::Development).await
}

/// A customer with an address, and an estimate that he gets.
async fn estimate(shop: &Shop, who: &Person, name: &str) -> (String, String) {
    let customer = json!({ "first_name": name, "last_name": "Baker", "email": format!("{name}@example.com") });
    let customer = shop.row(who, "customers", customer).await;
    let line = json!({ "description": "Boiler", "quantity": 2, "unit_price": 61_725 });
    let estimate = json!({ "customer_id": customer["id"], "title": "New <boiler>", "currency": "EUR", "line_items": [line],
                           "valid_until": "2099-01-31T12:00:00Z" });
    let estimate = shop.row(who, "estimates", estimate).await;
    (estimate["id"].as_str().unwrap().to_owned(), estimate["estimate_number"].as_str().unwrap().to_owned())
}

impl Shop {
    /// Writes a row and returns it.
    async fn row(&self, who: &Person, table: &str, row: Value) -> Value {
        let request = self.request("POST", &format!("/rest/v1/{table}"), who).header("prefer", "return=representation");
        let made = self.server.send(request.body(row.to_string())).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.body[0].clone()
    }

    /// Returns the newest mail to an address, once there are so many.
    async fn mail(&self, to: &str, count: u64) -> Value {
        let (service, mut found) = (self.server.service(), Value::Null);
        soon("the mail is there", async || {
            found = self.server.get(&format!("/mailbox/api/v1/search?query=to:{to}"), &service).await.body;
            found["messages_count"].as_u64().unwrap_or_default() >= count
        })
        .await;
        self.server.get(&format!("/mailbox/api/v1/message/{}", found["messages"][0]["ID"].as_str().unwrap()), &service).await.body
    }

    /// Puts a mail in that is refused.
    async fn unsent(&self, who: &Person, payload: Value, status: u16, code: &str) -> Value {
        let answer = self.post("/rest/v1/job_queue", who, json!({ "job_type": "send_email", "payload": payload })).await;
        Self::refused(&answer, status, code);
        answer.body
    }
}

#[tokio::test]
async fn an_estimate_is_mailed_as_the_documents_call_it() {
    let shop = open().await;
    let ann = &shop.ann;
    let (id, number) = estimate(&shop, ann, "ben").await;
    let brand = json!({ "brand_color": "#aa0033", "logo": "https://ann.example.com/logo.png" });
    let changed = shop.request("PATCH", &format!("/rest/v1/companies?id=eq.{}", ann.company), ann).body(brand.to_string());
    let changed = shop.server.send(changed).await;
    assert!(changed.status < 300, "{}", changed.body);

    // The estimate is named beside the template; what is known of it need not be said.
    let row = json!({ "company_id": ann.company, "job_type": "send_email", "priority": 1,
                      "payload": { "template": "estimate", "estimate_id": id, "to": "Ben@example.com" } });
    assert_eq!(shop.post("/rest/v1/job_queue", ann, row).await.status, 201);
    let mail = shop.mail("ben@example.com", 1).await;
    assert_eq!(mail["Subject"], format!("Estimate {number} from ann"));
    assert_eq!(mail["From"]["Name"], "ann");
    let text = mail["Text"].as_str().unwrap().replace("\r\n", "\n");
    let expected =
        format!("Dear ben Baker,\n\nhere is our estimate {number}: New <boiler>.\n\nTotal: 1,234.50 EUR\nValid until: Jan 31, 2099\n\nann");
    assert_eq!(text.trim(), expected);
    let html = mail["HTML"].as_str().unwrap();
    assert!(html.contains("New &lt;boiler&gt;") && html.contains("#aa0033") && html.contains("ann.example.com"), "{html}");

    // More than the row says, in another language, and put in by a program of the operator's.
    let service = Person { token: shop.server.service(), company: ann.company.clone() };
    let variables = json!({ "link": "https://ann.example.com/e/7", "title": "Boiler, as agreed" });
    let payload = json!({ "template": "estimate", "estimate_id": id, "to": "ben@example.com", "locale": "de-AT", "variables": variables });
    let done = shop.task(&service, "send_email", payload).await;
    assert_eq!(done["status"], "completed", "{done}");
    let mail = shop.mail("ben@example.com", 2).await;
    assert_eq!(mail["Subject"], format!("Angebot {number} von ann"));
    let text = mail["Text"].as_str().unwrap();
    for part in ["Boiler, as agreed.", "Summe: 1.234,50 EUR", "Gültig bis: 31.01.2099", "https://ann.example.com/e/7"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    shop.server.stop().await;
}

#[tokio::test]
async fn a_companys_own_template_goes_first_and_is_nobody_elses() {
    let shop = open().await;
    let (ann, bob) = (&shop.ann, &shop.bob);
    for (who, name) in [(ann, "ben"), (bob, "bea")] {
        estimate(&shop, who, name).await;
    }
    let own = |event: &str, locale: &str, subject: &str, body: &str| {
        json!({ "event": event, "channel": "email", "locale": locale, "name": event,
                                                                           "subject": subject, "body": body })
    };
    let body = "{% if discount %}{{ discount }} % off{% endif %} until {{ day }}, {{ recipient }}!";
    shop.row(ann, "notification_templates", own("spring_offer", "en", "Offer of {{ company }}", body)).await;
    shop.row(ann, "notification_templates", own("spring_offer", "es", "Oferta de {{ company }}", "Hasta {{ day }}")).await;
    let mail = |variables: Value| json!({ "template": "spring_offer", "to": "ben@example.com", "variables": variables });
    let done = shop.task(ann, "send_email", mail(json!({ "day": "Monday", "discount": 10 }))).await;
    assert_eq!(done["status"], "completed", "{done}");
    let first = shop.mail("ben@example.com", 1).await;
    assert_eq!((&first["Subject"], first["Text"].as_str().unwrap().trim()), (&json!("Offer of ann"), "10 % off until Monday, ben Baker!"));
    let mut spanish = mail(json!({ "day": "lunes" }));
    spanish["locale"] = json!("es-MX");
    shop.task(ann, "send_email", spanish).await;
    assert_eq!(shop.mail("ben@example.com", 2).await["Subject"], "Oferta de ann");

    // What it prints has to be known, unless whoever asks says otherwise.
    let refused = shop.unsent(ann, mail(json!({ "discount": 10 })), 422, "template_variable_missing").await;
    assert_eq!(refused["details"], r#"{"missing": ["day"], "template": "spring_offer"}"#, "{refused}");
    assert_eq!(refused["message"], "The template \"spring_offer\" needs day.");
    let mut open = mail(json!({ "day": null }));
    shop.unsent(ann, open.clone(), 422, "template_variables_invalid").await;
    open["variables"] = json!({});
    open["strict"] = json!(false);
    assert_eq!(shop.task(ann, "send_email", open).await["status"], "completed");
    assert_eq!(shop.mail("ben@example.com", 3).await["Text"].as_str().unwrap().trim(), "until , ben Baker!");
    // Another company has no such template; one that was switched off is none.
    let theirs = json!({ "template": "spring_offer", "to": "bea@example.com", "variables": { "day": "Monday" } });
    shop.unsent(bob, theirs, 422, "template_unknown").await;
    let off = shop.request("PATCH", "/rest/v1/notification_templates?event=eq.spring_offer", ann).body(r#"{"is_active": false}"#);
    assert!(shop.server.send(off).await.status < 300);
    shop.unsent(ann, mail(json!({ "day": "Monday" })), 422, "template_unknown").await;
    shop.server.stop().await;
}

#[tokio::test]
async fn what_a_letter_may_not_say_or_whom_it_may_not_reach_is_refused() {
    let shop = open().await;
    let (ann, bob) = (&shop.ann, &shop.bob);
    let (id, _) = estimate(&shop, ann, "ben").await;
    let (theirs, _) = estimate(&shop, bob, "bea").await;
    estimate(&shop, ann, "cal").await;
    let letter = |more: Value| {
        let mut payload = json!({ "template": "estimate", "estimate_id": id, "to": "ben@example.com" });
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        payload
    };
    let many: serde_json::Map<String, Value> = (0..51u8).map(|n| (format!("a{}", "b".repeat(n.into())), json!(1))).collect();
    for (more, status, code) in [
        (json!({ "template": "nothing" }), 422, "template_unknown"),
        (json!({ "template": "x".repeat(121) }), 400, "22023"),
        (json!({ "estimate_id": null }), 422, "template_variable_missing"),
        (json!({ "estimate_id": theirs }), 422, "template_row_unknown"),
        (json!({ "invoice_id": id }), 400, "22023"),
        (json!({ "subject": "and more" }), 400, "22023"),
        (json!({ "variables": ["a"] }), 400, "22023"),
        (json!({ "variables": { "a": ["b"] } }), 422, "template_variables_invalid"),
        (json!({ "variables": { "A-b": "c" } }), 422, "template_variables_invalid"),
        (json!({ "variables": { "a": "b".repeat(2001) } }), 422, "template_variables_invalid"),
        (json!({ "variables": many }), 422, "template_variables_invalid"),
        (json!({ "strict": "no" }), 400, "22023"),
        // A stranger, the other company's customer, and a customer whose estimate it is not.
        (json!({ "to": "eve@example.com" }), 400, "22023"),
        (json!({ "to": "bea@example.com" }), 400, "22023"),
        (json!({ "to": "cal@example.com" }), 400, "22023"),
    ] {
        shop.unsent(ann, letter(more), status, code).await;
    }
    shop.unsent(ann, json!({ "to": "ben@example.com", "subject": "s" }), 400, "22023").await;
    shop.unsent(ann, json!({ "to": "ben@example.com", "subject": "s", "text": "t", "variables": {} }), 400, "22023").await;
    // A member gets it as well as the customer; who may not read estimates has none told, and who may not write to customers none at all.
    assert_eq!(shop.task(ann, "send_email", letter(json!({ "to": "ann@example.com" }))).await["status"], "completed");
    let csr = shop.member("csr").await;
    let taken = json!({ "permissions": { "estimates:read": false } });
    let path = format!("/rest/v1/team_members?company_id=eq.{}&role=eq.csr", ann.company);
    assert!(shop.server.send(shop.request("PATCH", &path, ann).body(taken.to_string())).await.status < 300);
    shop.unsent(&csr, letter(json!({})), 403, "42501").await;
    for who in [bob, &shop.member("viewer").await] {
        let row = json!({ "company_id": ann.company, "job_type": "send_email", "payload": letter(json!({})) });
        Shop::refused(&shop.post("/rest/v1/job_queue", who, row).await, 403, "42501");
    }
    let row = json!({ "job_type": "send_email", "payload": letter(json!({})) });
    assert_eq!(shop.server.post("/rest/v1/job_queue", "", row).await.status, 401);
    // A schedule is held to the same.
    let by_schedule = json!({ "schedule": "0 9 1 * *", "kind": "send_email", "payload": letter(json!({ "template": "nothing" })) });
    Shop::refused(&shop.post("/rest/v1/rpc/schedule_task", ann, by_schedule).await, 422, "template_unknown");
    shop.server.stop().await;
}

#[tokio::test]
async fn what_changed_since_it_was_asked_for_is_found_when_the_letter_is_written() {
    let shop = open().await;
    let ann = &shop.ann;
    let (id, _) = estimate(&shop, ann, "ben").await;
    estimate(&shop, ann, "cal").await;
    // SQL of the house puts in what nobody looked at before.
    let superuser = shop.db.superuser().await;
    let put = async |payload: Value| {
        let company: uuid::Uuid = ann.company.parse().unwrap();
        let row = superuser.query_one("select app.enqueue_task('send_email', $1, $2)", &[&payload, &company]).await.unwrap();
        let id: uuid::Uuid = row.get(0);
        shop.ended(ann, &id.to_string()).await
    };
    let fine = json!({ "template": "estimate", "estimate_id": id, "to": "ben@example.com" });
    assert_eq!(put(fine.clone()).await["status"], "completed");
    let with = |name: &str, value: Value| {
        let mut payload = fine.clone();
        payload[name] = value;
        payload
    };
    superuser.batch_execute("update public.customers set deleted_at = now() where first_name = 'cal'").await.unwrap();
    for (payload, code) in [
        (with("to", json!("eve@example.com")), "recipient_unknown"),
        (json!({ "to": "eve@example.com", "subject": "s", "text": "t" }), "recipient_unknown"),
        (with("to", json!("cal@example.com")), "recipient_unknown"),
        (with("template", json!("nothing")), "template_unknown"),
        (with("estimate_id", json!(uuid::Uuid::now_v7())), "template_row_unknown"),
        (json!({ "template": "estimate", "to": "ben@example.com", "variables": { "title": "t" } }), "template_variable_missing"),
    ] {
        let failed = put(payload).await;
        assert!(failed["status"] == "failed" && failed["error_message"].to_string().contains(code), "{code}: {failed}");
    }
    // None of them is tried again.
    assert_eq!(shop.count("select count(*) from app.dead_tasks where kind = 'send_email' and attempt = 1").await, 6);
    shop.server.stop().await;
}
