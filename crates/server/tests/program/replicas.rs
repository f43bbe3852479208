//! Reads at a real replica, streamed to by PostgreSQL: behind, away, promoted, and never in doubt about who may.

use std::time::{Duration, Instant};

use kernel::Secret;
use postgres::cluster::Cluster;
use reqwest::Client;
use serde_json::{Value, json};
use server::RunningServer;
use server::config::Settings;
use tempfile::TempDir;
use testkit::Replica;

use crate::database::{Elsewhere, url};

const PASSWORD: &str = "correct horse battery staple";
const PATIENCE: Duration = Duration::from_mins(1);
/// Tells whether the replica answers.
const WHERE: &str = "/rest/v1/rpc/is_a_copy";
/// Marked as one that reads, and does what a replica refuses.
const NUMBER: &str = "/rest/v1/rpc/number_of_transaction";
const ROUNDS: usize = 100;

const FUNCTIONS: &str = "
create function public.is_a_copy() returns boolean language sql stable as 'select pg_catalog.pg_is_in_recovery()';
create function public.number_of_transaction() returns bigint language sql stable as 'select pg_catalog.txid_current()';
grant execute on function public.is_a_copy(), public.number_of_transaction() to anon, authenticated, service_role";

/// A primary, a replica of it, and two servers: one that allows a second of lag, and one that allows an hour.
struct World {
    cluster: Cluster,
    replica: Replica,
    servers: Vec<RunningServer>,
    strict: Node,
    lenient: Node,
    _elsewhere: Elsewhere,
    folders: Vec<TempDir>,
}

struct Node {
    address: String,
    client: Client,
}

#[derive(Clone, Default)]
struct Caller {
    token: String,
    company: String,
}

struct Said {
    status: u16,
    position: Option<String>,
    body: Value,
}

impl Node {
    async fn ask(&self, who: &Caller, (method, path): (&str, &str), body: Option<Value>, position: Option<&str>) -> Said {
        let mut asked = self.client.request(method.parse().unwrap(), format!("{}{path}", self.address));
        asked = asked.header("x-supabase-api-version", "2024-01-01").header("content-type", "application/json");
        asked = asked.header("prefer", "return=representation");
        if !who.token.is_empty() {
            asked = asked.bearer_auth(&who.token);
        }
        if !who.company.is_empty() {
            asked = asked.header("x-company-id", &who.company);
        }
        if let Some(position) = position {
            asked = asked.header("database-position", position);
        }
        let answer = asked.body(body.map(|body| body.to_string()).unwrap_or_default()).send().await.unwrap();
        let status = answer.status().as_u16();
        let position = answer.headers().get("database-position").map(|value| value.to_str().unwrap().to_owned());
        Said { status, position, body: serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default() }
    }

    async fn get(&self, who: &Caller, path: &str) -> Value {
        let said = self.ask(who, ("GET", path), None, None).await;
        assert_eq!(said.status, 200, "{path}: {}", said.body);
        said.body
    }

    async fn change(&self, who: &Caller, request: (&str, &str), body: Value) -> Said {
        let said = self.ask(who, request, Some(body), None).await;
        assert!(said.status < 300, "{request:?}: {} {}", said.status, said.body);
        said
    }

