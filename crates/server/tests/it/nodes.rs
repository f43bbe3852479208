//! Two servers on one database: what somebody may no longer do at the one, he cannot do at the other at his very next request, with the
//! token that he has.

use auth::keys::store;
use kernel::Secret;
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::Db;

use crate::audit::url;
use crate::bare::{know_tls, without_database};

const PASSWORD: &str = "correct horse battery staple";
/// How often each of the four changes is made.
const ROUNDS: usize = 25;

/// A server as its clients see it.
struct Node {
    address: String,
    client: Client,
}

impl Node {
    /// Sends a request for somebody who works in a company; returns the status, the code of a refusal and the body.
    async fn ask(&self, token: &str, company: &str, request: (&str, &str), body: Option<Value>) -> (u16, String, Value) {
        let (method, path) = request;
        let mut asked = self.client.request(method.parse().unwrap(), format!("{}{path}", self.address));
        asked = asked.header("x-supabase-api-version", "2024-01-01").header("content-type", "application/json");
        if !token.is_empty() {
            asked = asked.bearer_auth(token);
        }
        if !company.is_empty() {
            asked = asked.header("x-company-id", company);
        }
        let answer = asked.body(body.map(|body| body.to_string()).unwrap_or_default()).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default();
        (status, body["code"].as_str().unwrap_or_default().to_owned(), body)
    }

