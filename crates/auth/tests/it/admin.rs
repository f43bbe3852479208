//! Accounts in the hands of the service key.

use serde_json::{Value, json};

use crate::server::{Answer, PASSWORD, Server, token};

async fn admin(server: &Server, method: &str, path: &str, body: Option<Value>) -> Answer {
    server.call(method, path, Some(server.ring.service().token.expose()), body).await
}

#[tokio::test]
async fn only_the_service_key_gets_in() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let id = session["user"]["id"].as_str().unwrap();
    for (method, path) in [
        ("GET", "/admin/users".to_owned()),
        ("POST", "/admin/users".to_owned()),
        ("GET", format!("/admin/users/{id}")),
        ("PUT", format!("/admin/users/{id}")),
        ("DELETE", format!("/admin/users/{id}")),
    ] {
        let call = async |token: Option<&str>| server.call(method, &path, token, Some(json!({}))).await;
        call(None).await.refused(401, "no_authorization", "This endpoint requires a valid Bearer token");
        call(Some(token(&session))).await.refused(403, "not_admin", "User not allowed");
        call(Some(server.ring.anon().token.expose())).await.refused(403, "not_admin", "User not allowed");
        assert_eq!(call(Some("nonsense")).await.body["code"], "bad_jwt");
    }
    assert_eq!(server.user(&session).await.status, 200);
}

#[tokio::test]
async fn an_account_is_made_as_it_is_wished() {
    let server = Server::new().await;
    let wish = json!({ "email": "Ann@example.com", "password": PASSWORD, "user_metadata": { "name": "Ann" },
                       "app_metadata": { "plan": "pro" }, "id": "01900000-0000-7000-8000-000000000001" });
    let user = admin(&server, "POST", "/admin/users", Some(wish.clone())).await.ok();
    assert_eq!(user["id"], "01900000-0000-7000-8000-000000000001");
    assert_eq!(user["user_metadata"], json!({ "name": "Ann" }), "exactly what was sent");
    assert_eq!(user["app_metadata"], json!({ "plan": "pro", "provider": "email", "providers": ["email"] }));
    assert!(user.get("email_confirmed_at").is_none(), "the service key confirms only when it says so");
    let sign_in = async || server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": PASSWORD })).await;
    assert_eq!(sign_in().await.body["code"], "email_not_confirmed");
    let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
    let confirmed = admin(&server, "PUT", &path, Some(json!({ "email_confirm": true }))).await.ok();
    assert_eq!(confirmed["email_confirmed_at"], "2026-11-21T12:00:00Z");
    assert_eq!(confirmed["identities"][0]["identity_data"]["email_verified"], true);
    assert_eq!(sign_in().await.status, 200);
    let again = admin(&server, "POST", "/admin/users", Some(json!({ "email": "ann@example.com" }))).await;
    again.refused(422, "email_exists", "A user with this email address has already been registered");
    for (wish, code) in [
        (json!({ "email": "b@example.com", "role": "service_role" }), "validation_failed"),
        (json!({ "email": "b@example.com", "phone": "0170" }), "validation_failed"),
        (json!({ "email": "b@example.com", "id": "01900000-0000-7000-8000-000000000001" }), "conflict"),
        (json!({ "email": "b@example.com", "ban_duration": "soon" }), "validation_failed"),
        (json!({ "email": "b@example.com", "password_hash": "$2a$10$x" }), "validation_failed"),
        (json!({}), "validation_failed"),
    ] {
        assert_eq!(admin(&server, "POST", "/admin/users", Some(wish.clone())).await.body["code"], code, "{wish}");
    }
    assert_eq!(server.ask("select count(*) from auth.users").await, "1");
}

