//! A router on a database of its own, with a clock that can be put forward: sign-in under `/auth/v1`, the data API under `/rest/v1`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use auth::keys::KeyRing;
use auth::{Auth, AuthConfig, AuthOptions};
use axum::body::Body;
use axum::{Router, middleware};
use data_api::{DataApi, DataApiConfig};
use http::{HeaderMap, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use kernel::{Authority, Clock};
use limits::{Buckets, Keys, Limiter, RatesConfig};
use postgres::Database;
use serde_json::{Value, json};
use tower::ServiceExt;

const PASSWORD: &str = "correct horse battery staple";

pub(crate) struct Server {
    pub(crate) db: testkit::Db,
    pub(crate) api: DataApi,
    pub(crate) ring: KeyRing,
    router: Router,
    clock: Arc<Forward>,
}

/// The machine's clock, put forward by so many seconds.
#[derive(Debug, Default)]
struct Forward(AtomicI64);

impl Clock for Forward {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// Somebody who asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    pub(crate) token: Option<String>,
    pub(crate) user_id: String,
    pub(crate) company_id: String,
    /// `X-Company-Id`.
    pub(crate) works_in: Option<String>,
}

/// What a request says beyond method, path and body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said<'a> {
    pub(crate) prefer: &'a str,
    pub(crate) accept: &'a str,
    pub(crate) header: Option<(&'a str, &'a str)>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
    /// Whether it came piece by piece.
    pub(crate) is_streamed: bool,
}

impl Server {
    pub(crate) async fn new() -> Self {
        Self::with(DataApiConfig::default()).await
    }

    pub(crate) async fn with(config: DataApiConfig) -> Self {
        let db = testkit::Db::new().await;
        let database = db.database();
        Self::over(db, database, config)
    }

