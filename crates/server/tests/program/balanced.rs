//! Two servers behind nginx, set up by `deploy/nginx/thorbis.conf` as it is delivered, with a Redis between them: clients see one server.
//!
//! Invariant: whatever a client writes into headers, and whichever server it comes to, it is counted once and heard everywhere.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::{Client, Method, StatusCode};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::Redis;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::database::Elsewhere;
use crate::process::{Program, folder};

const DELIVERED: &str = include_str!("../../../../deploy/nginx/thorbis.conf");
const NAME: &str = "api.example.com";
const PASSWORD: &str = "correct horse battery staple";
const TOPIC: &str = "realtime:room";
const PATIENCE: Duration = Duration::from_mins(1);
/// Requests of strangers from one address in a minute.
const STRANGERS_MAX: usize = 30;

/// A running nginx.
struct Nginx {
    child: Child,
    plain: SocketAddr,
    secure: SocketAddr,
}

impl Nginx {
    /// Starts it before these servers, with the delivered file and this machine's names in it.
    fn start(folder: &Path, servers: &[&str]) -> Self {
        let begun = Instant::now();
        loop {
            // Another program may take a port before nginx does.
            let (plain, secure) = (free(), free());
            std::fs::write(folder.join("thorbis.conf"), here(folder, servers, plain, secure)).unwrap();
            std::fs::write(folder.join("nginx.conf"), around(folder)).unwrap();
            let program = if Path::new("/usr/sbin/nginx").is_file() { "/usr/sbin/nginx" } else { "nginx" };
            let log = std::fs::File::create(folder.join("said.log")).unwrap();
            let mut command = Command::new(program);
            command.arg("-c").arg(folder.join("nginx.conf")).arg("-p").arg(folder).stdin(Stdio::null()).stdout(Stdio::null());
            let mut child = command.stderr(log).spawn().unwrap();
            while child.try_wait().unwrap().is_none() {
                if std::net::TcpStream::connect(secure).is_ok() {
                    return Self { child, plain, secure };
                }
                assert!(begun.elapsed() < PATIENCE, "nginx does not answer");
                std::thread::sleep(Duration::from_millis(10));
            }
            assert!(begun.elapsed() < PATIENCE, "nginx: {}", std::fs::read_to_string(folder.join("said.log")).unwrap());
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it only where it is asked.
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap_or_default());
        let _ended = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).is_ok() && self.child.wait().is_ok();
    }
}

fn free() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], testkit::free_port()))
}

/// Puts addresses and certificates into the delivered file, as its first lines say.
fn here(folder: &Path, servers: &[&str], plain: SocketAddr, secure: SocketAddr) -> String {
    let mut text = String::new();
    for line in DELIVERED.lines() {
        let own = match line.trim() {
            "listen 80;" => format!("listen {plain};"),
            "listen 443 ssl http2;" => format!("listen {secure} ssl http2;"),
            "listen [::]:80;" | "listen [::]:443 ssl http2;" => continue,
            line => line.replace("/etc/letsencrypt/live/api.example.com", &folder.display().to_string()),
        };
        text.push_str(&own);
        text.push('\n');
    }
    for (given, server) in ["10.0.0.11:54321", "10.0.0.12:54321"].iter().zip(servers) {
        assert_eq!(text.matches(given).count(), 1, "{given}");
        text = text.replace(given, server.strip_prefix("http://").unwrap());
    }
    text
}

/// What stands around it on a machine of its own.
fn around(folder: &Path) -> String {
    let folder = folder.display();
    let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {folder}/{kind};")).join("\n");
    // One worker takes the servers in turn; several would each begin with the first.
    let user = if nix::unistd::geteuid().is_root() { "user root root;" } else { "" };
    format!(
        "daemon off;\n{user}\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nevents {{ worker_connections 256; }}\n\
         http {{\naccess_log off;\n{places}\ninclude {folder}/thorbis.conf;\n}}\n"
    )
}

/// Everything that is started, and what asks it.
struct House {
    nginx: Nginx,
    nodes: Vec<Program>,
    client: Client,
    tls: tokio_rustls::TlsConnector,
    _folders: Vec<TempDir>,
    _redis: Redis,
    _elsewhere: Elsewhere,
    cluster: postgres::cluster::Cluster,
}

