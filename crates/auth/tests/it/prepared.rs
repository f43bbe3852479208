//! Accounts that somebody prepares under an address or number of somebody else, and waits.

use auth::AuthConfig;
use serde_json::{Value, json};

use crate::server::{Answer, PASSWORD, Server, token};

const EVES: &str = "what Eve made up for Ann";

async fn sign_up(server: &Server, who: &Value, password: &str, name: &str) {
    // The next message may be asked for only after a while.
    server.wait(60);
    let mut body = who.clone();
    body.as_object_mut().unwrap().extend([("password".to_owned(), json!(password)), ("data".to_owned(), json!({ "name": name }))]);
    let user = server.post("/signup", body).await.ok();
    assert!(user["id"].is_string() && user.get("access_token").is_none(), "{user}");
    // Sent before the next one is asked for.
    server.message(who["email"].as_str().or(who["phone"].as_str()).unwrap()).await;
}

async fn password(server: &Server, who: &Value, password: &str) -> Answer {
    let mut body = who.clone();
    body.as_object_mut().unwrap().insert("password".to_owned(), json!(password));
    server.post("/token?grant_type=password", body).await
}

#[track_caller]
fn wrong(answer: &Answer) {
    answer.refused(400, "invalid_credentials", "Invalid login credentials");
}

async fn follow(server: &Server, email: &str) -> Value {
    let letter = server.message(email).await;
    server.post("/verify", json!({ "token_hash": letter.token(), "type": "signup" })).await.ok()
}

#[tokio::test]
async fn a_link_confirms_the_password_of_who_asked_for_it() {
    let server = Server::with(AuthConfig { autoconfirm: false, ..AuthConfig::default() }).await;
    let ann = json!({ "email": "ann@example.com" });
    sign_up(&server, &ann, EVES, "boss").await;
    let eves = server.message("ann@example.com").await;
    server.wait(3600);
    sign_up(&server, &ann, PASSWORD, "Ann").await;
    let session = follow(&server, "ann@example.com").await;
    assert_eq!(session["user"]["user_metadata"], json!({ "name": "Ann", "email_verified": true }));
    wrong(&password(&server, &ann, EVES).await);
    password(&server, &ann, PASSWORD).await.ok();
    let late = server.post("/verify", json!({ "token_hash": eves.token(), "type": "signup" })).await;
    late.refused(403, "otp_expired", "Email link is invalid or has expired");
    // Proved by now, it is nobody's to take.
    sign_up(&server, &ann, EVES, "boss").await;
    let user = server.user(&session).await.ok();
    assert_eq!(user["user_metadata"], json!({ "name": "Ann", "email_verified": true }));
    wrong(&password(&server, &ann, EVES).await);
    password(&server, &ann, PASSWORD).await.ok();
    assert_eq!(server.ask("select count(*) || ' ' || max(password_is_long::text) from auth.users").await, "1 true");
}

#[tokio::test]
async fn of_two_who_wait_for_one_mailbox_neither_has_chosen_its_password() {
    let server = Server::with(AuthConfig { autoconfirm: false, ..AuthConfig::default() }).await;
    // Who comes second may be either.
    for (address, first, second) in [("ann@example.com", EVES, PASSWORD), ("ben@example.com", PASSWORD, EVES)] {
        let who = json!({ "email": address });
        sign_up(&server, &who, first, "one").await;
        sign_up(&server, &who, second, "two").await;
        let session = follow(&server, address).await;
        wrong(&password(&server, &who, first).await);
        wrong(&password(&server, &who, second).await);
        server.call("PUT", "/user", Some(token(&session)), Some(json!({ "password": "chosen by who is in" }))).await.ok();
        password(&server, &who, "chosen by who is in").await.ok();
    }
    // Whoever asks twice for himself keeps it, also by the message that is sent again.
    let who = json!({ "email": "cid@example.com" });
    sign_up(&server, &who, PASSWORD, "one").await;
    sign_up(&server, &who, PASSWORD, "two").await;
    server.wait(60);
    server.post("/resend", json!({ "email": "cid@example.com", "type": "signup" })).await.ok();
    assert_eq!(follow(&server, "cid@example.com").await["user"]["user_metadata"]["name"], "two");
    password(&server, &who, PASSWORD).await.ok();
    // A link without a password is on its way to whoever asked for it, too.
    let who = json!({ "email": "dan@example.com" });
    server.post("/otp", who.clone()).await.ok();
    server.message("dan@example.com").await;
    sign_up(&server, &who, EVES, "boss").await;
    follow(&server, "dan@example.com").await;
    wrong(&password(&server, &who, EVES).await);
    assert_eq!(server.ask("select count(*) from auth.users where encrypted_password is null and password_is_long is null").await, "1");
}

#[tokio::test]
async fn a_code_confirms_the_password_of_who_asked_for_it() {
    let server = Server::new().await;
    let code = async |number: &'static str| {
        let letter = server.message(number).await;
        server.post("/verify", json!({ "phone": number, "token": letter.code, "type": "sms" })).await.ok();
    };
    let ann = json!({ "phone": "+15550100" });
    sign_up(&server, &ann, EVES, "boss").await;
    server.wait(3600);
    sign_up(&server, &ann, PASSWORD, "Ann").await;
    code("+15550100").await;
    wrong(&password(&server, &ann, EVES).await);
    assert_eq!(password(&server, &ann, PASSWORD).await.ok()["user"]["user_metadata"]["name"], "Ann");
    assert_eq!(server.ask("select password_is_long from auth.users").await, "true");

    let ben = json!({ "phone": "+15550101" });
    sign_up(&server, &ben, PASSWORD, "Ben").await;
    sign_up(&server, &ben, EVES, "boss").await;
    code("+15550101").await;
    wrong(&password(&server, &ben, EVES).await);
    wrong(&password(&server, &ben, PASSWORD).await);
}

#[tokio::test]
async fn a_link_of_the_operators_confirms_no_password_but_his_own() {
    let server = Server::with(AuthConfig { autoconfirm: false, ..AuthConfig::default() }).await;
    let key = server.ring.service().token.expose().clone();
    let ann = json!({ "email": "ann@example.com" });
    sign_up(&server, &ann, EVES, "boss").await;
    server.wait(60);
    let invited = json!({ "email": "ann@example.com", "data": { "name": "Ann" } });
    server.call("POST", "/invite", Some(&key), Some(invited)).await.ok();
    let letter = server.message("ann@example.com").await;
    let session = server.post("/verify", json!({ "token_hash": letter.token(), "type": "invite" })).await.ok();
    assert_eq!(session["user"]["user_metadata"], json!({ "name": "Ann", "email_verified": true }));
    wrong(&password(&server, &ann, EVES).await);

    let ben = json!({ "email": "ben@example.com" });
    sign_up(&server, &ben, EVES, "boss").await;
    let wish = json!({ "type": "signup", "email": "ben@example.com", "password": PASSWORD });
    let link = server.call("POST", "/admin/generate_link", Some(&key), Some(wish)).await.ok();
    server.post("/verify", json!({ "token_hash": link["hashed_token"], "type": "signup" })).await.ok();
    wrong(&password(&server, &ben, EVES).await);
    let long = "select password_is_long from auth.users where email = 'ben@example.com'";
    assert_eq!(server.ask(long).await, "true", "noted before anybody signed in by it");
    password(&server, &ben, PASSWORD).await.ok();
}