#[tokio::test]
async fn an_account_is_made_by_its_number() {
    let server = Server::new().await;
    let wish = json!({ "phone": "+1 555 0100", "password": PASSWORD, "user_metadata": { "name": "Ann" }, "app_metadata": { "plan": "pro" },
                       "role": "authenticated", "id": "01900000-0000-7000-8000-000000000002" });
    let user = admin(&server, "POST", "/admin/users", Some(wish.clone())).await.ok();
    assert_eq!([&user["phone"], &user["email"], &user["role"]], [&json!("15550100"), &json!(""), &json!("authenticated")]);
    assert_eq!(user["id"], "01900000-0000-7000-8000-000000000002");
    assert_eq!(user["user_metadata"], json!({ "name": "Ann" }), "exactly what was sent");
    assert_eq!(user["app_metadata"], json!({ "plan": "pro", "provider": "phone", "providers": ["phone"] }));
    assert!(user.get("phone_confirmed_at").is_none(), "the service key confirms only when it says so");
    let sign_in = async || server.post("/token?grant_type=password", json!({ "phone": "15550100", "password": PASSWORD })).await;
    sign_in().await.refused(400, "phone_not_confirmed", "Phone not confirmed");
    let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
    let confirmed = admin(&server, "PUT", &path, Some(json!({ "phone_confirm": true }))).await.ok();
    assert_eq!([&confirmed["phone_confirmed_at"], &confirmed["confirmed_at"]], [&json!("2026-11-21T12:00:00Z"); 2]);
    assert!(confirmed.get("email_confirmed_at").is_none());
    assert_eq!(confirmed["identities"][0]["identity_data"]["phone_verified"], true);
    sign_in().await.ok();
    let again = admin(&server, "POST", "/admin/users", Some(json!({ "phone": "15550100" }))).await;
    again.refused(422, "phone_exists", "A user with this phone number has already been registered");

    // By both, and confirmed at once; of an address that is not there nothing is confirmed.
    let both = json!({ "email": "bob@example.com", "phone": "15550101", "phone_confirm": true, "password": PASSWORD });
    let bob = admin(&server, "POST", "/admin/users", Some(both)).await.ok();
    assert_eq!(bob["app_metadata"], json!({ "provider": "email", "providers": ["email", "phone"] }));
    assert_eq!(bob["phone_confirmed_at"], "2026-11-21T12:00:00Z");
    assert!(bob.get("email_confirmed_at").is_none());
    server.post("/token?grant_type=password", json!({ "phone": "15550101", "password": PASSWORD })).await.ok();
    let hers = json!({ "email": "eve@example.com", "phone": "15550100" });
    admin(&server, "POST", "/admin/users", Some(hers)).await.refused(
        422,
        "phone_exists",
        "A user with this phone number has already been registered",
    );
    assert_eq!(server.ask("select count(*) from auth.users").await, "2", "nothing is half made");
    let only = admin(&server, "POST", "/admin/users", Some(json!({ "phone": "15550102", "email_confirm": true }))).await.ok();
    assert!(only.get("email_confirmed_at").is_none() && only.get("confirmed_at").is_none(), "{only}");
}

#[tokio::test]
async fn a_number_is_given_and_changed_with_the_service_key() {
    let server = Server::new().await;
    let (ann, ben) = (server.sign_up("ann@example.com").await, server.sign_up("ben@example.com").await);
    let path = |session: &Value| format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    let given = admin(&server, "PUT", &path(&ann), Some(json!({ "phone": "+15550100" }))).await.ok();
    assert_eq!((&given["phone"], &given["phone_confirmed_at"]), (&json!("15550100"), &json!("2026-11-21T12:00:00Z")));
    assert_eq!(given["app_metadata"], json!({ "provider": "email", "providers": ["email", "phone"] }));
    let sorts: Vec<_> = given["identities"].as_array().unwrap().iter().map(|one| one["provider"].as_str().unwrap()).collect();
    assert_eq!(sorts, ["email", "phone"]);
    server.post("/token?grant_type=password", json!({ "phone": "15550100", "password": PASSWORD })).await.ok();
    let taken = admin(&server, "PUT", &path(&ben), Some(json!({ "phone": "15550100" }))).await;
    taken.refused(422, "phone_exists", "A user with this phone number has already been registered");
    let changed = admin(&server, "PUT", &path(&ann), Some(json!({ "phone": "15550199", "email": "" }))).await.ok();
    assert_eq!((&changed["phone"], &changed["email"]), (&json!("15550199"), &json!("ann@example.com")), "an empty text is nothing");
    let data = &changed["identities"][1]["identity_data"];
    assert_eq!((&data["phone"], &data["phone_verified"]), (&json!("15550199"), &json!(true)));
    for (body, message) in [
        (json!({ "phone": "0155" }), "Invalid phone number format (E.164 required)"),
        (json!({ "role": "service_role" }), "role must be authenticated; what a member may do is said in his company"),
        (json!({ "role": "supabase_admin" }), "role must be authenticated; what a member may do is said in his company"),
    ] {
        admin(&server, "PUT", &path(&ann), Some(body)).await.refused(400, "validation_failed", message);
    }
    admin(&server, "PUT", &path(&ann), Some(json!({ "role": "" }))).await.ok();
}

