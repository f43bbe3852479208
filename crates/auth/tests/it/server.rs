//! A router on a database of its own, with a clock that the test turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use auth::keys::KeyRing;
use auth::{Auth, AuthConfig, AuthOptions};
use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use jiff::Timestamp;
use kernel::{Authority, Clock};
use limits::{Buckets, Keys, Limiter, RatesConfig};
use outbound::{Outbound, OutboundConfig, OutboundOptions};
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const START: i64 = 1_795_262_400;

pub(crate) struct Server {
    pub(crate) db: testkit::Db,
    pub(crate) auth: Auth,
    pub(crate) ring: KeyRing,
    pub(crate) router: Router,
    limiter: Limiter,
    clock: Arc<Hands>,
}

/// A clock whose hands the test moves.
pub(crate) struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// A message that was kept.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) code: String,
    /// The path of the link below /auth/v1.
    pub(crate) link: String,
}

impl Letter {
    /// Returns the token of the link.
    pub(crate) fn token(&self) -> &str {
        self.link.split_once("token=").unwrap().1.split_once('&').unwrap().0
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Server {
    pub(crate) async fn new() -> Self {
        Self::with(AuthConfig::default()).await
    }

    pub(crate) async fn with(config: AuthConfig) -> Self {
        Self::with_outbound(config, OutboundConfig::default()).await
    }

    pub(crate) async fn with_outbound(config: AuthConfig, outbound: OutboundConfig) -> Self {
        // Tests that count something of their own are not stopped by what counts beside it.
        Self::with_rates(config, outbound, RatesConfig { strict_minute_max: 0, ..RatesConfig::default() }).await
    }

    pub(crate) async fn with_rates(config: AuthConfig, outbound: OutboundConfig, rates: RatesConfig) -> Self {
        let db = testkit::Db::new().await;
        let clock = Arc::new(Hands(AtomicI64::new(START)));
        let ring = KeyRing::generate(clock.now()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the test is where this process starts")]
        let authority = Authority::establish();
        let hands: Arc<dyn Clock> = clock.clone();
        let outbound = OutboundOptions {
            database: db.database(),
            authority: Arc::clone(&authority),
            clock: clock.clone(),
            config: outbound,
            is_development: true,
        };
        let buckets = Buckets::local(Keys::of_this_process().unwrap(), 100_000);
        let limiter = Limiter::new(rates, buckets, Arc::<Hands>::clone(&clock));
        let options = AuthOptions {
            outbound: Some(Outbound::new(outbound).unwrap()),
            database: db.database(),
            authority,
            clock: hands,
            config,
            keys: ring.clone(),
            public_url: "http://localhost:54321/".to_owned(),
            limiter: limiter.clone(),
        };
        let auth = Auth::new(options).unwrap();
        Self { db, router: auth::router(auth.clone()), auth, ring, limiter, clock }
    }

    /// Returns the sign-in of another server before the same database.
    pub(crate) fn another(&self) -> Auth {
        #[expect(clippy::disallowed_methods, reason = "as if it were another process")]
        let authority = Authority::establish();
        let clock: Arc<dyn Clock> = Arc::<Hands>::clone(&self.clock);
        let (config, public_url) = (self.auth.config().clone(), "http://localhost:54321/".to_owned());
        Auth::new(AuthOptions {
            outbound: None,
            database: self.db.database(),
            authority,
            clock,
            config,
            keys: self.ring.clone(),
            public_url,
            limiter: self.limiter.clone(),
        })
        .unwrap()
    }

    pub(crate) fn wait(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body: serde_json::from_str(&text).unwrap_or(Value::Null), text }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("x-supabase-api-version", "2024-01-01");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.header("content-type", "application/json").body(body).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, None, Some(body)).await
    }

    /// Signs up and returns the session.
    pub(crate) async fn sign_up(&self, email: &str) -> Value {
        self.post("/signup", json!({ "email": email, "password": PASSWORD })).await.ok()
    }

    pub(crate) async fn sign_in(&self, email: &str) -> Value {
        self.post("/token?grant_type=password", json!({ "email": email, "password": PASSWORD })).await.ok()
    }

    pub(crate) async fn refresh(&self, session: &Value) -> Answer {
        self.post("/token?grant_type=refresh_token", json!({ "refresh_token": session["refresh_token"] })).await
    }

    pub(crate) async fn user(&self, session: &Value) -> Answer {
        self.call("GET", "/user", Some(token(session)), None).await
    }

    /// Runs SQL as the administrator of the test's cluster.
    pub(crate) async fn sql(&self, sql: &str) {
        self.db.superuser().await.batch_execute(sql).await.unwrap();
    }

    /// Asks the administrator for one text.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        let row = self.db.superuser().await.query_one(&format!("select ({sql})::text"), &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_else(|| "null".to_owned())
    }

    /// Sends what is in the outbox, and returns the newest message to an address or number.
    pub(crate) async fn message(&self, to: &str) -> Letter {
        self.auth.outbound().unwrap().pass(&self.auth.seal().unwrap()).await.unwrap();
        let newest = |column: &str| {
            format!("select {column} from app.captured_messages where recipient = '{to}' order by created_at desc, id desc limit 1")
        };
        let text = self.ask(&newest("body_text")).await;
        let link = text.lines().find(|line| line.starts_with("http")).unwrap_or_default();
        let words = text.lines().filter(|line| !line.starts_with("http"));
        let code = words.flat_map(|line| line.split(|c: char| !c.is_ascii_digit())).find(|part| part.len() == 6).unwrap_or_default();
        Letter {
            subject: self.ask(&newest("subject")).await,
            code: code.to_owned(),
            link: link.strip_prefix("http://localhost:54321/auth/v1").unwrap_or_default().to_owned(),
            text,
        }
    }

    /// Makes a company of which the user of a session is the owner.
    pub(crate) async fn company(&self, slug: &str, session: &Value) -> String {
        let user = session["user"]["id"].as_str().unwrap();
        let made = format!("insert into public.companies (name, slug, owner_id) values ('{slug}', '{slug}', '{user}')");
        self.sql(&made).await;
        let id = self.ask(&format!("select id from public.companies where slug = '{slug}'")).await;
        let member = format!("insert into public.team_members (company_id, user_id, role) values ('{id}', '{user}', 'owner')");
        self.sql(&member).await;
        id
    }
}

impl Answer {
    /// Returns the body of a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.body
    }

    /// Checks a refusal in the newer shape.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str, message: &str) {
        assert_eq!((self.status, &self.body), (status, &json!({ "code": code, "message": message })));
        assert_eq!(self.headers["x-sb-error-code"], code);
    }
}

pub(crate) fn token(session: &Value) -> &str {
    session["access_token"].as_str().unwrap()
}

/// Returns a part of a token without checking it.
fn part(token: &str, number: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(number).unwrap()).unwrap()).unwrap()
}

pub(crate) fn header(session: &Value) -> Value {
    part(token(session), 0)
}

pub(crate) fn claims(session: &Value) -> Value {
    part(token(session), 1)
}