impl House {
    async fn build() -> Self {
        let (elsewhere, cluster) = Elsewhere::make().await;
        let redis = Redis::start();
        let folders = vec![folder(), folder(), folder()];
        let given = elsewhere.settings(&folders[0]).database;
        let (url, migrator_url) = (given.url.unwrap().expose().clone(), given.migrator_url.unwrap().expose().clone());
        let (redis_url, keys, strangers) = (redis.url(), folders[0].path().join("keys.json"), STRANGERS_MAX.to_string());
        let settings = [
            ("THORBIS_DATABASE__URL", url.as_str()),
            ("THORBIS_DATABASE__MIGRATOR_URL", migrator_url.as_str()),
            ("THORBIS_REDIS__URL", redis_url.as_str()),
            ("THORBIS_REDIS__COMMAND_TIME_MS", "10000"),
            ("THORBIS_KEY_RING_FILE", keys.to_str().unwrap()),
            ("THORBIS_PUBLIC_URL", "https://api.example.com"),
            ("THORBIS_PROXIES__TRUSTED", "127.0.0.1"),
            ("THORBIS_RATES__MODE", "enforce"),
            ("THORBIS_RATES__PUBLIC_MINUTE_MAX", strangers.as_str()),
            ("THORBIS_REALTIME__NODES_BEAT_MS", "50"),
        ];
        let nodes: Vec<Program> = tokio::task::block_in_place(|| {
            // The first one migrates, and the second finds it done.
            folders[..2].iter().map(|folder| Program::start_with(folder.path(), &settings)).collect()
        });
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
        std::fs::write(folders[2].path().join("fullchain.pem"), cert.pem()).unwrap();
        std::fs::write(folders[2].path().join("privkey.pem"), signing_key.serialize_pem()).unwrap();
        let urls: Vec<&str> = nodes.iter().map(|node| node.url.as_str()).collect();
        let nginx = tokio::task::block_in_place(|| Nginx::start(folders[2].path(), &urls));
        let root = reqwest::Certificate::from_pem(cert.pem().as_bytes()).unwrap();
        let client = Client::builder().tls_built_in_root_certs(false).add_root_certificate(root).resolve(NAME, nginx.secure);
        let client = client.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let tls = tokio_rustls::TlsConnector::from(Arc::new(tls));
        Self { nginx, nodes, client, tls, _folders: folders, _redis: redis, _elsewhere: elsewhere, cluster }
    }

