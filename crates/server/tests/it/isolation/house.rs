//! A server before the world of two companies, and everybody who asks it.
//!
//! Invariant: all of them ask over HTTP with what they have: a token, a company they name, or nothing.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::Secret;
use proof::World;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use server::RunningServer;
use server::config::Settings;
use tempfile::TempDir;

use super::asked::{Asked, COMPANY_A, COMPANY_B};
use crate::audit::{until, url};
use crate::bare::{know_tls, without_database};

const PASSWORD: &str = "correct horse battery staple";
/// Who stands in the world's rows, in its order; their users are `…a101` and on.
const ROLES: [&str; 8] = ["owner", "admin", "manager", "dispatcher", "technician", "csr", "member", "viewer"];

/// How many of the callers, the first, get into A; the last of these is the service.
pub(crate) const INSIDE: usize = ROLES.len() + 5;

/// A server, the world behind it, and who asks.
pub(crate) struct House {
    pub(crate) world: World,
    pub(crate) callers: Vec<Caller>,
    server: RunningServer,
    client: Client,
    base: String,
    _folder: TempDir,
}

/// Somebody who asks. The other company is B for all of them.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) token: Option<String>,
    /// `X-Company-Id`, said with every request.
    pub(crate) works_in: Option<&'static str>,
    /// Whether he is of both companies: where he works in A, B is another one for him, too.
    pub(crate) is_of_both: bool,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl House {
    /// Makes the world and puts a server before it; `sql` is done to the world before, as by a superuser.
    pub(crate) async fn open(sql: &str) -> Self {
        Box::pin(Self::open_with(sql, |_| ())).await
    }

    /// Does so with other settings.
    pub(crate) async fn open_with(sql: &str, change: impl FnOnce(&mut Settings)) -> Self {
        know_tls();
        let world = World::new().await;
        let superuser = world.superuser().await;
        // Tables whose figures for the planner are renewed in between would be read in another way.
        superuser.batch_execute(STILL).await.unwrap();
        superuser.batch_execute(BOTH).await.unwrap();
        superuser.batch_execute(&format!("set session_replication_role = replica; {sql}; reset session_replication_role")).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = without_database(&folder);
        settings.database.url = Some(Secret::new(url(&world.db.server_config())));
        settings.database.start_wait_ms = 60_000;
        settings.data_api.plan_enabled = Some(true);
        // What the server does by itself changes rows of both companies.
        settings.queue.worker = false;
        settings.maintenance.seal_interval_ms = 86_400_000;
        settings.maintenance.upkeep_interval_ms = 86_400_000;
        settings.log.filter = "off".to_owned();
        change(&mut settings);
        let server = Box::pin(server::start(settings)).await.unwrap();
        // What the server does at its start is done, too.
        until(&world.db, "not exists (select from app.figure_changes)").await;
        let base = format!("http://{}", server.address().unwrap());
        let client = Client::builder().timeout(Duration::from_secs(40)).build().unwrap();
        let mut this = Self { world, callers: Vec::new(), server, client, base, _folder: folder };
        this.callers = Box::pin(this.everybody()).await;
        this
    }

    /// Sends a request.
    pub(crate) async fn ask(&self, asked: &Asked) -> Answer {
        let caller = &self.callers[asked.caller];
        let mut request = self.client.request(Method::from_bytes(asked.method.as_bytes()).unwrap(), format!("{}{}", self.base, asked.path));
        if let Some(token) = &caller.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in asked.headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, value);
        }
        if let Some(company) = caller.works_in {
            request = request.header("x-company-id", company);
        }
        if let Some(body) = &asked.body {
            request = request.body(body.clone());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Answer { status, headers, body: String::from_utf8_lossy(&response.bytes().await.unwrap()).into_owned() }
    }

    /// Signs somebody in.
    pub(crate) async fn sign_in(&self, email: &str) -> String {
        let session = self.auth("token?grant_type=password", None, json!({ "email": email, "password": PASSWORD })).await;
        session["access_token"].as_str().unwrap_or_else(|| panic!("{email}: {session}")).to_owned()
    }

    /// Returns where somebody's sockets are opened, with the public key.
    pub(crate) fn socket_url(&self, caller: &Caller) -> String {
        let keys = self.server.keys();
        let anon = keys.anon();
        let key = anon.opaque.expose();
        let company = caller.works_in.map(|company| format!("&company={company}")).unwrap_or_default();
        format!("{}/realtime/v1/websocket?vsn=2.0.0&apikey={key}{company}", self.base.replacen("http", "ws", 1))
    }

    pub(crate) async fn stop(self) {
        self.server.shutdown().await.unwrap();
    }

    async fn auth(&self, path: &str, token: Option<&str>, body: Value) -> Value {
        let mut request = self.client.post(format!("{}/auth/v1/{path}", self.base)).json(&body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().json().await.unwrap_or(Value::Null)
    }

    /// Gives all people of the world one password, and signs them in.
    async fn everybody(&self) -> Vec<Caller> {
        self.auth("signup", None, json!({ "email": "key@example.com", "password": PASSWORD })).await;
        let give = "update auth.users set encrypted_password = (select encrypted_password from auth.users where email = 'key@example.com');
                    delete from auth.users where email = 'key@example.com'";
        let superuser = self.world.superuser().await;
        superuser.batch_execute(&format!("set session_replication_role = replica; {give}; reset session_replication_role")).await.unwrap();
        let caller = |name: &str, token: Option<String>| Caller { name: name.to_owned(), token, works_in: None, is_of_both: false };
        let mut callers = Vec::new();
        for role in ROLES {
            let token = self.sign_in(&format!("{role}.a@example.com")).await;
            callers.push(Caller { works_in: Some(COMPANY_A), ..caller(&format!("{role} of A"), Some(token)) });
        }
        let both = self.sign_in("both@example.com").await;
        callers.push(Caller { works_in: Some(COMPANY_A), is_of_both: true, ..caller("an owner of both in A", Some(both)) });
        callers.push(caller("an API key of A", Some(self.key_of_a(callers[0].token.as_deref()).await)));
        let customer = self.pass_of_a("thp_", "f01", "update auth.portal_sessions set token_hash = ").await;
        callers.push(caller("a customer of A", Some(customer)));
        let link = self.pass_of_a("thl_", "f12", "update public.public_links set token_hash = ").await;
        callers.push(caller("whoever has a link of A", Some(link)));
        let service = self.server.keys().service().token.expose().to_owned();
        callers.push(Caller { works_in: Some(COMPANY_A), ..caller("the service in A", Some(service)) });
        assert_eq!(callers.len(), INSIDE);
        callers.push(caller("somebody in no company", Some(self.sign_in("alone@alone.example").await)));
        callers.push(caller("nobody", None));
        callers.push(Caller { works_in: Some(COMPANY_A), ..caller("nobody who names A", None) });
        callers.push(Caller { works_in: Some(COMPANY_B), ..caller("nobody who names B", None) });
        let over = self.sign_in("owner.b@example.com").await;
        self.auth("logout?scope=local", Some(&over), json!({})).await;
        callers.push(caller("a session of B that is over", Some(over.clone())));
        callers.push(caller("a token of B that was changed", Some(format!("{}AAAA", over.get(..over.len() - 4).unwrap()))));
        callers.push(Caller { works_in: Some(COMPANY_B), ..callers[0].clone() });
        callers.last_mut().unwrap().name = "owner of A who names B".to_owned();
        callers
    }
}