#[tokio::test]
async fn who_got_another_number_or_address_is_reached_at_the_old_one_no_more() {
    let server = Server::new().await;
    let ann = server.sign_up("ann@example.com").await;
    let path = format!("/admin/users/{}", ann["user"]["id"].as_str().unwrap());
    admin(&server, "PUT", &path, Some(json!({ "phone": "+15550100" }))).await.ok();
    // What was sent to both, and the other address that she asked for herself.
    server.post("/otp", json!({ "phone": "+15550100" })).await.ok();
    let code = server.message("+15550100").await.code;
    server.post("/recover", json!({ "email": "ann@example.com" })).await.ok();
    let letter = server.message("ann@example.com").await;
    server.call("PUT", "/user", Some(token(&ann)), Some(json!({ "email": "eve@example.com" }))).await.ok();
    let change = server.message("eve@example.com").await;
    let changed = admin(&server, "PUT", &path, Some(json!({ "phone": "+15550199" }))).await.ok();
    assert_eq!((&changed["phone"], changed.get("new_email")), (&json!("15550199"), None));
    let (code_over, link_over) = ("Token has expired or is invalid", "Email link is invalid or has expired");
    assert!(!letter.token().is_empty() && !change.token().is_empty());
    for (body, message) in [
        (json!({ "type": "sms", "phone": "+15550100", "token": code }), code_over),
        (json!({ "type": "recovery", "token_hash": letter.token() }), link_over),
        (json!({ "type": "email_change", "token_hash": change.token() }), link_over),
    ] {
        server.post("/verify", body).await.refused(403, "otp_expired", message);
    }
}

#[tokio::test]
async fn nobody_is_known_by_what_the_service_key_did_not_say() {
    let server = Server::new().await;
    let ann = server.sign_up("ann@example.com").await;
    let id = ann["user"]["id"].as_str().unwrap();
    let path = format!("/admin/users/{id}");
    for (provider, after) in [("google", json!(["google", "phone"])), ("sso:01900000-0000-7000-8000-000000000001:x", json!(["sso"]))] {
        server.sql(&format!("delete from auth.identities where user_id = '{id}'")).await;
        server
            .sql(&format!(
                "insert into auth.identities (user_id, provider, provider_id, identity_data) values ('{id}', '{provider}', 'x', '{{}}')"
            ))
            .await;
        admin(&server, "PUT", &path, Some(json!({ "phone": "+15550100" }))).await.ok();
        let known = format!("select jsonb_agg(split_part(provider, ':', 1) order by provider) from auth.identities where user_id = '{id}'");
        assert_eq!(server.ask(&known).await, after.to_string().replace(',', ", "));
    }
}