    /// The data API over a pool of its own; sign-in keeps the usual one.
    pub(crate) fn over(db: testkit::Db, database: Database, config: DataApiConfig) -> Self {
        let clock = Arc::new(Forward::default());
        let ring = KeyRing::generate(clock.now()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the test is where this process starts")]
        let authority = Authority::establish();
        let buckets = Buckets::local(Keys::of_this_process().unwrap(), 100_000);
        let auth = Auth::new(AuthOptions {
            outbound: None,
            database: db.database(),
            authority: Arc::clone(&authority),
            clock: Arc::<Forward>::clone(&clock),
            config: AuthConfig::default(),
            keys: ring.clone(),
            public_url: "http://localhost:54321/".to_owned(),
            limiter: Limiter::new(RatesConfig::default(), buckets, Arc::<Forward>::clone(&clock)),
        })
        .unwrap();
        let api = DataApi::new(database, authority, config).unwrap();
        let guarded = |routes: Router| routes.layer(middleware::from_fn_with_state(auth.clone(), auth::layer));
        let (rest, root) = (guarded(data_api::router(api.clone())), guarded(data_api::root_router(api.clone())));
        let batch = guarded(data_api::batch_router(api.clone()));
        let router =
            Router::new().nest("/auth/v1", auth::router(auth)).nest("/rest/v1", rest).nest("/rest/v1/", root).nest("/batch/v1", batch);
        Self { db, api, ring, router, clock }
    }

    /// Puts the clock of sign-in forward.
    pub(crate) fn wait(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Sends a request and leaves the body where it is.
    pub(crate) async fn raw(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.raw(request).await.into_parts();
        let is_streamed = body.size_hint().exact().is_none();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: parts.status.as_u16(), headers: parts.headers, body, text, is_streamed }
    }

    /// Sends a request to the data API; `path` is what comes behind `/rest/v1/`, written as people read it.
    pub(crate) async fn call(&self, who: &Caller, request: (&str, &str), body: Option<String>, said: Said<'_>) -> Answer {
        let (method, path) = request;
        let uri = format!("/rest/v1/{}", encoded(path));
        self.ask(who, (method, uri.trim_end_matches('/')), body, said).await
    }

    /// Sends several requests as one.
    pub(crate) async fn batch(&self, who: &Caller, requests: Value, said: Said<'_>) -> Answer {
        self.ask(who, ("POST", "/batch/v1"), Some(json!({ "requests": requests }).to_string()), said).await
    }

    async fn ask(&self, who: &Caller, (method, uri): (&str, &str), body: Option<String>, said: Said<'_>) -> Answer {
        let mut request = Request::builder().method(method).uri(uri).header("content-type", "application/json");
        if let Some(token) = &who.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(company) = &who.works_in {
            request = request.header("x-company-id", company);
        }
        for (name, value) in [("prefer", said.prefer), ("accept", said.accept)].into_iter().chain(said.header) {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        self.send(request.body(body.map_or_else(Body::empty, Body::from)).unwrap()).await
    }

    pub(crate) async fn get(&self, who: &Caller, path: &str) -> Answer {
        self.call(who, ("GET", path), None, Said::default()).await
    }

    pub(crate) async fn get_with(&self, who: &Caller, path: &str, said: Said<'_>) -> Answer {
        self.call(who, ("GET", path), None, said).await
    }

    pub(crate) async fn post(&self, who: &Caller, path: &str, body: Value, prefer: &str) -> Answer {
        self.call(who, ("POST", path), Some(body.to_string()), Said { prefer, ..Said::default() }).await
    }

    pub(crate) async fn patch(&self, who: &Caller, path: &str, body: Value, prefer: &str) -> Answer {
        self.call(who, ("PATCH", path), Some(body.to_string()), Said { prefer, ..Said::default() }).await
    }

    pub(crate) async fn put(&self, who: &Caller, path: &str, body: Value, prefer: &str) -> Answer {
        self.call(who, ("PUT", path), Some(body.to_string()), Said { prefer, ..Said::default() }).await
    }

    pub(crate) async fn delete(&self, who: &Caller, path: &str, prefer: &str) -> Answer {
        self.call(who, ("DELETE", path), None, Said { prefer, ..Said::default() }).await
    }

    /// Sends a POST below `/auth/v1/`.
    pub(crate) async fn auth(&self, who: &Caller, path: &str, body: Value) -> Answer {
        self.auth_with("POST", who, path, body).await
    }

    /// Has somebody prove a second factor, and gives him a token from after that.
    pub(crate) async fn proved(&self, who: Caller) -> Caller {
        let client = self.db.superuser().await;
        let user_id: uuid::Uuid = who.user_id.parse().unwrap();
        let email: String = client.query_one("select email from auth.users where id = $1", &[&user_id]).await.unwrap().get(0);
        let password = json!({ "email": email, "password": PASSWORD });
        let session = self.auth(&Self::nobody(), "token?grant_type=password", password).await.ok();
        client.execute("update auth.sessions set aal = 'aal2' where user_id = $1", &[&user_id]).await.unwrap();
        let again = json!({ "refresh_token": session["refresh_token"] });
        let session = self.auth(&Self::nobody(), "token?grant_type=refresh_token", again).await.ok();
        Caller { token: session["access_token"].as_str().map(str::to_owned), ..who }
    }

    /// Sends another request below `/auth/v1/`.
    pub(crate) async fn auth_with(&self, method: &str, who: &Caller, path: &str, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/auth/v1/{path}")).header("content-type", "application/json");
        if let Some(token) = &who.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(company) = &who.works_in {
            request = request.header("x-company-id", company);
        }
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Signs somebody up.
    pub(crate) async fn person(&self, name: &str) -> Caller {
        let body = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        let session = self.auth(&Self::nobody(), "signup", body).await.ok();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Caller { token: Some(text(&session["access_token"])), user_id: text(&session["user"]["id"]), ..Caller::default() }
    }

    /// Signs somebody up who founds a company.
    pub(crate) async fn owner(&self, name: &str) -> Caller {
        let person = self.person(name).await;
        let company = self.post(&person, "rpc/create_company_with_owner", json!({ "name": name, "industry": "hvac" }), "").await.ok();
        Caller { company_id: company["id"].as_str().unwrap().to_owned(), ..person }
    }

    /// Signs somebody up who is in that company, and works in it by the header.
    pub(crate) async fn member(&self, company_id: &str, role: &str) -> Caller {
        self.member_called(role, company_id, role).await
    }

    /// Signs somebody of this name up who is in that company.
    pub(crate) async fn member_called(&self, name: &str, company_id: &str, role: &str) -> Caller {
        let person = self.person(&format!("{name}.{company_id}")).await;
        let row = json!({ "company_id": company_id, "user_id": person.user_id, "role": role, "status": "active" });
        let mut added = self.post(&self.service(), "team_members", row.clone(), "").await;
        if added.body["code"] == "seats_exceeded" {
            let more = self.patch(&self.service(), &format!("companies?id=eq.{company_id}"), json!({ "max_seats": 100 }), "").await;
            assert_eq!(more.status, 204, "{}", more.text);
            added = self.post(&self.service(), "team_members", row, "").await;
        }
        assert_eq!(added.status, 201, "{}", added.text);
        Caller { company_id: company_id.to_owned(), works_in: Some(company_id.to_owned()), ..person }
    }

    /// Whoever has no token.
    pub(crate) fn nobody() -> Caller {
        Caller::default()
    }

    /// Whoever has the service key.
    pub(crate) fn service(&self) -> Caller {
        Caller { token: Some(self.ring.service().token.expose().to_owned()), ..Caller::default() }
    }

    /// Makes a table as a migration would, and lets the data API see it.
    pub(crate) async fn table(&self, sql: &str) {
        self.db.superuser().await.batch_execute(&format!("set role app_owner; {sql}")).await.unwrap();
        self.api.reload().await.unwrap();
    }

    /// Enters a customer and returns his id.
    pub(crate) async fn customer(&self, who: &Caller, name: &str) -> String {
        let made = self
            .post(who, "customers", json!({ "phone": "+15550100", "first_name": name, "last_name": "X" }), "return=representation")
            .await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.body[0]["id"].as_str().unwrap().to_owned()
    }
}

/// Encodes what no address may hold, as clients do.
fn encoded(path: &str) -> String {
    path.chars().map(|c| if " \"<>^`{|}".contains(c) { format!("%{:02X}", u32::from(c)) } else { c.to_string() }).collect()
}

impl Caller {
    /// The same caller in another company, for this request.
    pub(crate) fn working_in(&self, company_id: &str) -> Self {
        Self { works_in: Some(company_id.to_owned()), ..self.clone() }
    }
}

impl Answer {
    /// Returns the body of a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.text);
        self.body
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.text);
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
