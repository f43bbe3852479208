//! Hooks: a receiver that answers as it should and fails in every way, and functions of the database.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth::AuthConfig;
use auth::config::{HooksConfig, MfaConfig};
use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use kernel::Secret;
use outbound::OutboundConfig;
use outbound::config::{HookConfig, HookLimits, MailConfig, SmsConfig};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use totp_rs::{Builder, Secret as TotpSecret};

use crate::server::{PASSWORD, START, Server, claims, token};

const OLD: &str = "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "v1,whsec_c2VjcmV0LXRoYXQtaXMtbmV3LWVub3VnaA==";

/// What the receiver answers.
pub(crate) enum Say {
    Json(Value),
    Plain(u16, &'static str, String),
    /// Come back later, so many times; then the JSON.
    Later(usize, Value),
    Unavailable,
    Nothing,
}

pub(crate) struct Receiver {
    url: String,
    say: Arc<Mutex<Say>>,
    heard: mpsc::UnboundedReceiver<Value>,
}

type Ears = (Arc<Mutex<Say>>, mpsc::UnboundedSender<Value>);

/// Checks the signature by both secrets, and answers.
async fn hear(State((say, ears)): State<Ears>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/json");
    let message = [header("webhook-id").as_bytes(), b".", header("webhook-timestamp").as_bytes(), b".", &body].concat();
    let signatures: Vec<String> = header("webhook-signature").split(' ').map(str::to_owned).collect();
    for secret in [OLD, NEW] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(secret.strip_prefix("v1,whsec_").unwrap()).unwrap());
        assert!(signatures.contains(&format!("v1,{}", STANDARD.encode(hmac::sign(&key, &message)))), "{signatures:?}");
    }
    ears.send(serde_json::from_slice(&body).unwrap()).unwrap();
    let json = |value: &Value| ([("content-type", "application/json; charset=utf-8")], value.to_string()).into_response();
    let answer = {
        let mut say = say.lock().unwrap();
        match &mut *say {
            Say::Plain(status, sort, text) => {
                (StatusCode::from_u16(*status).unwrap(), [("content-type", *sort)], text.clone()).into_response()
            }
            Say::Json(value) | Say::Later(0, value) => json(value),
            Say::Later(times, _) => {
                *times -= 1;
                (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "true")]).into_response()
            }
            Say::Unavailable => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Say::Nothing => StatusCode::IM_A_TEAPOT.into_response(),
        }
    };
    if answer.status() == StatusCode::IM_A_TEAPOT {
        std::future::pending::<()>().await;
    }
    answer
}

impl Receiver {
    pub(crate) async fn new(say: Say) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (ears, heard) = mpsc::unbounded_channel();
        let say = Arc::new(Mutex::new(say));
        let routes = Router::new().route("/hook", post(hear)).with_state((Arc::clone(&say), ears));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, say, heard }
    }

    pub(crate) fn config(&self) -> HookConfig {
        by_http(&self.url)
    }

    fn says(&self, say: Say) {
        *self.say.lock().unwrap() = say;
    }

    /// Returns what it was told, which may be on its way.
    pub(crate) async fn hears(&mut self) -> Value {
        tokio::time::timeout(Duration::from_mins(1), self.heard.recv()).await.unwrap().unwrap()
    }

    pub(crate) fn heard_times(&mut self) -> usize {
        let mut times = 0;
        while self.heard.try_recv().is_ok() {
            times += 1;
        }
        times
    }
}

fn by_http(url: &str) -> HookConfig {
    HookConfig { uri: Some(url.to_owned()), secrets: [OLD, NEW].map(|secret| Secret::new(secret.to_owned())).to_vec() }
}

pub(crate) fn by_function(name: &str) -> HookConfig {
    HookConfig { uri: Some(format!("pg-functions://postgres/public/{name}")), secrets: Vec::new() }
}