#[tokio::test]
async fn a_ban_and_a_new_password_end_all_sessions() {
    let server = Server::new().await;
    for body in [json!({ "ban_duration": "24h" }), json!({ "password": "another long password" })] {
        let email = format!("ann{}@example.com", body.to_string().len());
        let session = server.sign_up(&email).await;
        let path = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
        admin(&server, "PUT", &path, Some(body.clone())).await.ok();
        if body.get("password").is_some() {
            assert_eq!(server.user(&session).await.body["code"], "session_not_found");
            assert_eq!(server.refresh(&session).await.body["code"], "refresh_token_not_found");
            continue;
        }
        // Whoever is banned is told that, and not that his session is over.
        for (method, path) in [("GET", "/user"), ("PUT", "/user"), ("POST", "/factors"), ("GET", "/sessions"), ("POST", "/logout")] {
            let out = server.call(method, path, Some(token(&session)), Some(json!({ "data": {}, "factor_type": "totp" }))).await;
            out.refused(403, "user_banned", "User is banned");
        }
        server.refresh(&session).await.refused(400, "user_banned", "Invalid Refresh Token: User Banned");
    }
    let session = server.sign_up("bob@example.com").await;
    let path = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    let banned = admin(&server, "PUT", &path, Some(json!({ "ban_duration": "1h" }))).await.ok();
    assert_eq!(banned["banned_until"], "2026-11-21T13:00:00Z");
    let free = admin(&server, "PUT", &path, Some(json!({ "ban_duration": "none" }))).await.ok();
    assert!(free.get("banned_until").is_none());
    server.sign_in("bob@example.com").await;
}

#[tokio::test]
async fn the_list_has_pages() {
    let server = Server::new().await;
    for number in 0..5 {
        server.wait(1);
        admin(&server, "POST", "/admin/users", Some(json!({ "email": format!("u{number}@example.com") }))).await.ok();
    }
    let page = admin(&server, "GET", "/admin/users?page=2&per_page=2", None).await;
    assert_eq!(page.headers["x-total-count"], "5");
    assert_eq!(page.headers["link"], "</admin/users?page=3&per_page=2>; rel=\"next\", </admin/users?page=3&per_page=2>; rel=\"last\"");
    let emails: Vec<_> = page.body["users"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap()).collect();
    assert_eq!(emails, ["u2@example.com", "u1@example.com"]);
    assert_eq!(page.body["aud"], "authenticated");
    let large = admin(&server, "GET", "/admin/users?page=1&per_page=5000", None).await;
    assert_eq!(large.headers["link"], "</admin/users?page=1&per_page=1000>; rel=\"last\"");
    let emails = async |query: &str| -> (Vec<String>, String) {
        let page = admin(&server, "GET", &format!("/admin/users?{query}"), None).await;
        let email = |user: &Value| user["email"].as_str().unwrap().to_owned();
        let total = page.headers["x-total-count"].to_str().unwrap().to_owned();
        (page.body["users"].as_array().unwrap().iter().map(email).collect(), total)
    };
    assert_eq!(
        emails("sort=created_at+asc&per_page=2").await,
        (vec!["u0@example.com".to_owned(), "u1@example.com".to_owned()], "5".to_owned())
    );
    assert_eq!(emails("sort=created_at+desc&per_page=1").await.0, ["u4@example.com"]);
    assert_eq!(emails("filter=u3%40").await, (vec!["u3@example.com".to_owned()], "1".to_owned()));
    admin(&server, "POST", "/admin/users", Some(json!({ "email": "x@example.com", "user_metadata": { "full_name": "Ann Lee 100%" } })))
        .await
        .ok();
    assert_eq!(emails("filter=ann+LEE").await.0, ["x@example.com"], "a name in any letters");
    assert_eq!(emails("filter=%25").await.0, ["x@example.com"], "a part of it, and no pattern");
    assert_eq!(emails("filter=X%40").await.0, [""; 0], "an address as it is kept");
    assert_eq!(
        admin(
            &server,
            "DELETE",
            &format!("/admin/users/{}", server.ask("select id from auth.users where email = 'x@example.com'").await),
            None
        )
        .await
        .status,
        200
    );
    // The official client sends both without a value when nobody chose one.
    let all = admin(&server, "GET", "/admin/users?page=&per_page=", None).await;
    assert_eq!((all.status, all.body["users"].as_array().unwrap().len()), (200, 5));
    assert_eq!(admin(&server, "GET", "/admin/audit?page=&per_page=", None).await.status, 200);
    for query in ["page=-1", "page=0", "per_page=0", "sort=email", "sort=created_at+up", "page=x"] {
        let refused = admin(&server, "GET", &format!("/admin/users?{query}"), None).await;
        assert_eq!((refused.status, &refused.body["code"]), (400, &json!("validation_failed")), "{query}");
    }
}