impl House {
    /// Makes a key of A that may do as much as one may.
    async fn key_of_a(&self, owner: Option<&str>) -> String {
        let all = "select array_agg(p.permission) from (select permission from app.role_permissions where role = 'owner' and scope = 'all'
                    order by split_part(permission, ':', 2) <> 'read', permission limit 100) p";
        let all: Vec<String> = self.world.superuser().await.query_one(all, &[]).await.unwrap().get(0);
        let key = self.auth("api-keys", owner, json!({ "name": "Key", "permissions": all, "requests_per_minute": 100_000 })).await;
        key["key"].as_str().unwrap_or_else(|| panic!("{key}")).to_owned()
    }

    /// Gives a session of A's customer, or a link, a text.
    async fn pass_of_a(&self, word: &str, number: &str, set: &str) -> String {
        let (row, company) = (format!("{}{number}", COMPANY_A.trim_end_matches("000")), COMPANY_A.parse::<uuid::Uuid>().unwrap());
        let bytes = [row.parse::<uuid::Uuid>().unwrap().as_bytes().as_slice(), company.as_bytes(), &[7; 32]].concat();
        let text = format!("{word}{}", URL_SAFE_NO_PAD.encode(bytes));
        let sql = format!("{set} encode(sha256('{text}'), 'hex') where company_id = '{company}' and id = '{row}'");
        self.world.superuser().await.batch_execute(&sql).await.unwrap();
        text
    }
}

/// No figures are renewed behind our back.
const STILL: &str = "
do $$
declare
  v_table regclass;
begin
  for v_table in
    select c.oid::regclass from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  loop
    execute format('alter table %s set (autovacuum_enabled = false)', v_table);
  end loop;
end $$";

/// Somebody who owns nothing and works in both companies.
const BOTH: &str = "
insert into auth.users (id, email, email_confirmed_at) values ('01900000-0000-7000-8000-00000000c102', 'both@example.com', now());
insert into public.team_members (company_id, id, user_id, role)
select c.id, ('01900000-0000-7000-8000-00000000c41' || case when c.slug = 'company-a' then 1 else 2 end)::uuid,
       '01900000-0000-7000-8000-00000000c102', 'admin'
  from public.companies c";