/// Short pauses, and as much time as a busy machine may need for an answer.
pub(crate) fn limits() -> HookLimits {
    HookLimits { http_time_ms: 30_000, http_retry_ms: 10, function_time_ms: 30_000, answer_bytes_max: 4096, ..HookLimits::default() }
}

async fn with(hooks: HooksConfig) -> Server {
    Server::with(AuthConfig { hooks: HooksConfig { limits: limits(), ..hooks }, ..AuthConfig::default() }).await
}

/// One that soon gives up waiting, and yet not before somebody answers who is quick.
async fn impatient(hooks: HooksConfig) -> Server {
    let limits = HookLimits { http_time_ms: 4000, function_time_ms: 4000, ..limits() };
    Server::with(AuthConfig { hooks: HooksConfig { limits, ..hooks }, ..AuthConfig::default() }).await
}

pub(crate) async fn function(server: &Server, name: &str, body: &str) {
    let made = format!(
        "create function public.{name}(event jsonb) returns jsonb language plpgsql set search_path = '' as $f$ begin {body} end $f$;
         grant execute on function public.{name}(jsonb) to service_role"
    );
    server.sql(&made).await;
}

#[tokio::test]
async fn a_token_says_more_and_never_somebody_else() {
    let mut receiver = Receiver::new(Say::Json(json!({ "claims": {
        "plan": "gold", "role": "service_role", "sub": "01900000-0000-7000-8000-000000000001", "company_id": "01900000-0000-7000-8000-000000000002",
        "session_id": "01900000-0000-7000-8000-000000000003", "aal": "aal2", "exp": 99_999_999_999_i64, "app_metadata": { "seats": 3 },
    } })))
    .await;
    let server = with(HooksConfig { custom_access_token: receiver.config(), ..HooksConfig::default() }).await;
    let session = server.sign_up("ann@example.com").await;
    let (said, told) = (claims(&session), receiver.hears().await);
    assert_eq!((&said["plan"], &said["app_metadata"]), (&json!("gold"), &json!({ "seats": 3 })));
    assert_eq!((&said["role"], &said["aal"], &said["exp"]), (&json!("authenticated"), &json!("aal1"), &json!(START + 3600)));
    assert_eq!((&said["sub"], said.get("company_id"), said.get("user_metadata")), (&session["user"]["id"], None, None));
    assert_eq!((&told["user_id"], &told["authentication_method"]), (&session["user"]["id"], &json!("password")));
    assert_eq!(told["claims"]["session_id"], said["session_id"]);
    assert_eq!(session["expires_at"], START + 3600);
    server.user(&session).await.ok();
    let again = server.refresh(&session).await.ok();
    assert_eq!((&claims(&again)["plan"], &receiver.hears().await["authentication_method"]), (&json!("gold"), &json!("token_refresh")));
}

