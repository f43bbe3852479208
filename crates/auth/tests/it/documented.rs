//! What programs written for other installations ask of sign-in in SQL: claims of a token, its hook, a code of a factor, the settings.

use serde_json::{Value, json};

use crate::server::{Server, claims};

/// Asks as a role of the database; a refusal is its SQLSTATE.
async fn as_role(server: &Server, role: &str, sql: &str) -> Result<Option<String>, String> {
    let client = server.db.superuser().await;
    client.batch_execute(&format!("set role {role}")).await.unwrap();
    let row = client.query_one(&format!("select ({sql})::text"), &[]).await;
    row.map(|row| row.get(0)).map_err(|error| error.code().unwrap().code().to_owned())
}

async fn hook(server: &Server, event: &Value) -> Value {
    let said = as_role(server, "service_role", &format!("auth.custom_access_token_hook('{event}')")).await;
    serde_json::from_str(&said.unwrap().unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_names_its_company_by_every_name() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let bare = claims(&session);
    for name in ["company_id", "tenant_id", "industry", "subdomain", "member_role"] {
        assert_eq!(bare.get(name), None, "{name}");
    }
    assert_eq!(hook(&server, &bare).await, bare, "of nobody's company nothing is said");

    let acme = server.company("acme", &session).await;
    server.sql("update public.companies set industry = 'home_services'").await;
    let within = claims(&server.refresh(&session).await.ok());
    assert_eq!([&within["company_id"], &within["tenant_id"]], [&json!(acme), &json!(acme)]);
    assert_eq!(
        [&within["industry"], &within["subdomain"], &within["role"]],
        [&json!("home_services"), &json!("acme"), &json!("authenticated")]
    );

    // The hook says what the token says, in both forms in which it is asked.
    let mut asked = within.clone();
    for name in ["company_id", "tenant_id", "industry", "subdomain", "member_role"] {
        asked.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(hook(&server, &asked).await, within);
    let wrapped = json!({ "user_id": within["sub"], "claims": asked, "authentication_method": "password" });
    assert_eq!(hook(&server, &wrapped).await, json!({ "user_id": within["sub"], "claims": within, "authentication_method": "password" }));
    // Of two companies the session's; of none that is chosen none is guessed.
    server.company("bolt", &session).await;
    assert_eq!(hook(&server, &asked).await["subdomain"], "acme");
    let mut elsewhere = asked.clone();
    elsewhere.as_object_mut().unwrap().remove("session_id");
    assert_eq!(hook(&server, &elsewhere).await, elsewhere);
    // A session of somebody else chooses nothing.
    let stranger = server.sign_up("bob@example.com").await;
    elsewhere["session_id"] = claims(&stranger)["session_id"].clone();
    assert_eq!(hook(&server, &elsewhere).await, elsewhere);
    server.sql("set session_replication_role = replica; update public.team_members set status = 'suspended'").await;
    assert_eq!(hook(&server, &asked).await, asked);
    for role in ["authenticated", "anon"] {
        assert_eq!(as_role(&server, role, &format!("auth.custom_access_token_hook('{asked}')")).await, Err("42501".to_owned()));
    }
}

#[tokio::test]
async fn a_recovery_code_is_good_once_in_sql_too() {
    let server = Server::new().await;
    let (ann, bob) = (server.sign_up("ann@example.com").await, server.sign_up("bob@example.com").await);
    let (ann, bob) = (ann["user"]["id"].as_str().unwrap(), bob["user"]["id"].as_str().unwrap());
    let verify = async |user: &str, code: &str, sort: &str| {
        as_role(&server, "service_role", &format!("auth.verify_mfa_token('{user}', '{code}', '{sort}')")).await
    };
    let is = |answer: &str| Ok(Some(answer.to_owned()));
    assert_eq!(verify(ann, "k4m9x7qp2ab8ht3z", "recovery_code").await, is("false"));
    assert_eq!(verify(ann, "123456", "totp").await, is("false"), "she has none");
    server
        .sql(&format!(
            "with factor as (insert into auth.mfa_factors (user_id, friendly_name, factor_type, status, secret)
               values ('{ann}', 'app', 'totp', 'verified', 'sealed'), ('{ann}', 'codes', 'recovery_code', 'verified', null)
               returning id, factor_type)
             insert into auth.recovery_codes (factor_id, code_hash)
             select id, encode(sha256('k4m9x7qp2ab8ht3z'), 'hex') from factor where factor_type = 'recovery_code'"
        ))
        .await;
    assert_eq!(verify(ann, "k4m9x7qp2ab8ht3y", "recovery_code").await, is("false"));
    assert_eq!(verify(bob, "k4m9x7qp2ab8ht3z", "recovery_code").await, is("false"), "another one's code");
    assert_eq!(verify(ann, "K4M9-x7qp 2AB8-HT3Z", "recovery_code").await, is("true"));
    assert_eq!(verify(ann, "K4M9-x7qp 2AB8-HT3Z", "recovery_code").await, is("false"), "it was used");
    assert_eq!(verify(ann, "123456", "totp").await, Err("TH422".to_owned()), "only the server has the secret");
    for role in ["authenticated", "anon"] {
        let asked = format!("auth.verify_mfa_token('{ann}', '123456', 'totp')");
        assert_eq!(as_role(&server, role, &asked).await, Err("42501".to_owned()));
    }
}

#[tokio::test]
async fn the_settings_are_a_view() {
    let server = Server::new().await;
    let config =
        async |name: &str| as_role(&server, "service_role", &format!("select value from auth.config where parameter = '{name}'")).await;
    server.auth.publish_settings().await.unwrap();
    for (name, value) in [
        ("JWT_EXP", Some("3600")),
        ("SITE_URL", Some("http://localhost:54321/")),
        ("EXTERNAL_EMAIL_ENABLED", Some("true")),
        ("EXTERNAL_GITHUB_ENABLED", Some("false")),
        ("DISABLE_SIGNUP", Some("false")),
        ("JWT_SECRET", None),
    ] {
        assert_eq!(config(name).await, Ok(value.map(str::to_owned)), "{name}");
    }
    assert_eq!(
        as_role(&server, "service_role", "select count(*) from auth.config where parameter = 'JWT_SECRET'").await,
        Ok(Some("1".to_owned()))
    );
    for role in ["authenticated", "anon"] {
        assert_eq!(as_role(&server, role, "select count(*) from auth.config").await, Err("42501".to_owned()));
    }
}
