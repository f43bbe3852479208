//! Tokens of another issuer: a stand-in that signs, publishes its keys, changes them and falls silent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use auth::config::{HooksConfig, IssuerConfig, IssuersConfig, SecondFactor};
use auth::{AuthConfig, Refusal};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use kernel::{Error, Principal, RequestContext, Result, SignedIn};
use postgres::{Access, Sql};
use serde_json::{Value, json};

use crate::hooks::{by_function, function};
use crate::server::{START, Server};

/// What the issuer's server does.
#[derive(Default)]
struct Desk {
    keys: Mutex<Vec<Value>>,
    is_silent: Mutex<bool>,
    asked: AtomicU64,
    url: Mutex<String>,
}

enum Signer {
    Rsa(Box<RsaPair>),
    Ec(EcdsaKeyPair),
}

struct Issuer {
    desk: Arc<Desk>,
    url: String,
    signer: Signer,
    kid: &'static str,
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    fn rsa() -> Self {
        Self::Rsa(Box::new(RsaPair::generate(KeySize::Rsa2048).unwrap()))
    }

    fn ec() -> Self {
        Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        if matches!(self, Self::Rsa(_)) { "RS256" } else { "ES256" }
    }

    fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(pair) => {
                let key = pair.public_key();
                let (n, e) =
                    (key.modulus().big_endian_without_leading_zero().to_vec(), key.exponent().big_endian_without_leading_zero().to_vec());
                json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": encode(n), "e": encode(e) })
            }
            Self::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": kid, "x": encode(&point[1..33]), "y": encode(&point[33..]) })
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => {
                let mut signed = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signed).unwrap();
                signed
            }
            Self::Ec(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
        }
    }
}

async fn keys(State(desk): State<Arc<Desk>>) -> (StatusCode, String) {
    desk.asked.fetch_add(1, Ordering::SeqCst);
    if *desk.is_silent.lock().unwrap() {
        return (StatusCode::BAD_GATEWAY, String::new());
    }
    (StatusCode::OK, json!({ "keys": *desk.keys.lock().unwrap() }).to_string())
}

async fn discovery(State(desk): State<Arc<Desk>>) -> String {
    let url = desk.url.lock().unwrap().clone();
    json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }).to_string()
}

impl Issuer {
    async fn new(signer: Signer) -> Self {
        let desk = Arc::new(Desk::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        url.clone_into(&mut desk.url.lock().unwrap());
        desk.keys.lock().unwrap().push(signer.jwk("one"));
        let routes = Router::new().route("/keys", get(keys)).route("/.well-known/openid-configuration", get(discovery));
        let routes = routes.with_state(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { desk, url, signer, kid: "one" }
    }

    fn config(&self) -> IssuerConfig {
        IssuerConfig {
            issuer: self.url.clone(),
            authorized_parties: vec!["https://app.example.com".to_owned()],
            algorithms: vec![self.signer.algorithm().to_owned()],
            ..IssuerConfig::default()
        }
    }

    async fn server(&self, config: IssuerConfig) -> Server {
        let issuers = IssuersConfig { list: vec![config], ..IssuersConfig::default() };
        Server::with(AuthConfig { issuers, ..AuthConfig::default() }).await
    }

    /// The claims of a session of Clerk's.
    fn claims(&self) -> Value {
        json!({
            "azp": "https://app.example.com", "exp": START + 60, "fva": [7, -1], "iat": START, "iss": self.url, "jti": "a1b2c3d4e5f67890abcd",
            "nbf": START - 10, "sid": "sess_2nQv", "sts": "active", "sub": "user_2nQvAnn", "v": 2,
            "o": { "id": "org_2nQvBaker", "slg": "baker", "rol": "admin" },
        })
    }

    fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({ "alg": self.signer.algorithm(), "kid": self.kid, "typ": "JWT" }), claims)
    }

    fn token_with(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        format!("{message}.{}", encode(self.signer.sign(message.as_bytes())))
    }

    fn asked(&self) -> u64 {
        self.desk.asked.load(Ordering::SeqCst)
    }
}