    fn request(&self, method: Method, path: &str, token: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("https://{NAME}:{}{path}", self.nginx.secure.port()));
        // Whatever a client says of its address is replaced.
        let request = request.header("x-forwarded-for", "203.0.113.7");
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
        let answer = self.request(Method::POST, path, token).json(&body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    /// Returns a number of one node, asked without nginx.
    async fn number(&self, node: usize, name: &str) -> f64 {
        let text = self.client.get(format!("{}/metrics", self.nodes[node].url)).send().await.unwrap().text().await.unwrap();
        text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    async fn socket(&self, token: &str) -> Socket {
        let stream = TcpStream::connect(self.nginx.secure).await.unwrap();
        let stream = self.tls.connect(ServerName::try_from(NAME).unwrap(), stream).await.unwrap();
        let url = format!("wss://{NAME}/realtime/v1/websocket?vsn=2.0.0&apikey={token}");
        let (stream, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        let mut socket = Socket { stream };
        socket.say("phx_join", json!({ "config": { "broadcast": { "self": false } } })).await;
        let joined = socket.hear("phx_reply").await.unwrap();
        assert_eq!(joined["status"], "ok", "{joined}");
        socket
    }
}

/// A client of one channel.
struct Socket {
    stream: WebSocketStream<TlsStream<TcpStream>>,
}

impl Socket {
    async fn say(&mut self, event: &str, payload: Value) {
        let frame = json!(["1", "1", TOPIC, event, payload]).to_string();
        self.stream.send(Message::Text(frame.into())).await.unwrap();
    }

    async fn tell(&mut self, word: &str) {
        self.say("broadcast", json!({ "type": "broadcast", "event": "word", "payload": { "word": word } })).await;
    }

    /// Returns the payload of the next event of this name; nothing when the socket ended.
    async fn hear(&mut self, event: &str) -> Option<Value> {
        loop {
            match tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("nothing came")? {
                Ok(Message::Text(text)) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    if frame[3] == event {
                        return Some(frame[4].clone());
                    }
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn hears(&mut self, word: &str) {
        let heard = self.hear("broadcast").await.unwrap();
        assert_eq!(heard["payload"]["word"], word, "{heard}");
    }
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whatever they say of their address; it fills by one in two seconds.
async fn strangers_share_one_limit(house: &House) {
    let (begun, mut let_in) = (Instant::now(), 0);
    for number in 0..2 * STRANGERS_MAX {
        let asked = house.request(Method::GET, "/rest/v1/customers", "").header("x-forwarded-for", format!("198.51.100.{number}"));
        let_in += usize::from(asked.send().await.unwrap().status() != StatusCode::TOO_MANY_REQUESTS);
    }
    let filled = usize::try_from(begun.elapsed().as_secs() / 2).unwrap() + 1;
    assert!(let_in <= STRANGERS_MAX + filled && let_in >= STRANGERS_MAX / 2, "{let_in} of {STRANGERS_MAX}, filled by {filled}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_behind_nginx_are_one_to_clients_and_one_that_dies_is_missed_by_nobody() {
    let mut house = Box::pin(House::build()).await;
    let plain =
        house.client.get(format!("http://{}/rest/v1/customers?select=id", house.nginx.plain)).header("host", NAME).send().await.unwrap();
    assert_eq!(
        (plain.status(), plain.headers()["location"].to_str().unwrap()),
        (StatusCode::PERMANENT_REDIRECT, &*format!("https://{NAME}/rest/v1/customers?select=id"))
    );
    let numbers = house.request(Method::GET, "/metrics", "").send().await.unwrap();
    assert_eq!(numbers.status(), StatusCode::NOT_FOUND);
    assert_eq!(numbers.headers()["server"].to_str().unwrap().split('/').next(), Some("nginx"), "it does not come so far");

    // What is written through one is read through the other.
    let account = json!({ "email": "ann@example.com", "password": PASSWORD });
    let (status, session) = house.post("/auth/v1/signup", "", account).await;
    assert_eq!(status, StatusCode::OK, "{session}");
    let token = session["access_token"].as_str().unwrap().to_owned();
    let (status, company) = house.post("/rest/v1/rpc/create_company_with_owner", &token, json!({ "name": "Acme" })).await;
    assert_eq!(status, StatusCode::OK, "{company}");
    let company = company["id"].as_str().unwrap().to_owned();
    for number in 0..10 {
        let customer = json!({ "first_name": format!("Customer{number}"), "phone": "+15550100" });
        let written = house.request(Method::POST, "/rest/v1/customers", &token).header("x-company-id", &company).json(&customer);
        let written = written.send().await.unwrap();
        assert_eq!(
            (written.status(), written.headers()["strict-transport-security"].to_str().unwrap()),
            (StatusCode::CREATED, "max-age=31536000")
        );
        let path = format!("/rest/v1/customers?select=first_name&first_name=eq.Customer{number}");
        let read = house.request(Method::GET, &path, &token).header("x-company-id", &company).send().await.unwrap();
        assert_eq!(read.json::<Value>().await.unwrap(), json!([{ "first_name": format!("Customer{number}") }]));
    }
    for node in 0..2 {
        // Whoever asks by turns in two ways comes to one server in each of them.
        let count = |method: &str, status: u16| {
            let name = format!("http_requests_total{{method=\"{method}\",route=\"/rest/v1/{{relation}}\",status=\"{status}\"");
            let house = &house;
            async move { house.number(node, &name).await }
        };
        let answered = count("GET", 200).await + count("POST", 201).await;
        assert!(answered > 0.0, "server {node} was never asked");
    }

    // Two clients at two servers hear each other.
    for node in 0..2 {
        until("the servers know each other", async || house.number(node, "realtime_nodes_connected ").await > 0.0).await;
    }
    let mut first = house.socket(&token).await;
    let mut second = house.socket(&token).await;
    for node in 0..2 {
        until("each has a socket", async || (house.number(node, "realtime_sockets ").await - 1.0).abs() < 0.1).await;
    }
    for word in ["one", "two"] {
        first.tell(word).await;
        second.hears(word).await;
        second.tell(word).await;
        first.hears(word).await;
    }

    strangers_share_one_limit(&house).await;

    // One dies; whoever was there comes back to the other.
    house.nodes.remove(0).kill();
    for _ in 0..20 {
        let read =
            house.request(Method::GET, "/rest/v1/customers?select=id", &token).header("x-company-id", &company).send().await.unwrap();
        assert_eq!(read.status(), StatusCode::OK);
    }
    let ended = tokio::select! {
        said = first.hear("none") => { assert_eq!(said, None); &mut first }
        said = second.hear("none") => { assert_eq!(said, None); &mut second }
    };
    *ended = house.socket(&token).await;
    first.tell("three").await;
    second.hears("three").await;
    drop(house.nodes);
    drop(house.nginx);
    house.cluster.stop().await.unwrap();
}
