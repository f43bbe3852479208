//! Passwords: which may be chosen, and hashes that accounts are brought with.

use auth::AuthConfig;
use auth::config::PasswordConfig;
use serde_json::{Value, json};

use crate::server::{Answer, PASSWORD, Server, token};

/// The example that Firebase publishes with its variant of scrypt.
const FIREBASE: &str = "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";
const EASY: &str = "Password is known to be weak and easy to guess, please choose a different one.";

impl Server {
    async fn with_service_key(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call(method, path, Some(self.ring.service().token.expose()), Some(body)).await
    }
}

fn weak(answer: &Answer, reasons: &[&str], message: &str) {
    let body = json!({ "code": "weak_password", "message": message, "weak_password": { "reasons": reasons } });
    assert_eq!((answer.status, &answer.body), (422, &body));
}

#[tokio::test]
async fn a_password_that_is_guessed_first_is_refused_wherever_one_is_chosen() {
    let file = tempfile::NamedTempFile::new().unwrap();
    // SHA-1 of "leaked password".
    std::fs::write(file.path(), "5914BB2C7DDE7E006FE0B045EE33C85C0CB698ED:3\n").unwrap();
    let password = PasswordConfig { length_min: 8, leaked_file: Some(file.path().to_owned()), ..PasswordConfig::default() };
    let server = Server::with(AuthConfig { password, ..AuthConfig::default() }).await;
    let sign_up = async |password: &str| server.post("/signup", json!({ "email": "bob@example.com", "password": password })).await;
    weak(&sign_up("Password123").await, &["pwned"], EASY);
    weak(&sign_up("123456").await, &["length", "pwned"], &format!("Password should be at least 8 characters. {EASY}"));
    weak(&sign_up("x").await, &["length"], "Password should be at least 8 characters");
    weak(&sign_up("leaked password").await, &["pwned"], EASY);

    let session = server.sign_up("ann@example.com").await;
    for choice in ["password123", "leaked password"] {
        weak(&server.call("PUT", "/user", Some(token(&session)), Some(json!({ "password": choice }))).await, &["pwned"], EASY);
        let user = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
        weak(&server.with_service_key("PUT", &user, json!({ "password": choice })).await, &["pwned"], EASY);
        let new = json!({ "email": "eve@example.com", "password": choice });
        weak(&server.with_service_key("POST", "/admin/users", new).await, &["pwned"], EASY);
    }
    assert_eq!(server.sign_in("ann@example.com").await["user"]["id"], session["user"]["id"], "the old one is still good");
}

#[tokio::test]
async fn an_account_comes_with_its_hash_and_gets_one_of_ours() {
    let server = Server::new().await;
    let bcrypt = "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i";
    // Argon2i of "password" with the salt "somesalt", from the tests of its reference implementation.
    let argon2 = "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8";
    for (number, (hash, password)) in [(FIREBASE, "user1password"), (bcrypt, "abc"), (argon2, "password")].into_iter().enumerate() {
        let email = format!("ann{number}@example.com");
        let new = json!({ "email": email, "password_hash": hash, "email_confirm": true });
        server.with_service_key("POST", "/admin/users", new).await.ok();
        let sign_in =
            async |password: &str| server.post("/token?grant_type=password", json!({ "email": email, "password": password })).await;
        sign_in("wrong password").await.refused(400, "invalid_credentials", "Invalid login credentials");
        assert_eq!(sign_in(password).await.status, 200, "{hash}");
        let kept = server.ask(&format!("select encrypted_password from auth.users where email = '{email}'")).await;
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_eq!(sign_in(password).await.status, 200);
        sign_in("wrong password").await.refused(400, "invalid_credentials", "Invalid login credentials");
    }
    // An account that is there takes a hash, too, and its sessions end.
    let session = server.sign_up("bob@example.com").await;
    let user = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    server.with_service_key("PUT", &user, json!({ "password_hash": FIREBASE })).await.ok();
    assert_eq!(server.user(&session).await.body["code"], "session_not_found");
    let again = json!({ "email": "bob@example.com", "password": "user1password" });
    assert_eq!(server.post("/token?grant_type=password", again).await.status, 200);

    let both = json!({ "email": "c@example.com", "password": PASSWORD, "password_hash": FIREBASE });
    let both = server.with_service_key("POST", "/admin/users", both).await;
    both.refused(400, "validation_failed", "Only a password or a password hash should be provided");
    let unknown = json!({ "email": "c@example.com", "password_hash": "$1$md5" });
    let unknown = server.with_service_key("POST", "/admin/users", unknown).await;
    let message = "password_hash must be a hash of bcrypt, argon2 or fbscrypt, within the limits that are set for them";
    unknown.refused(400, "validation_failed", message);
}