#[tokio::test]
async fn however_a_call_fails_nobody_gets_in_and_nothing_is_left() {
    let mut receiver = Receiver::new(Say::Json(json!({ "claims": {} }))).await;
    let server = with(HooksConfig { custom_access_token: receiver.config(), ..HooksConfig::default() }).await;
    let session = server.sign_up("ann@example.com").await;
    receiver.heard_times();
    let json_type = "application/json";
    let much = json!({ "claims": { "x": "x".repeat(5000) } }).to_string();
    for (say, status, code, message, times) in [
        (Say::Plain(400, json_type, String::new()), 500, "unexpected_failure", "Invalid payload sent to hook", 1),
        (Say::Plain(401, json_type, String::new()), 500, "unexpected_failure", "Hook requires authorization token", 1),
        (Say::Plain(302, json_type, String::new()), 500, "unexpected_failure", "Unexpected status code returned from hook: 302", 1),
        (Say::Plain(200, json_type, "{".to_owned()), 500, "unexpected_failure", "Error unmarshaling JSON output of a hook", 1),
        (Say::Plain(200, json_type, "[]".to_owned()), 500, "unexpected_failure", "The output of a hook is no object", 1),
        (
            Say::Plain(200, json_type, "{}".to_owned()),
            500,
            "unexpected_failure",
            "The output of the custom access token hook has no claims",
            1,
        ),
        (
            Say::Plain(200, "text/html", "<p>".to_owned()),
            400,
            "hook_payload_invalid_content_type",
            "Invalid JSON response of a hook: its content type is not application/json",
            1,
        ),
        (Say::Plain(200, json_type, much), 422, "hook_payload_over_size_limit", "Payload size exceeded size limit of 4096 bytes", 1),
        (Say::Json(json!({ "error": { "http_code": 403, "message": "Not today" } })), 403, "hook_refused", "Not today", 1),
        (Say::Unavailable, 500, "unexpected_failure", "Service currently unavailable due to hook", 1),
        (Say::Later(9, json!({})), 422, "hook_timeout_after_retry", "Failed to reach hook after maximum retries", 3),
    ] {
        receiver.says(say);
        server.refresh(&session).await.refused(status, code, message);
        assert_eq!(receiver.heard_times(), times, "{message}");
    }
    let sign_in = server.post("/token?grant_type=password", json!({ "email": "ann@example.com", "password": PASSWORD })).await;
    assert_eq!(sign_in.status, 422);
    assert_eq!(server.ask("select count(*) || ' ' || max(refresh_counter) from auth.sessions").await, "1 0");
    // It comes round in time.
    receiver.says(Say::Later(2, json!({ "claims": { "plan": "late" } })));
    assert_eq!(claims(&server.refresh(&session).await.ok())["plan"], "late");
    // Nobody is there at all.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = by_http(&format!("http://{}/hook", closed.local_addr().unwrap()));
    drop(closed);
    let server = with(HooksConfig { custom_access_token: nowhere, ..HooksConfig::default() }).await;
    let refused = server.post("/signup", json!({ "email": "ann@example.com", "password": PASSWORD })).await;
    refused.refused(422, "hook_timeout_after_retry", "Failed to reach hook after maximum retries");
    assert_eq!(server.ask("select count(*) from auth.users").await, "0");
}

#[tokio::test]
async fn one_that_does_not_answer_is_not_waited_for() {
    let mut receiver = Receiver::new(Say::Json(json!({ "claims": {} }))).await;
    let server = impatient(HooksConfig { custom_access_token: receiver.config(), ..HooksConfig::default() }).await;
    let session = server.sign_up("ann@example.com").await;
    receiver.heard_times();
    receiver.says(Say::Nothing);
    server.refresh(&session).await.refused(422, "hook_timeout", "Failed to reach hook within maximum time of 4.000000 seconds");
    assert_eq!(receiver.heard_times(), 1);
    assert_eq!(server.ask("select count(*) || ' ' || max(refresh_counter) from auth.sessions").await, "1 0");
}

#[tokio::test]
async fn a_function_is_asked_in_the_transaction_and_stopped_in_time() {
    let server = impatient(HooksConfig { custom_access_token: by_function("token_hook"), ..HooksConfig::default() }).await;
    let missing = server.post("/signup", json!({ "email": "ann@example.com", "password": PASSWORD })).await;
    missing.refused(500, "unexpected_failure", "Error running hook function");
    function(
        &server,
        "token_hook",
        "if event ->> 'authentication_method' = 'token_refresh' then perform pg_sleep(100); end if;
         return jsonb_build_object('claims', event -> 'claims' || jsonb_build_object('method', event ->> 'authentication_method', 'role', 'service_role'));",
    )
    .await;
    let session = server.sign_up("ann@example.com").await;
    assert_eq!((&claims(&session)["method"], &claims(&session)["role"]), (&json!("password"), &json!("authenticated")));
    server.refresh(&session).await.refused(422, "hook_timeout", "Failed to reach hook within maximum time of 4.000000 seconds");
    assert_eq!(server.ask("select refresh_counter from auth.sessions").await, "0");
}