/// Makes Ann, known to the issuer, the owner of a company that it knows; Bob is in another one. Returns both companies.
async fn people(server: &Server) -> (String, String) {
    let (ann, bob) = (server.sign_up("ann@example.com").await, server.sign_up("bob@example.com").await);
    let (baker, miller) = (server.company("baker", &ann).await, server.company("miller", &bob).await);
    server
        .sql(&format!(
            "update public.users set external_id = 'user_2nQvAnn' where email = 'ann@example.com';
             update public.users set external_id = 'user_2nQvBob' where email = 'bob@example.com';
             update public.companies set external_id = 'org_2nQvBaker' where id = '{baker}';
             update public.companies set external_id = 'org_2nQvMiller' where id = '{miller}'"
        ))
        .await;
    (baker, miller)
}

async fn who(server: &Server, token: &str) -> Result<Principal> {
    let parts = Request::builder().header("authorization", format!("Bearer {token}")).body(()).unwrap().into_parts().0;
    server.auth.authenticate(&parts).await.map_err(Refusal::for_data_api)
}

/// Opens a transaction as an API does, and returns what SQL is told.
async fn work(server: &Server, token: &str) -> Result<Value> {
    let grant = who(server, token).await?.require::<SignedIn>()?;
    let tx = server.db.database().begin(&grant, &RequestContext::default(), Access::Read).await?;
    let row = tx
        .query_one(Sql::new(
            "select jsonb_build_object('role', current_user::text, 'company', app.company_id(), 'claims', auth.jwt()) as told",
        ))
        .await?;
    row.try_get("told").map_err(Error::internal)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T>, status: u16, code: &str) {
    let error = outcome.unwrap_err();
    assert_eq!((error.status().as_u16(), error.code()), (status, code), "{}", error.message());
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

#[tokio::test]
async fn a_token_is_its_subject_in_its_organization_as_our_rows_have_it() {
    for signer in [Signer::rsa(), Signer::ec()] {
        let issuer = Issuer::new(signer).await;
        let server = issuer.server(issuer.config()).await;
        let (baker, miller) = people(&server).await;
        let token = issuer.token(&issuer.claims());
        let told = work(&server, &token).await.unwrap();
        let ann = server.ask("select id from auth.users where email = 'ann@example.com'").await;
        assert_eq!((&told["role"], &told["company"]), (&json!("authenticated"), &json!(baker)));
        let claims = &told["claims"];
        assert_eq!((&claims["sub"], &claims["company_id"], &claims["member_role"]), (&json!(ann), &json!(baker), &json!("owner")));
        assert_eq!((&claims["role"], &claims["sid"]), (&json!("authenticated"), &json!("sess_2nQv")));
        // Also what signs people in knows him.
        assert_eq!(server.call("GET", "/user", Some(&token), None).await.ok()["email"], "ann@example.com");
        assert_eq!(issuer.asked(), 1, "the keys are fetched once");

        // Whatever else it says of rights counts for nothing.
        let forged = with(with(with(issuer.claims(), "role", json!("service_role")), "company_id", json!(miller)), "aal", json!("aal2"));
        let told = work(&server, &issuer.token(&forged)).await.unwrap();
        assert_eq!((&told["role"], &told["company"], &told["claims"]["aal"]), (&json!("authenticated"), &json!(baker), &Value::Null));
        // An organization of which he is no member is one of ours all the same, and its rows say no.
        let elsewhere = issuer.token(&with(issuer.claims(), "o", json!({ "id": "org_2nQvMiller" })));
        refused(work(&server, &elsewhere).await, 403, "company_not_member");
        // Without one he is nowhere; version 1 names it in another claim.
        let nowhere = with(issuer.claims(), "o", Value::Null);
        assert_eq!(work(&server, &issuer.token(&nowhere)).await.unwrap()["company"], Value::Null);
        let mut older = nowhere;
        older.as_object_mut().unwrap().remove("o");
        let older = with(older, "org_id", json!("org_2nQvBaker"));
        assert_eq!(work(&server, &issuer.token(&older)).await.unwrap()["company"], json!(baker));
        // Who is no longer a member is out at once, and who is banned everywhere.
        let bob = issuer.token(&with(issuer.claims(), "sub", json!("user_2nQvBob")));
        refused(work(&server, &bob).await, 403, "company_not_member");
        let join = "insert into public.team_members (company_id, user_id, role) select $c, id, 'viewer' from auth.users where email = 'bob@example.com'";
        server.sql(&join.replace("$c", &format!("'{baker}'"))).await;
        assert_eq!(work(&server, &bob).await.unwrap()["claims"]["member_role"], "viewer");
        server.sql(&format!("update public.team_members set status = 'suspended' where company_id = '{baker}' and role = 'viewer'")).await;
        refused(work(&server, &bob).await, 403, "company_not_member");
        server.sql("update auth.users set banned_until = now() + interval '1 hour' where email = 'ann@example.com'").await;
        refused(work(&server, &token).await, 401, "session_not_found");
    }
}

#[tokio::test]
async fn whom_nobody_knows_is_refused_by_name_or_made_where_it_is_configured() {
    let issuer = Issuer::new(Signer::ec()).await;
    let server = issuer.server(issuer.config()).await;
    people(&server).await;
    let eve = with(issuer.claims(), "sub", json!("user_2nQvEve"));
    let eve = with(with(with(eve, "email", json!("ann@example.com")), "email_verified", json!(true)), "name", json!("Eve"));
    refused(who(&server, &issuer.token(&eve)).await, 403, "issuer_user_unknown");
    let unknown = issuer.token(&with(issuer.claims(), "o", json!({ "id": "org_2nQvNobody" })));
    refused(who(&server, &unknown).await, 403, "issuer_organization_unknown");
    let on_auth = server.call("GET", "/user", Some(&unknown), None).await;
    on_auth.refused(403, "issuer_organization_unknown", "No company here is the organization of this token");
    assert_eq!(server.ask("select count(*) from auth.users").await, "2");

    let server = issuer.server(IssuerConfig { create_users: true, ..issuer.config() }).await;
    people(&server).await;
    let eve = issuer.token(&with(eve, "o", Value::Null));
    let made = tokio::join!(who(&server, &eve), who(&server, &eve), who(&server, &eve));
    let made = [made.0, made.1, made.2].map(|principal| principal.unwrap().user_id().unwrap());
    assert!(made.iter().all(|user_id| *user_id == made[0]), "{made:?}");
    assert_eq!(server.ask("select count(*) from auth.users").await, "3");
    // She has Ann's address and is another account, into which no password and no mail leads.
    let user = server.call("GET", "/user", Some(&eve), None).await.ok();
    assert_eq!((&user["email"], &user["user_metadata"]["name"]), (&json!("ann@example.com"), &json!("Eve")));
    assert_ne!(user["id"], json!(server.ask("select id from auth.users where email = 'ann@example.com' and not is_sso_user").await));
    // Where a hook decides who gets an account, it is asked.
    let issuers = IssuersConfig { list: vec![IssuerConfig { create_users: true, ..issuer.config() }], ..IssuersConfig::default() };
    let hooks = HooksConfig { before_user_created: by_function("nobody"), ..HooksConfig::default() };
    let guarded = Server::with(AuthConfig { issuers, hooks, ..AuthConfig::default() }).await;
    function(&guarded, "nobody", "return '{\"error\": {\"http_code\": 403, \"message\": \"Nobody\"}}';").await;
    refused(who(&guarded, &eve).await, 403, "hook_refused");
    assert_eq!(guarded.ask("select count(*) from auth.users").await, "0");
    // A company is never made, and nobody becomes a member of one.
    refused(who(&server, &unknown).await, 403, "issuer_organization_unknown");
    let baker = issuer.token(&with(issuer.claims(), "sub", json!("user_2nQvEve")));
    refused(work(&server, &baker).await, 403, "company_not_member");
}

#[tokio::test]
async fn a_token_that_the_issuer_did_not_make_for_us_is_refused() {
    let issuer = Issuer::new(Signer::rsa()).await;
    let server = issuer.server(issuer.config()).await;
    people(&server).await;
    let other = Issuer::new(Signer::rsa()).await;
    let good = issuer.token(&issuer.claims());
    who(&server, &good).await.unwrap();
    let header = |name: &str, value: Value| with(json!({ "alg": "RS256", "kid": "one" }), name, value);
    // The public key as a secret: its modulus is all that everybody knows of it.
    let public = issuer.desk.keys.lock().unwrap()[0].to_string();
    let message = format!("{}.{}", encode(r#"{"alg":"HS256","kid":"one"}"#), encode(issuer.claims().to_string()));
    let mac = aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, public.as_bytes()), message.as_bytes());
    let (head, rest) = good.split_once('.').unwrap();
    let unsigned = rest.split_once('.').unwrap().0;
    for (what, token, code) in [
        ("HS256 with the public key", format!("{message}.{}", encode(mac)), "PGRST301"),
        ("none", format!("{}.{unsigned}.", encode(r#"{"alg":"none","kid":"one"}"#)), "PGRST301"),
        ("NoNe", format!("{}.{unsigned}.", encode(r#"{"alg":"NoNe"}"#)), "PGRST301"),
        ("no signature", format!("{head}.{unsigned}."), "PGRST301"),
        ("another algorithm of the key", issuer.token_with(&header("alg", json!("RS512")), &issuer.claims()), "PGRST301"),
        ("another's key", other.token(&issuer.claims()), "PGRST301"),
        ("a key of its own", other.token_with(&header("jwk", other.signer.jwk("one")), &issuer.claims()), "PGRST301"),
        ("an address of keys", other.token_with(&header("jku", json!(format!("{}/keys", other.url))), &issuer.claims()), "PGRST301"),
        ("an extension", issuer.token_with(&header("crit", json!(["b64"])), &issuer.claims()), "PGRST301"),
        ("a path for an id", issuer.token_with(&header("kid", json!("../../etc/passwd")), &issuer.claims()), "PGRST301"),
        ("another issuer", other.token(&other.claims()), "PGRST301"),
        ("almost the issuer", issuer.token(&with(issuer.claims(), "iss", json!(format!("{}/", issuer.url)))), "PGRST301"),
        ("another party", issuer.token(&with(issuer.claims(), "azp", json!("https://evil.example.com"))), "PGRST303"),
        ("no end", issuer.token(&with(issuer.claims(), "exp", Value::Null)), "PGRST303"),
        ("no subject", issuer.token(&with(issuer.claims(), "sub", json!(""))), "PGRST303"),
    ] {
        let error = who(&server, &token).await.expect_err(what);
        assert_eq!((error.status().as_u16(), error.code()), (401, code), "{what}");
    }
    // Good once is not good for ever.
    server.wait(90);
    refused(who(&server, &good).await, 401, "PGRST303");
}

#[tokio::test]
async fn keys_are_fetched_when_they_change_and_never_in_a_storm() {
    let issuer = Issuer::new(Signer::ec()).await;
    let server = issuer.server(issuer.config()).await;
    people(&server).await;
    let lasting = |issuer: &Issuer| with(issuer.claims(), "exp", json!(START + 1_000_000));
    // Nobody has keys yet, and all ask at once.
    let token = issuer.token(&lasting(&issuer));
    let all = tokio::join!(who(&server, &token), who(&server, &token), who(&server, &token), who(&server, &token));
    assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok() && all.3.is_ok());
    assert_eq!(issuer.asked(), 1);
    // A key that is not known is asked for once in a minute, however many name one.
    let next = Issuer { desk: Arc::clone(&issuer.desk), url: issuer.url.clone(), signer: Signer::ec(), kid: "two" };
    let renewed = next.token(&lasting(&next));
    for _ in 0..5 {
        refused(who(&server, &renewed).await, 401, "PGRST301");
    }
    assert_eq!(issuer.asked(), 1);
    server.wait(60);
    issuer.desk.keys.lock().unwrap().push(next.signer.jwk("two"));
    who(&server, &renewed).await.unwrap();
    who(&server, &token).await.unwrap();
    assert_eq!(issuer.asked(), 2);
    // The issuer is silent: what is known is used on, for a day.
    *issuer.desk.is_silent.lock().unwrap() = true;
    server.wait(3600);
    for _ in 0..3 {
        who(&server, &renewed).await.unwrap();
    }
    assert_eq!(issuer.asked(), 3);
    server.wait(86_400);
    refused(who(&server, &renewed).await, 503, "issuer_unavailable");
    refused(who(&server, &renewed).await, 503, "issuer_unavailable");
    assert_eq!(issuer.asked(), 4);
    // It is back, without the first key: what that one signed is good no more.
    *issuer.desk.is_silent.lock().unwrap() = false;
    issuer.desk.keys.lock().unwrap().remove(0);
    server.wait(60);
    who(&server, &renewed).await.unwrap();
    refused(who(&server, &token).await, 401, "PGRST301");
    assert_eq!(issuer.asked(), 5);
}

#[tokio::test]
async fn keys_of_a_file_need_no_network() {
    let signer = Signer::ec();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({ "keys": [signer.jwk("one")] }).to_string()).unwrap();
    let issuer = Issuer { desk: Arc::default(), url: "https://baker.eu.auth0.com/".to_owned(), signer, kid: "one" };
    let config = IssuerConfig {
        jwks_file: Some(file.path().to_owned()),
        authorized_parties: Vec::new(),
        audiences: vec!["https://api.example.com".to_owned()],
        external_id_prefix: "a0:".to_owned(),
        ..issuer.config()
    };
    let server = issuer.server(config).await;
    let (baker, _) = people(&server).await;
    server.sql("update public.users set external_id = 'a0:auth0|507f1f77bcf86cd799439020' where email = 'ann@example.com'").await;
    let claims = json!({
        "iss": "https://baker.eu.auth0.com/", "sub": "auth0|507f1f77bcf86cd799439020", "azp": "my_client_id", "iat": START,
        "aud": ["https://api.example.com", "https://baker.eu.auth0.com/userinfo"], "exp": START + 86_400, "scope": "openid profile",
        "org_id": "org_2nQvBaker",
    });
    assert_eq!(work(&server, &issuer.token(&claims)).await.unwrap()["company"], json!(baker));
    // Without the prefix he is nobody, whatever another issuer calls its people.
    refused(who(&server, &issuer.token(&with(claims, "sub", json!("user_2nQvBob")))).await, 403, "issuer_user_unknown");
}

#[test]
fn a_signature_of_the_stand_in_is_one() {
    let signer = Signer::rsa();
    let Signer::Rsa(pair) = &signer else { panic!("an RSA key") };
    let key = signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    key.verify(b"message", &signer.sign(b"message")).unwrap();
}

#[tokio::test]
async fn a_second_factor_is_what_the_configuration_says_of_its_issuer() {
    let issuer = Issuer::new(Signer::ec()).await;
    let of_clerk = SecondFactor { claim: "fva.1".to_owned(), values: Vec::new(), at_most: Some(600) };
    let of_others = SecondFactor { claim: "amr".to_owned(), values: vec!["mfa".to_owned()], at_most: None };
    let overdue = "update public.team_members set mfa_due_at = now() - interval '1 second'";
    let asked = issuer.claims();
    let proved = with(issuer.claims(), "fva", json!([7, 3]));
    let told = with(issuer.claims(), "amr", json!(["pwd", "mfa"]));

    // Without a word in the configuration nothing counts, and he is told where to go.
    let server = issuer.server(issuer.config()).await;
    people(&server).await;
    assert_eq!(work(&server, &issuer.token(&proved)).await.unwrap()["claims"]["aal"], Value::Null);
    server.sql(overdue).await;
    for claims in [&asked, &proved, &told, &with(proved.clone(), "aal", json!("aal2"))] {
        let error = work(&server, &issuer.token(claims)).await.unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (403, "mfa_required"));
        assert!(error.hint().unwrap().starts_with("Prove a second factor where this token was made"), "{:?}", error.hint());
    }

    let config = IssuerConfig { second_factors: vec![of_clerk, of_others], ..issuer.config() };
    let server = issuer.server(config).await;
    let (baker, _) = people(&server).await;
    server.sql(overdue).await;
    refused(work(&server, &issuer.token(&asked)).await, 403, "mfa_required");
    refused(work(&server, &issuer.token(&with(asked.clone(), "aal", json!("aal2")))).await, 403, "mfa_required");
    for claims in [&proved, &told] {
        let told = work(&server, &issuer.token(claims)).await.unwrap();
        assert_eq!((&told["company"], &told["claims"]["aal"]), (&json!(baker), &json!("aal2")));
    }
    // It opens no company that he is no member of.
    let elsewhere = issuer.token(&with(proved, "o", json!({ "id": "org_2nQvMiller" })));
    refused(work(&server, &elsewhere).await, 403, "company_not_member");

    let server = issuer.server(IssuerConfig { second_factor_always: true, ..issuer.config() }).await;
    people(&server).await;
    server.sql(overdue).await;
    assert_eq!(work(&server, &issuer.token(&asked)).await.unwrap()["claims"]["aal"], "aal2");
}