    async fn until_read_at(&self, who: &Caller, replica: bool) {
        let begun = Instant::now();
        while self.get(who, WHERE).await != json!(replica) {
            assert!(begun.elapsed() < PATIENCE, "reads do not come to be answered there: replica {replica}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn number(&self, name: &str) -> String {
        let text = self.client.get(format!("{}/metrics", self.address)).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with(name) && !line.starts_with('#'));
        line.unwrap_or_else(|| panic!("no {name}")).rsplit(' ').next().unwrap().to_owned()
    }

    /// Waits until the server tells that its replica is at least as many seconds behind.
    async fn until_lag(&self, seconds: f64) {
        let begun = Instant::now();
        while self.number("database_replica_lag_seconds{").await.parse::<f64>().unwrap() < seconds {
            assert!(begun.elapsed() < PATIENCE, "it does not fall behind");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn sign_up(&self, name: &str) -> (Caller, String) {
        let body = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        let said = self.change(&Caller::default(), ("POST", "/auth/v1/signup"), body).await.body;
        (Caller { token: text(&said["access_token"]), company: String::new() }, text(&said["user"]["id"]))
    }

    async fn founder(&self, name: &str) -> Caller {
        let (mut who, _) = self.sign_up(name).await;
        let found = self.change(&who, ("POST", "/rest/v1/rpc/create_company_with_owner"), json!({ "name": name })).await;
        who.company = text(&found.body["id"]);
        who
    }

    async fn customer(&self, who: &Caller, name: &str) -> Said {
        self.change(who, ("POST", "/rest/v1/customers"), json!({ "first_name": name, "phone": "+15550100" })).await
    }

    async fn named(&self, who: &Caller, name: &str, position: Option<&str>) -> usize {
        let path = format!("/rest/v1/customers?select=first_name&first_name=eq.{name}");
        let said = self.ask(who, ("GET", &path), None, position).await;
        assert_eq!(said.status, 200, "{}", said.body);
        said.body.as_array().unwrap().len()
    }
}

impl World {
    async fn make() -> Self {
        let (elsewhere, cluster) = Elsewhere::make().await;
        let replica = Replica::place(&cluster);
        let keys = tempfile::tempdir().unwrap();
        let mut folders = vec![tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (mut servers, mut nodes) = (Vec::new(), Vec::new());
        for (folder, lag_max_ms) in folders.iter().zip([1000, 3_600_000]) {
            let mut settings: Settings = elsewhere.settings(folder);
            settings.database.start_wait_ms = 60_000;
            settings.database.pool_size = 6;
            settings.public_url = Some("http://localhost:54321".to_owned());
            settings.key_ring_file = Some(keys.path().join("keys.json"));
            settings.database.replicas.urls = vec![Secret::new(url(&replica.config(&cluster.server_config())))];
            settings.database.replicas.lag_max_ms = lag_max_ms;
            settings.database.replicas.look_interval_ms = 20;
            // What is kept is read at the primary; here every read is one.
            settings.data_api.cache.enabled = false;
            let server = Box::pin(server::start(settings)).await.unwrap();
            nodes.push(Node { address: format!("http://{}", server.address().unwrap()), client: Client::new() });
            servers.push(server);
        }
        folders.push(keys);
        let owner = testkit::connect(&cluster.migrator_config()).await;
        owner.batch_execute(FUNCTIONS).await.unwrap();
        let lenient = nodes.pop().unwrap();
        Self { cluster, replica, servers, strict: nodes.pop().unwrap(), lenient, _elsewhere: elsewhere, folders }
    }

    async fn follow(&mut self, who: &Caller) {
        self.replica.follow().await;
        for node in [&self.strict, &self.lenient] {
            node.until_read_at(who, true).await;
        }
    }

    async fn replay(&self, pause: bool) {
        let way = if pause { "pause" } else { "resume" };
        let superuser = self.replica.superuser().await;
        superuser.batch_execute(&format!("select pg_wal_replay_{way}()")).await.unwrap();
        let begun = Instant::now();
        let asked = "select pg_get_wal_replay_pause_state() = 'paused'";
        while superuser.query_one(asked, &[]).await.unwrap().get::<_, bool>(0) != pause {
            assert!(begun.elapsed() < PATIENCE, "it cannot be paused");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until `thorbis status` would tell this of the replica.
    async fn until_told(&self, word: &str) {
        let (begun, file) = (Instant::now(), self.folders[0].path().join("data/state.json"));
        loop {
            let state: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap_or_default();
            let sentences = state["degraded"].as_array().cloned().unwrap_or_default();
            let of_replicas = sentences.iter().filter_map(Value::as_str).find(|sentence| sentence.starts_with("the replica"));
            if of_replicas.map_or(word.is_empty(), |sentence| !word.is_empty() && sentence.contains(word)) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{word:?} is not told: {sentences:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn end(self) {
        for server in self.servers {
            server.shutdown().await.unwrap();
        }
        drop(self.replica);
        self.cluster.stop().await.unwrap();
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_somebody_wrote_he_reads_and_what_is_too_old_nobody() {
    let mut world = World::make().await;
    let ann = world.strict.founder("ann").await;
    let carl = world.strict.founder("carl").await;
    // A replica that is not there is stood in for.
    assert_eq!(world.strict.get(&ann, WHERE).await, json!(false));
    assert_eq!(world.strict.number("database_replica_used{").await, "0");
    world.follow(&ann).await;
    assert_eq!(world.strict.number("database_replica_used{").await, "1");

    for round in 0..50 {
        let name = format!("Row{round}");
        let written = world.strict.customer(&ann, &name).await;
        assert_eq!(world.strict.named(&ann, &name, None).await, 1, "what this server wrote");
        assert_eq!(world.lenient.named(&ann, &name, written.position.as_deref()).await, 1, "what another one wrote");
        assert_eq!(world.strict.named(&carl, &name, None).await, 0);
        assert_eq!(world.lenient.named(&carl, &name, written.position.as_deref()).await, 0);
    }
    world.strict.until_read_at(&ann, true).await;

    // Now it is certain that the replica does not have it.
    world.replay(true).await;
    let written = world.strict.customer(&ann, "Late").await;
    assert_eq!(world.strict.named(&ann, "Late", None).await, 1);
    assert_eq!(world.lenient.named(&ann, "Late", None).await, 0, "it allows an hour, and nothing says that there is more");
    assert_eq!(world.lenient.named(&ann, "Late", written.position.as_deref()).await, 1);
    let tomorrow = world.lenient.ask(&ann, ("GET", WHERE), None, Some("FFFFFFFF/0")).await;
    assert_eq!((tomorrow.status, tomorrow.body), (200, json!(false)), "no replica is that far");
    for bad in ["", "yesterday", "1/2/3"] {
        let refused = world.lenient.ask(&ann, ("GET", WHERE), None, Some(bad)).await;
        assert_eq!((refused.status, refused.body["code"].as_str()), (400, Some("position_invalid")), "{bad}");
    }
    assert_eq!(world.lenient.get(&carl, WHERE).await, json!(true));
    world.strict.until_lag(1.0).await;
    world.strict.until_read_at(&carl, false).await;
    world.replay(false).await;
    for who in [&ann, &carl] {
        world.strict.until_read_at(who, true).await;
    }
    assert_eq!(world.lenient.named(&ann, "Late", None).await, 1);
    world.end().await;
}

#[tokio::test]
async fn who_may_read_is_what_the_primary_says_while_the_replica_knows_nothing_of_it() {
    let mut world = World::make().await;
    let ann = world.strict.founder("ann").await;
    world.strict.customer(&ann, "Ada").await;
    let (mut bob, bob_id) = world.strict.sign_up("bob").await;
    let owner = testkit::connect(&world.cluster.migrator_config()).await;
    owner.batch_execute("update auth.users set email_proved_at = now() where email = 'bob@example.com'").await.unwrap();
    let invite = json!({ "email": "bob@example.com", "role": "csr" });
    let invited = world.strict.change(&ann, ("POST", "/rest/v1/rpc/invite_member"), invite).await.body;
    world.strict.change(&bob, ("POST", "/rest/v1/rpc/accept_invitation"), json!({ "token": invited["token"] })).await;
    bob.company.clone_from(&ann.company);
    world.follow(&bob).await;
    world.replay(true).await;

    // The server that bob asks hears of the changes from nobody but the primary, and the replica stands still.
    let row = format!("/rest/v1/team_members?user_id=eq.{bob_id}");
    let mut held = 0;
    for _ in 0..ROUNDS {
        assert_eq!(world.lenient.get(&bob, WHERE).await, json!(true));
        assert_eq!(world.lenient.named(&bob, "Ada", None).await, 1);
        world.strict.change(&ann, ("PATCH", &row), json!({ "status": "suspended" })).await;
        let refused = world.lenient.ask(&bob, ("GET", WHERE), None, None).await;
        held += usize::from((refused.status, refused.body["code"].as_str()) == (403, Some("company_not_member")));
        world.strict.change(&ann, ("PATCH", &row), json!({ "status": "active", "permissions": { "customers:read": false } })).await;
        assert_eq!(world.lenient.get(&bob, WHERE).await, json!(true));
        held += usize::from(world.lenient.named(&bob, "Ada", None).await == 0);
        world.strict.change(&ann, ("PATCH", &row), json!({ "permissions": {} })).await;
    }
    assert_eq!(held, 2 * ROUNDS, "of {} changes", 2 * ROUNDS);

    // Nobody gets more of a replica than of the primary.
    let stranger = world.lenient.sign_up("eve").await.0;
    let intruder = Caller { company: ann.company.clone(), ..stranger.clone() };
    let refused = world.lenient.ask(&intruder, ("GET", "/rest/v1/customers?select=id"), None, None).await;
    assert_eq!((refused.status, refused.body["code"].as_str()), (403, Some("company_not_member")));
    let nobody = world.lenient.ask(&Caller::default(), ("GET", "/rest/v1/customers?select=id"), None, None).await;
    assert_eq!(nobody.status, 401, "{}", nobody.body);
    world.replay(false).await;
    world.end().await;
}

#[tokio::test]
async fn what_nobody_reads_back_moves_no_reads() {
    let mut world = World::make().await;
    let owner = testkit::connect(&world.cluster.migrator_config()).await;
    // Whose a server is cannot be asked everywhere.
    owner.batch_execute("revoke execute on function pg_control_system() from public").await.unwrap();
    let ann = world.lenient.founder("ann").await;
    let body = json!({ "email": "ann@example.com", "password": PASSWORD });
    let session = world.lenient.change(&Caller::default(), ("POST", "/auth/v1/token?grant_type=password"), body).await.body;
    world.follow(&ann).await;
    world.replay(true).await;
    let refresh = json!({ "refresh_token": session["refresh_token"] });
    world.lenient.change(&Caller::default(), ("POST", "/auth/v1/token?grant_type=refresh_token"), refresh).await;
    assert_eq!(world.lenient.get(&ann, WHERE).await, json!(true), "a session was refreshed");
    world.lenient.sign_up("bob").await;
    assert_eq!(world.lenient.get(&ann, WHERE).await, json!(false), "somebody signed up");
    world.replay(false).await;
    world.end().await;
}

#[tokio::test]
async fn a_replica_that_dies_or_takes_over_costs_no_answer() {
    let mut world = World::make().await;
    let ann = world.strict.founder("ann").await;
    world.strict.customer(&ann, "Ada").await;
    world.follow(&ann).await;
    // What turns out to be more than a read is done where it can be.
    assert!(world.strict.get(&ann, NUMBER).await.as_i64().unwrap() > 0);
    assert_eq!(world.strict.get(&ann, WHERE).await, json!(true), "and the replica is none the worse");

    world.replica.kill();
    for _ in 0..ROUNDS {
        assert_eq!(world.strict.named(&ann, "Ada", None).await, 1);
    }
    assert_eq!(world.strict.get(&ann, WHERE).await, json!(false));
    world.until_told("is away").await;
    world.replica.start().await;
    world.strict.until_read_at(&ann, true).await;
    world.until_told("").await;

    let superuser = world.replica.superuser().await;
    superuser.batch_execute("select pg_promote()").await.unwrap();
    superuser.batch_execute("set session_replication_role = replica; delete from public.customers").await.unwrap();
    for _ in 0..ROUNDS {
        assert_eq!(world.strict.named(&ann, "Ada", None).await, 1, "what is written at the other server is nobody's");
    }
    world.strict.until_read_at(&ann, false).await;
    assert_eq!(world.strict.number("database_replica_used{").await, "0");
    world.until_told("is promoted").await;
    assert_eq!(world.strict.customer(&ann, "Ben").await.status, 201);
    world.end().await;
}