    async fn session(&self, path: &str, email: &str) -> Value {
        let (status, _, body) = self.ask("", "", ("POST", path), Some(json!({ "email": email, "password": PASSWORD }))).await;
        assert_eq!(status, 200, "{body}");
        body
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Two servers on one database, the company of one member, and another member of it.
struct Pair {
    db: Db,
    nodes: Vec<Node>,
    servers: Vec<server::RunningServer>,
    company: String,
    /// The owner's token.
    ann: String,
    /// A member's id and token.
    bob: (String, String),
    service: String,
    _folders: [TempDir; 3],
}

impl Pair {
    async fn new() -> Self {
        know_tls();
        let db = Db::new().await;
        let (folders, keys) = ([tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()], tempfile::tempdir().unwrap());
        let (mut servers, mut nodes) = (Vec::new(), Vec::new());
        for folder in &folders {
            let mut settings = without_database(folder);
            settings.database.url = Some(Secret::new(url(&db.server_config())));
            settings.database.start_wait_ms = 60_000;
            // As clients see them, both are one.
            settings.public_url = Some("http://localhost:54321".to_owned());
            settings.key_ring_file = Some(keys.path().join("keys.json"));
            // Passwords are changed more often here than anybody may.
            settings.rates.strict_minute_max = 0;
            let server = Box::pin(server::start(settings)).await.unwrap();
            nodes.push(Node { address: format!("http://{}", server.address().unwrap()), client: Client::new() });
            servers.push(server);
        }
        let ring = store::load(&keys.path().join("keys.json")).unwrap().unwrap();
        let ann = text(&nodes[0].session("/auth/v1/signup", "ann@example.com").await["access_token"]);
        let found = nodes[0].ask(&ann, "", ("POST", "/rest/v1/rpc/create_company_with_owner"), Some(json!({ "name": "Acme" }))).await.2;
        let company = text(&found["id"]);
        let bob = nodes[1].session("/auth/v1/signup", "bob@example.com").await;
        let bob = (text(&bob["user"]["id"]), text(&bob["access_token"]));
        let invite = json!({ "email": "bob@example.com", "role": "csr" });
        db.superuser().await.batch_execute("update auth.users set email_proved_at = now() where email = 'bob@example.com'").await.unwrap();
        let invited = nodes[0].ask(&ann, &company, ("POST", "/rest/v1/rpc/invite_member"), Some(invite)).await.2;
        let token = json!({ "token": invited["token"] });
        let accepted = nodes[1].ask(&bob.1, "", ("POST", "/rest/v1/rpc/accept_invitation"), Some(token)).await;
        assert_eq!(accepted.0, 200, "{}", accepted.2);
        let [one, other] = folders;
        let service = ring.service().token.expose().clone();
        Self { db, nodes, servers, company, ann, bob, service, _folders: [one, other, keys] }
    }

    /// Returns where a round changes something, and where it is asked for.
    fn of_round(&self, round: usize) -> (&Node, &Node) {
        (&self.nodes[round % 2], &self.nodes[(round + 1) % 2])
    }

    async fn shutdown(self) {
        for server in self.servers {
            server.shutdown().await.unwrap();
        }
        drop(self.db);
    }
}

#[tokio::test]
async fn a_change_at_one_node_holds_at_the_other_at_the_very_next_request() {
    let pair = Pair::new().await;
    let (ann, company, (bob_id, bob)) = (&pair.ann, &pair.company, &pair.bob);

    let row = format!("/rest/v1/team_members?user_id=eq.{bob_id}");
    let mut held = 0;
    for round in 0..ROUNDS {
        let (one, other) = pair.of_round(round);
        let read = async |token: &str| other.ask(token, company, ("GET", "/rest/v1/customers?select=id"), None).await;
        let write = async || {
            let row = json!({ "first_name": "Ada", "phone": "+15550100" });
            other.ask(bob, company, ("POST", "/rest/v1/customers"), Some(row)).await
        };
        let change = async |request: (&str, &str), body: Value| {
            let (status, _, body) = one.ask(ann, company, request, Some(body)).await;
            assert!(status < 300, "{status} {body}");
        };
        let role = |role: &str| json!({ "user_id": bob_id, "role": role });
        let rpc = ("POST", "/rest/v1/rpc/change_member_role");
        assert_eq!(write().await.0, 201, "the other node is warm");
        change(rpc, role("viewer")).await;
        held += usize::from(write().await.1 == "42501");
        change(rpc, role("csr")).await;
        assert_eq!(write().await.0, 201);
        change(("PATCH", &row), json!({ "permissions": { "customers:create": false } })).await;
        held += usize::from(write().await.1 == "42501");
        change(("PATCH", &row), json!({ "permissions": {} })).await;
        assert_eq!(write().await.0, 201);
        change(("PATCH", &row), json!({ "status": "suspended" })).await;
        held += usize::from(read(bob).await.1 == "company_not_member");
        change(("PATCH", &row), json!({ "status": "active" })).await;
        assert_eq!(read(bob).await.0, 200);
        let session = text(&one.session("/auth/v1/token?grant_type=password", "bob@example.com").await["access_token"]);
        assert_eq!(read(&session).await.0, 200);
        let ended = one.ask(&session, "", ("POST", "/auth/v1/logout?scope=local"), None).await;
        assert_eq!(ended.0, 204, "{}", ended.2);
        held += usize::from(read(&session).await.1 == "session_not_found");
    }
    assert_eq!(held, 4 * ROUNDS, "of {} changes", 4 * ROUNDS);
    pair.shutdown().await;
}

#[tokio::test]
async fn what_is_taken_back_at_one_node_is_worth_nothing_at_the_other_at_the_very_next_request() {
    let pair = Pair::new().await;
    let (ann, company, (bob_id, _)) = (&pair.ann, &pair.company, &pair.bob);
    let passwords = [PASSWORD, "another battery staple of the horse"];
    let mut held = 0;
    for round in 0..ROUNDS {
        let (one, other) = pair.of_round(round);
        let read = async |token: &str| other.ask(token, company, ("GET", "/rest/v1/customers?select=id"), None).await;
        let change = async |who: &str, request: (&str, &str), body: Value| {
            let within = if who == pair.service { "" } else { company.as_str() };
            let (status, _, body) = one.ask(who, within, request, Some(body)).await;
            assert!(status < 300, "{request:?}: {status} {body}");
            body
        };
        let sign_in = async |node: &Node, password: &str| {
            let body = json!({ "email": "bob@example.com", "password": password });
            let (status, _, body) = node.ask("", "", ("POST", "/auth/v1/token?grant_type=password"), Some(body)).await;
            assert_eq!(status, 200, "{body}");
            text(&body["access_token"])
        };
        let before = passwords[round % 2];

        // A key that a program has.
        let key = change(ann, ("POST", "/auth/v1/api-keys"), json!({ "name": "Till", "permissions": ["customers:read"] })).await;
        let program = text(&key["key"]);
        assert_eq!(read(&program).await.0, 200, "the other node knows it");
        let row = format!("/rest/v1/api_keys?id=eq.{}", text(&key["id"]));
        change(ann, ("PATCH", &row), json!({ "revoked_at": "2026-01-01T00:00:00Z" })).await;
        held += usize::from(read(&program).await.1 == "api_key_not_valid");

        // A ban.
        let session = sign_in(other, before).await;
        assert_eq!(read(&session).await.0, 200);
        let account = format!("/auth/v1/admin/users/{bob_id}");
        change(&pair.service, ("PUT", &account), json!({ "ban_duration": "1h" })).await;
        held += usize::from(matches!(read(&session).await.1.as_str(), "session_not_found" | "user_banned"));
        change(&pair.service, ("PUT", &account), json!({ "ban_duration": "none" })).await;

        // Another password: whoever came by the old one is out.
        let (his, thief) = (sign_in(one, before).await, sign_in(other, before).await);
        assert_eq!(read(&thief).await.0, 200);
        change(&his, ("PUT", "/auth/v1/user"), json!({ "password": passwords[(round + 1) % 2] })).await;
        held += usize::from(read(&thief).await.1 == "session_not_found");
        assert_eq!(read(&his).await.0, 200, "he himself stays");

        // A membership.
        let row = format!("/rest/v1/team_members?user_id=eq.{bob_id}");
        change(ann, ("PATCH", &row), json!({ "status": "suspended" })).await;
        held += usize::from(read(&his).await.1 == "company_not_member");
        change(ann, ("PATCH", &row), json!({ "status": "active" })).await;
        assert_eq!(read(&his).await.0, 200);
    }
    assert_eq!(held, 4 * ROUNDS, "of {} changes", 4 * ROUNDS);
    pair.shutdown().await;
}
