//! A directory of RFC 8555 on this machine: it looks at every signature and nonce, connects to the server that it validates, and signs what a
//! request for a certificate asks for.
//!
//! Invariant: it gives nothing that a name was not validated for. What it is to refuse is said before.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Method, Uri};
use rcgen::{BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::jws::{Jws, Key, Signer, is_bound};
use super::look::look;

const PROBLEM: &str = "urn:ietf:params:acme:error:";

/// What the directory is to do besides what is asked of it.
#[derive(Default)]
pub(crate) struct Plan {
    /// How many requests are told that their nonce is bad.
    pub(crate) bad_nonces: u32,
    /// Orders that are refused, each with the seconds until the next one may come.
    pub(crate) limited: VecDeque<u32>,
    /// Names that are not validated, however often.
    pub(crate) unproved: u32,
    /// How much of its life each certificate has behind and before it; those that follow have 90 days.
    pub(crate) lives: VecDeque<(Duration, Duration)>,
    /// The account elsewhere that an account has to be bound to.
    pub(crate) binding: Option<(String, Vec<u8>)>,
}

struct Order {
    account: String,
    domains: Vec<String>,
    /// `pending`, `valid` or `invalid`, for each of them.
    proofs: Vec<&'static str>,
    tokens: Vec<String>,
    status: &'static str,
    chain: Option<String>,
}

#[derive(Default)]
struct Inner {
    plan: Plan,
    nonces: HashSet<String>,
    accounts: HashMap<String, (Key, Value)>,
    orders: Vec<Order>,
    asked: Vec<(String, Instant)>,
}

struct Shared {
    base: String,
    authority: Issuer<'static, KeyPair>,
    inner: Mutex<Inner>,
    /// Where the names that are validated are.
    place: watch::Sender<Option<SocketAddr>>,
    /// How many orders may begin.
    open: watch::Sender<usize>,
}

/// A directory that answers.
pub(crate) struct Directory {
    shared: Arc<Shared>,
    folder: TempDir,
    authority: String,
}

struct Tls(TcpListener, TlsAcceptor);

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, peer) = self.0.accept().await.unwrap();
            if let Ok(stream) = self.1.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Directory {
    pub(crate) async fn start(plan: Plan) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = parameters.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(parameters, key);
        let own = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&own, &issuer).unwrap();
        let secret = PrivateKeyDer::try_from(own.serialize_der()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = builder.with_single_cert(vec![certificate.der().clone()], secret).unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let inner = Mutex::new(Inner { plan, ..Inner::default() });
        let shared =
            Arc::new(Shared { base, authority: issuer, inner, place: watch::Sender::new(None), open: watch::Sender::new(usize::MAX) });
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(axum::serve(Tls(listener, TlsAcceptor::from(Arc::new(config))), router).into_future());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), &authority).unwrap();
        Self { shared, folder, authority }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/directory", self.shared.base)
    }

    /// The file of the authority that signs the directory's own certificate and all those that are ordered.
    pub(crate) fn authority_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Says where the names are: looks wait for it.
    pub(crate) fn validate_at(&self, address: SocketAddr) {
        self.shared.place.send_replace(Some(address));
    }

    /// Lets so many orders begin, counted from the first; the next ones are not answered.
    pub(crate) fn let_orders(&self, count: usize) {
        self.shared.open.send_replace(count);
    }

    /// Returns when each request came, those whose path begins so.
    pub(crate) fn asked(&self, path: &str) -> Vec<Instant> {
        self.shared.inner().asked.iter().filter(|(asked, _)| asked.starts_with(path)).map(|(_, at)| *at).collect()
    }

    /// Returns what the accounts said of themselves.
    pub(crate) fn accounts(&self) -> Vec<Value> {
        self.shared.inner().accounts.values().map(|(_, said)| said.clone()).collect()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, method: Method, uri: Uri, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    shared.inner().asked.push((path.clone(), Instant::now()));
    match (method, path.as_str()) {
        (Method::GET, "/directory") => shared.reply(200, &shared.directory()),
        (Method::HEAD, "/new-nonce") => shared.reply(200, &Value::Null),
        (Method::POST, _) => match shared.verified(&path, &body) {
            Ok((account, payload)) => shared.post(&path, &account, payload).await,
            Err(answered) => *answered,
        },
        _ => shared.problem(405, "malformed", "no such request"),
    }
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn directory(&self) -> Value {
        let url = |path: &str| format!("{}/{path}", self.base);
        json!({
            "newNonce": url("new-nonce"), "newAccount": url("new-account"), "newOrder": url("new-order"), "revokeCert": url("revoke"),
            "keyChange": url("key-change"), "meta": { "externalAccountRequired": self.inner().plan.binding.is_some() }
        })
    }

    fn reply(&self, status: u16, body: &Value) -> Response {
        self.reply_with(status, &[], Body::from(body.to_string()))
    }

    fn reply_with(&self, status: u16, headers: &[(&str, String)], body: Body) -> Response {
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        self.inner().nonces.insert(nonce.clone());
        let mut response = Response::builder().status(status).header("replay-nonce", nonce);
        for (name, value) in headers {
            response = response.header(*name, value);
        }
        response.body(body).unwrap()
    }

    fn problem(&self, status: u16, kind: &str, detail: &str) -> Response {
        self.reply(status, &json!({ "type": format!("{PROBLEM}{kind}"), "detail": detail, "status": status }))
    }

    /// Looks at nonce, address and signature. Returns the account that asks, or what is answered already: a refusal, or an account that was made.
    fn verified(&self, path: &str, body: &[u8]) -> Result<(String, Option<Value>), Box<Response>> {
        let jws = Jws::read(body);
        let mut inner = self.inner();
        let is_fresh = inner.nonces.remove(&jws.nonce);
        let is_spoiled = path != "/new-account" && inner.plan.bad_nonces > 0;
        if is_spoiled {
            inner.plan.bad_nonces -= 1;
        }
        if !is_fresh || is_spoiled {
            drop(inner);
            return Err(Box::new(self.problem(400, "badNonce", "this nonce was not given, or was used")));
        }
        assert_eq!(jws.url, format!("{}{path}", self.base), "what was signed is for another address");
        let (key, account) = match &jws.signer {
            Signer::Key(key) if path == "/new-account" => (key.clone(), None),
            Signer::Key(_) => panic!("only an account is made with a key: {path}"),
            Signer::Account(account) => {
                let Some((key, _)) = inner.accounts.get(account) else {
                    drop(inner);
                    return Err(Box::new(self.problem(400, "accountDoesNotExist", "there is no such account")));
                };
                (key.clone(), Some(account.clone()))
            }
        };
        assert!(jws.is_of(&key), "the signature is another's");
        let Some(account) = account else {
            let said = jws.payload.unwrap();
            if let Some((id, secret)) = &inner.plan.binding {
                let binding = &said["externalAccountBinding"];
                assert!(is_bound(binding, (id, secret), &jws.url, &key), "{binding}");
            }
            let account = format!("{}/account/{}", self.base, inner.accounts.len() + 1);
            inner.accounts.insert(account.clone(), (key, said));
            drop(inner);
            let made = self.reply_with(201, &[("location", account)], Body::from(json!({ "status": "valid" }).to_string()));
            return Err(Box::new(made));
        };
        Ok((account, jws.payload))
    }

    async fn post(self: &Arc<Self>, path: &str, account: &str, payload: Option<Value>) -> Response {
        let mut parts = path.split('/').skip(1);
        let (what, mut numbers) = (parts.next().unwrap(), parts.map(|part| part.parse::<usize>().unwrap()));
        let (order, name) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        if what == "new-order" {
            return self.begin(account, &payload.unwrap()).await;
        }
        assert_eq!(self.inner().orders[order].account, account, "the order is another's");
        match what {
            "order" => {
                let said = self.order(order);
                // What is worked on is done at the next look.
                let mut inner = self.inner();
                if inner.orders[order].status == "processing" {
                    inner.orders[order].status = "valid";
                }
                drop(inner);
                self.reply(200, &said)
            }
            "authorization" => self.reply(200, &self.authorization(order, name)),
            "challenge" => {
                assert_eq!(payload, Some(json!({})));
                tokio::spawn(Arc::clone(self).prove(order, name));
                self.reply(200, &self.challenge(order, name))
            }
            "finalize" => self.sign(order, &payload.unwrap()),
            "certificate" => {
                assert_eq!(payload, None);
                let chain = self.inner().orders[order].chain.clone().unwrap();
                self.reply_with(200, &[("content-type", "application/pem-certificate-chain".to_owned())], Body::from(chain))
            }
            _ => self.problem(404, "malformed", "no such thing"),
        }
    }

    async fn begin(&self, account: &str, wanted: &Value) -> Response {
        let limited = self.inner().plan.limited.pop_front();
        if let Some(seconds) = limited {
            let body = json!({ "type": format!("{PROBLEM}rateLimited"), "detail": "too many orders", "status": 429 });
            return self.reply_with(429, &[("retry-after", seconds.to_string())], Body::from(body.to_string()));
        }
        let number = self.inner().orders.len();
        self.open.subscribe().wait_for(|open| *open > number).await.unwrap();
        let domains: Vec<String> = wanted["identifiers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|identifier| {
                assert_eq!(identifier["type"], "dns");
                identifier["value"].as_str().unwrap().to_owned()
            })
            .collect();
        let tokens = domains.iter().map(|_| uuid::Uuid::new_v4().simple().to_string()).collect();
        let proofs = vec!["pending"; domains.len()];
        let order = Order { account: account.to_owned(), domains, proofs, tokens, status: "pending", chain: None };
        self.inner().orders.push(order);
        let said = Body::from(self.order(number).to_string());
        self.reply_with(201, &[("location", format!("{}/order/{number}", self.base))], said)
    }

    fn order(&self, number: usize) -> Value {
        let inner = self.inner();
        let order = &inner.orders[number];
        let names = 0..order.domains.len();
        let authorizations: Vec<String> = names.map(|name| format!("{}/authorization/{number}/{name}", self.base)).collect();
        let mut said = json!({
            "status": order.status, "authorizations": authorizations, "finalize": format!("{}/finalize/{number}", self.base),
            "identifiers": order.domains.iter().map(|domain| json!({ "type": "dns", "value": domain })).collect::<Vec<_>>()
        });
        if order.status == "valid" {
            said["certificate"] = json!(format!("{}/certificate/{number}", self.base));
        }
        said
    }

    fn challenge(&self, number: usize, name: usize) -> Value {
        let inner = self.inner();
        let order = &inner.orders[number];
        let mut said = json!({
            "type": "tls-alpn-01", "url": format!("{}/challenge/{number}/{name}", self.base), "token": order.tokens[name],
            "status": order.proofs[name]
        });
        if order.proofs[name] == "invalid" {
            said["error"] = json!({ "type": format!("{PROBLEM}connection"), "detail": "nobody answers there", "status": 400 });
        }
        said
    }

    fn authorization(&self, number: usize, name: usize) -> Value {
        let challenge = self.challenge(number, name);
        let inner = self.inner();
        let order = &inner.orders[number];
        let other = json!({ "type": "http-01", "url": format!("{}/nowhere", self.base), "token": "x", "status": "pending" });
        json!({
            "status": order.proofs[name], "identifier": { "type": "dns", "value": order.domains[name] }, "challenges": [other, challenge]
        })
    }

    /// Connects to the server, and notes what came of it.
    async fn prove(self: Arc<Self>, number: usize, name: usize) {
        let place = self.place.subscribe().wait_for(Option::is_some).await.unwrap().unwrap();
        let (domain, expected) = {
            let inner = self.inner();
            let order = &inner.orders[number];
            let thumbprint = inner.accounts[&order.account].0.thumbprint();
            (order.domains[name].clone(), digest(&SHA256, format!("{}.{thumbprint}", order.tokens[name]).as_bytes()))
        };
        let seen = look(place, &domain, expected.as_ref()).await;
        let mut inner = self.inner();
        let is_spoiled = inner.plan.unproved > 0;
        if is_spoiled {
            inner.plan.unproved -= 1;
        } else {
            assert_eq!(seen, Ok(()), "{domain}");
        }
        let order = &mut inner.orders[number];
        order.proofs[name] = if is_spoiled { "invalid" } else { "valid" };
        if order.proofs.contains(&"invalid") {
            order.status = "invalid";
        } else if order.proofs.iter().all(|proof| *proof == "valid") {
            order.status = "ready";
        }
    }

    fn sign(&self, number: usize, payload: &Value) -> Response {
        let request = URL_SAFE_NO_PAD.decode(payload["csr"].as_str().unwrap()).unwrap();
        // Reading it looks at its signature.
        let mut request = CertificateSigningRequestParams::from_der(&request.into()).unwrap();
        let mut inner = self.inner();
        assert_eq!(inner.orders[number].status, "ready");
        let wanted: Vec<SanType> =
            inner.orders[number].domains.iter().map(|it| SanType::DnsName(it.as_str().try_into().unwrap())).collect();
        assert_eq!(request.params.subject_alt_names, wanted);
        let month = Duration::from_hours(30 * 24);
        let (behind, before) = inner.plan.lives.pop_front().unwrap_or((Duration::from_hours(1), 3 * month));
        request.params.not_before = (SystemTime::now() - behind).into();
        request.params.not_after = (SystemTime::now() + before).into();
        inner.orders[number].chain = Some(request.signed_by(&self.authority).unwrap().pem());
        inner.orders[number].status = "processing";
        drop(inner);
        self.reply(200, &self.order(number))
    }
}