#[tokio::test]
async fn a_hook_decides_who_may_sign_up_and_is_told_of_who_did() {
    let mut receiver = Receiver::new(Say::Plain(204, "text/plain", String::new())).await;
    let hooks =
        HooksConfig { before_user_created: by_function("only_ours"), after_user_created: receiver.config(), ..HooksConfig::default() };
    let server = with(hooks).await;
    function(
        &server,
        "only_ours",
        "if event #>> '{metadata,name}' <> 'before-user-created' or event #>> '{user,id}' is null then raise exception 'wrong'; end if;
         if coalesce(event #>> '{user,email}', '') like '%@evil.example' or event #>> '{user,phone}' = '15550166' then
           return jsonb_build_object('error', jsonb_build_object('http_code', 403, 'message', 'Not from there'));
         end if;
         return '{}';",
    )
    .await;
    for (path, body) in [
        ("/signup", json!({ "email": "eve@evil.example", "password": PASSWORD })),
        ("/signup", json!({ "phone": "+15550166", "password": PASSWORD })),
        ("/otp", json!({ "email": "eve@evil.example" })),
        ("/otp", json!({ "phone": "+15550166" })),
    ] {
        server.post(path, body).await.refused(403, "hook_refused", "Not from there");
    }
    assert_eq!(server.ask("select count(*) from auth.users").await, "0");
    let ann = server.sign_up("ann@example.com").await;
    let told = receiver.hears().await;
    assert_eq!((&told["metadata"]["name"], &told["user"]["id"]), (&json!("after-user-created"), &ann["user"]["id"]));
    assert_eq!(told["user"]["identities"][0]["provider"], "email");
    server.post("/otp", json!({ "email": "bob@example.com" })).await.ok();
    assert_eq!(receiver.hears().await["user"]["email"], "bob@example.com");
    server.post("/otp", json!({ "phone": "+15550100" })).await.ok();
    assert_eq!(receiver.hears().await["user"]["phone"], "15550100");
}

#[tokio::test]
async fn a_hook_rejects_passwords_and_codes_and_signs_out() {
    let hooks = HooksConfig {
        password_verification_attempt: by_function("attempts"),
        mfa_verification_attempt: by_function("factors"),
        ..HooksConfig::default()
    };
    let server = with(hooks).await;
    server.sql("create table public.hook_attempts (valid boolean not null); grant select, insert on public.hook_attempts to service_role; alter table public.hook_attempts disable row level security").await;
    function(
        &server,
        "attempts",
        "insert into public.hook_attempts values ((event ->> 'valid')::boolean);
         if (select count(*) from public.hook_attempts where not valid) >= 2 then
           return '{\"decision\": \"reject\", \"message\": \"Too many\", \"should_logout_user\": true}';
         end if;
         return '{\"decision\": \"continue\"}';",
    )
    .await;
    function(
        &server,
        "factors",
        "return jsonb_build_object('decision', case when (event ->> 'valid')::boolean then 'reject' else 'continue' end);",
    )
    .await;
    let session = server.sign_up("ann@example.com").await;
    let password = |password: &str| json!({ "email": "ann@example.com", "password": password });
    let wrong = server.post("/token?grant_type=password", password("wrong")).await;
    wrong.refused(400, "invalid_credentials", "Invalid login credentials");
    server.sign_in("ann@example.com").await;
    assert_eq!(server.ask("select string_agg(valid::text, ' ') from public.hook_attempts").await, "false true");

    let factor = server.call("POST", "/factors", Some(token(&session)), Some(json!({ "factor_type": "totp" }))).await.ok();
    let id = factor["id"].as_str().unwrap();
    let secret = TotpSecret::try_from_base32(factor["totp"]["secret"].as_str().unwrap()).unwrap();
    let code = Builder::new().with_secret(secret).build_noncompliant().generate(u64::try_from(START).unwrap()).to_string();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let prove = async |code: &str| {
        let challenge = server.call("POST", &format!("/factors/{id}/challenge"), Some(token(&session)), Some(json!({}))).await.ok();
        let body = json!({ "challenge_id": challenge["id"], "code": code });
        server.call("POST", &format!("/factors/{id}/verify"), Some(token(&session)), Some(body)).await
    };
    prove(wrong).await.refused(422, "mfa_verification_failed", "Invalid TOTP code entered");
    server.user(&session).await.ok();
    prove(&code).await.refused(403, "mfa_verification_rejected", "Further MFA verification attempts will be rejected.");
    assert_eq!(server.user(&session).await.status, 403, "his sessions are over");
    assert_eq!(server.ask("select status from auth.mfa_factors").await, "unverified");

    let session = server.sign_in("ann@example.com").await;
    server.post("/token?grant_type=password", password("wrong")).await.refused(400, "invalid_credentials", "Too many");
    server.post("/token?grant_type=password", password(PASSWORD)).await.refused(400, "invalid_credentials", "Too many");
    assert_eq!(server.user(&session).await.status, 403);
    // Nobody's password is no attempt at anybody's.
    let nobody = json!({ "email": "nobody@example.com", "password": "wrong" });
    server.post("/token?grant_type=password", nobody).await.refused(400, "invalid_credentials", "Invalid login credentials");
}

#[tokio::test]
async fn nobody_waits_as_long_as_somebody_for_the_hook_of_passwords() {
    let limits = HookLimits { function_time_ms: 20_000, ..HookLimits::default() };
    let hooks = HooksConfig { password_verification_attempt: by_function("slowly"), limits, ..HooksConfig::default() };
    let server = Server::with(AuthConfig { hooks, ..AuthConfig::default() }).await;
    function(&server, "slowly", "if event ->> 'valid' = 'false' then raise exception 'away'; end if; perform pg_sleep(0.3); return '{}';")
        .await;
    server.sign_up("ann@example.com").await;
    server.sign_in("ann@example.com").await;
    let begun = std::time::Instant::now();
    let nobody = json!({ "email": "nobody@example.com", "password": "wrong" });
    server.post("/token?grant_type=password", nobody).await.refused(400, "invalid_credentials", "Invalid login credentials");
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    // A hook that fails lets nobody in, and does not tell either that there is an account.
    let somebody = json!({ "email": "ann@example.com", "password": "wrong" });
    server.post("/token?grant_type=password", somebody).await.refused(400, "invalid_credentials", "Invalid login credentials");
}

#[tokio::test]
async fn the_hook_of_factors_is_told_of_codes_and_of_recovery_codes() {
    let hooks = HooksConfig { mfa_verification_attempt: by_function("factors"), limits: limits(), ..HooksConfig::default() };
    let mfa = MfaConfig { phone_enroll_enabled: true, ..MfaConfig::default() };
    let server = Server::with(AuthConfig { hooks, mfa, ..AuthConfig::default() }).await;
    server.sql("create table public.hook_factors (id bigint generated always as identity, told text not null); grant select, insert on public.hook_factors to service_role; alter table public.hook_factors disable row level security").await;
    function(
        &server,
        "factors",
        "insert into public.hook_factors (told) values (concat(event ->> 'factor_type', ' ', event ->> 'valid'));
         return jsonb_build_object('decision',
           case when event ->> 'factor_type' = 'recovery_code' and (event ->> 'valid')::boolean then 'reject' else 'continue' end);",
    )
    .await;
    let session = server.sign_up("ann@example.com").await;
    let call = async |session: &Value, path: &str, body: Value| {
        server.call("POST", &format!("/factors{path}"), Some(token(session)), Some(body)).await
    };
    let factor = call(&session, "", json!({ "factor_type": "phone", "friendly_name": "Work", "phone": "+15550100199" })).await.ok();
    let id = factor["id"].as_str().unwrap();
    let challenge = call(&session, &format!("/{id}/challenge"), json!({})).await.ok();
    let code = server.message("+15550100199").await.code;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let answer = |code: &str| json!({ "challenge_id": challenge["id"], "code": code });
    let path = format!("/{id}/verify");
    call(&session, &path, answer(wrong)).await.refused(422, "mfa_verification_failed", "Invalid MFA Phone code entered");
    let session = call(&session, &path, answer(&code)).await.ok();
    let set = call(&session, "/recovery-codes", json!({})).await.ok();
    let spare = set["codes"][0].clone();
    let refused = call(&session, "/recovery-codes/verify", json!({ "code": "0000" })).await;
    refused.refused(422, "mfa_verification_failed", "Invalid recovery code entered");
    let rejected = call(&session, "/recovery-codes/verify", json!({ "code": spare })).await;
    rejected.refused(403, "mfa_verification_rejected", "Further MFA verification attempts will be rejected.");
    assert_eq!(server.user(&session).await.status, 403, "his sessions are over");
    let told = "select string_agg(told, ', ' order by id) from public.hook_factors";
    assert_eq!(server.ask(told).await, "phone false, phone true, recovery_code false, recovery_code true");
}

#[tokio::test]
async fn hooks_send_mail_and_sms() {
    let mut receiver = Receiver::new(Say::Unavailable).await;
    let outbound = OutboundConfig {
        mail: MailConfig { hook: receiver.config(), ..MailConfig::default() },
        sms: SmsConfig { hook: by_function("send_sms"), ..SmsConfig::default() },
        ..OutboundConfig::default()
    };
    let server = Server::with_outbound(AuthConfig::default(), outbound).await;
    let pass = async || {
        let pass = server.auth.outbound().unwrap().pass(&server.auth.seal().unwrap()).await.unwrap();
        (pass.sent, pass.again, pass.failed)
    };
    let otp = |email: &str| json!({ "email": email });
    let target = "/otp?redirect_to=http%3A%2F%2Flocalhost%3A54321%2Fwelcome";
    server.post(target, otp("ann@example.com")).await.ok();
    assert_eq!(pass().await, (0, 1, 0), "who is not there now may be later");
    receiver.hears().await;
    receiver.says(Say::Json(json!({})));
    server.wait(60);
    assert_eq!(pass().await, (1, 0, 0));
    let told = receiver.hears().await;
    assert_eq!((&told["user"]["email"], &told["email_data"]["email_action_type"]), (&json!("ann@example.com"), &json!("magiclink")));
    let data = &told["email_data"];
    assert_eq!((&data["token_new"], &data["site_url"]), (&json!(""), &json!("http://localhost:54321/")));
    assert_eq!(data["redirect_to"], "http://localhost:54321/welcome");
    let by_code = json!({ "email": "ann@example.com", "token": data["token"], "type": "email" });
    server.post("/verify", by_code).await.ok();
    server.wait(60);
    server.post("/otp", otp("ann@example.com")).await.ok();
    pass().await;
    let told = receiver.hears().await;
    server.post("/verify", json!({ "token_hash": told["email_data"]["token_hash"], "type": "email" })).await.ok();
    // Refused for good: it counts no more.
    receiver.says(Say::Json(json!({ "error": { "http_code": 422, "message": "No such mailbox" } })));
    server.post("/otp", otp("bob@example.com")).await.ok();
    assert_eq!(pass().await, (0, 0, 1));
    receiver.hears().await;
    server.post("/otp", otp("bob@example.com")).await.ok();
    // Nobody is written to who is nobody.
    server.post("/recover", otp("nobody@example.com")).await.ok();
    pass().await;
    assert_eq!(receiver.heard_times(), 1, "bob alone");

    function(&server, "send_sms", "perform set_config('app.unused', '', true); if event #>> '{sms,otp}' !~ '^[0-9]{6}$' or event #>> '{user,phone}' <> '15550100' then raise exception 'wrong'; end if; return '{}';").await;
    server.post("/otp", json!({ "phone": "+15550100" })).await.ok();
    assert_eq!(pass().await, (1, 0, 0));
}