#[tokio::test]
async fn an_account_goes_softly_or_wholly() {
    let server = Server::new().await;
    let soft = server.sign_up("ann@example.com").await;
    let hard = server.sign_up("bob@example.com").await;
    let owner = server.sign_up("eve@example.com").await;
    server.company("acme", &owner).await;
    let path = |session: &Value| format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    assert_eq!(admin(&server, "DELETE", &path(&soft), Some(json!({ "should_soft_delete": true }))).await.ok(), json!({}));
    assert_eq!(admin(&server, "DELETE", &path(&hard), None).await.ok(), json!({}));
    for (method, route) in [("GET", "/user"), ("PUT", "/user"), ("POST", "/factors"), ("GET", "/passkeys"), ("GET", "/sessions")] {
        let call = async |session| server.call(method, route, Some(token(session)), Some(json!({ "factor_type": "totp" }))).await;
        call(&hard).await.refused(403, "user_not_found", "User from sub claim in JWT does not exist");
        call(&soft).await.refused(403, "session_not_found", "Session from session_id claim in JWT does not exist");
    }
    admin(&server, "GET", &path(&hard), None).await.refused(404, "user_not_found", "User not found");
    let again = admin(&server, "DELETE", &path(&hard), Some(json!({ "should_soft_delete": true }))).await;
    again.refused(404, "user_not_found", "User not found");
    // Of the other one the id is left, and that he is gone.
    let left = admin(&server, "GET", &path(&soft), None).await.ok();
    assert_eq!([&left["deleted_at"], &left["email"], &left["id"]], [&json!("2026-11-21T12:00:00Z"), &json!(""), &soft["user"]["id"]]);
    assert_eq!(admin(&server, "DELETE", &path(&soft), Some(json!({ "should_soft_delete": true }))).await.ok(), json!({}));
    let listed = admin(&server, "GET", "/admin/users", None).await;
    assert_eq!((&listed.headers["x-total-count"], listed.body["users"].as_array().unwrap().len()), (&"2".parse().unwrap(), 2));
    let changed = admin(&server, "PUT", &path(&soft), Some(json!({ "email": "ann@example.com" }))).await;
    changed.refused(404, "user_not_found", "User not found");
    assert_eq!(server.ask("select count(*) from auth.users where email is null and deleted_at is not null").await, "1");
    server.sign_up("ann@example.com").await;
    let refused = admin(&server, "DELETE", &path(&owner), None).await;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("conflict")));
    assert_eq!(server.user(&owner).await.status, 200);
    assert_eq!(admin(&server, "GET", "/admin/users/nonsense", None).await.status, 404);
}

#[tokio::test]
async fn whether_a_password_is_long_enough_for_an_owner_is_noted() {
    let server = Server::new().await;
    let body = json!({ "email": "ann@example.com", "password": "correct horse battery", "email_confirm": true });
    let user = admin(&server, "POST", "/admin/users", Some(body)).await.ok();
    assert_eq!(server.ask("select password_is_long from auth.users").await, "true");
    let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
    admin(&server, "PUT", &path, Some(json!({ "password": "short horse" }))).await.ok();
    assert_eq!(server.ask("select password_is_long from auth.users").await, "false");
    admin(&server, "PUT", &path, Some(json!({ "password": "another long one" }))).await.ok();
    assert_eq!(server.ask("select password_is_long from auth.users").await, "true");
}
