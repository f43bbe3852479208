//! What is done and answered with a warning: a customer with the telephone number of another one.

use serde_json::{Value, json};

use crate::server::{Answer, Server};

const WARNING: &str = "299 - \"customer_phone_duplicate: another customer has this telephone number\"";

#[track_caller]
fn warns(answer: &Answer, status: u16, warning: &str) {
    assert_eq!((answer.status, answer.header("warning")), (status, warning), "{}", answer.text);
}

fn customer(name: &str, phone: &str) -> Value {
    json!({ "first_name": name, "phone": phone, "country": "US" })
}

#[tokio::test]
async fn a_second_customer_with_a_number_is_entered_with_a_warning() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let second = json!({ "first_name": "Ada", "phone": "+12025550101", "secondary_phone": "+12025550102" });
    warns(&server.post(&ann, "customers", second, "").await, 201, "");
    // The same number as people write it, and the second number of somebody else.
    warns(&server.post(&ann, "customers", customer("Bea", "(202) 555-0101"), "").await, 201, WARNING);
    warns(&server.post(&ann, "customers", customer("Cid", "+12025550102"), "return=representation").await, 201, WARNING);
    warns(&server.post(&bob, "customers", customer("Bea", "+12025550101"), "").await, 201, "");
    let row = json!({ "company_id": bob.company_id, "first_name": "Bo", "phone": "+12025550101" });
    warns(&server.post(&server.service(), "customers", row, "").await, 201, WARNING);
    // Two of one request are two of one number.
    let both = json!([customer("Dan", "+12025550103"), customer("Eve", "+12025550103")]);
    warns(&server.post(&ann, "customers", both, "").await, 201, WARNING);

    warns(&server.post(&ann, "customers", customer("Fay", "+12025550104"), "").await, 201, "");
    let fay = "customers?first_name=eq.Fay";
    warns(&server.patch(&ann, fay, json!({ "phone": "+12025550101" }), "").await, 204, WARNING);
    warns(&server.patch(&ann, fay, json!({ "notes": "Rings twice", "phone": "+12025550101" }), "").await, 204, "");
    warns(&server.get(&ann, fay).await, 200, "");
}

#[tokio::test]
async fn of_a_deleted_customer_or_an_unreadable_one_nothing_is_said() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    warns(&server.post(&ann, "customers", customer("Ada", "+12025550101"), "").await, 201, "");
    let ada = "customers?first_name=eq.Ada";
    warns(&server.delete(&ann, ada, "").await, 204, "");
    warns(&server.post(&ann, "customers", customer("Bea", "+12025550101"), "").await, 201, "");
    warns(&server.patch(&ann, ada, json!({ "deleted_at": null }), "deleted=include").await, 204, WARNING);

    let cleo = server.member(&ann.company_id, "csr").await;
    let blind = json!({ "permissions": { "customers:read": false } });
    assert_eq!(server.patch(&ann, &format!("team_members?user_id=eq.{}", cleo.user_id), blind, "").await.status, 204);
    warns(&server.post(&cleo, "customers", customer("Cid", "+12025550101"), "").await, 201, "");
}
