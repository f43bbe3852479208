//! Companies are apart over sockets: of all changes of all tables each sort of caller hears of exactly the rows that the data API shows him,
//! of rows that are gone only in their company and by their key, and of nothing from the moment on at which he may no more.
//!
//! Changes are made behind the triggers, since who may write is not the question here. `SOCKET_ROUNDS` makes the short form the long proof.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use futures_util::future::join_all;
use postgres::feed::FeedMode;
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::asked::{Asked, COMPANY_A, COMPANY_B};
use super::house::{Caller, House};
use super::listener::{Listener, Round, Seen, key_of};
use super::number;

/// Tables whose rows say who somebody is, and which of them may go without anybody losing his rights.
const MAY_GO: [(&str, &str); 8] = [
    ("companies", "slug = 'company-c'"),
    ("team_members", "job_title = 'extra'"),
    ("custom_roles", "name = 'Buyer'"),
    ("customers", "id::text !~ '601$'"),
    ("api_keys", "id::text ~ 'e0[12]$'"),
    ("public_links", "id::text ~ 'e0[12]$'"),
    ("estimates", "id::text !~ 'd04$'"),
    ("invoices", "id::text !~ 'd24$'"),
];

/// Somebody with a role of the company's own, members who only are there to go, and a third company.
const MORE: &str = "
insert into public.companies (id, name, slug) values ('01900000-0000-7000-8000-00000000cc00', 'Company c', 'company-c');
insert into auth.users (id, email, email_confirmed_at) values
  ('01900000-0000-7000-8000-00000000a1e1', 'fitter.a@example.com', now()), ('01900000-0000-7000-8000-00000000a1e2', 'extra.a@example.com', now()),
  ('01900000-0000-7000-8000-00000000b1e2', 'extra.b@example.com', now());
insert into public.custom_roles (company_id, id, name, permissions)
values ('01900000-0000-7000-8000-00000000a000', '01900000-0000-7000-8000-00000000a3e1', 'Fitter',
        '{\"jobs:read\": true, \"invoices:read_assigned\": false, \"tags:read\": false}');
insert into public.team_members (company_id, user_id, role, role_id)
values ('01900000-0000-7000-8000-00000000a000', '01900000-0000-7000-8000-00000000a1e1', 'technician', '01900000-0000-7000-8000-00000000a3e1');
insert into public.team_members (company_id, user_id, role, job_title)
values ('01900000-0000-7000-8000-00000000a000', '01900000-0000-7000-8000-00000000a1e2', 'viewer', 'extra'),
       ('01900000-0000-7000-8000-00000000b000', '01900000-0000-7000-8000-00000000b1e2', 'viewer', 'extra');
set session_replication_role = replica;
update auth.users set encrypted_password = (select u.encrypted_password from auth.users u where u.email = 'owner.a@example.com')
 where email = 'fitter.a@example.com';
reset session_replication_role";

/// A table that may be heard of.
struct Table {
    name: String,
    key: Vec<String>,
    /// Whether old rows are told whole.
    is_whole: bool,
    columns: String,
    /// The rows of each company that are not marked as deleted.
    rows: HashMap<String, BTreeSet<String>>,
}

struct Proof {
    house: House,
    client: Client,
    tables: Vec<Table>,
    listeners: Vec<Listener>,
    seen: Vec<Seen>,
    rounds: u32,
    heard: usize,
}

/// Reads the tables of the feed in `public`, with all rows as a superuser sees them.
async fn tables(client: &Client) -> Vec<Table> {
    let sql = "
        select c.relname::text, c.relreplident = 'f', coalesce(p.tenant_column, case when c.relname = 'companies' then 'id' end),
               array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum = any (i.indkey) order by a.attnum),
               (select string_agg(quote_ident(attname), ', ') from pg_attribute
                 where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = '')
          from app.feed_tables() f join pg_class c on c.oid = f and c.relnamespace = 'public'::regnamespace
          join pg_index i on i.indrelid = c.oid and i.indisprimary
          left join app.protected_tables p on to_regclass(p.table_name) = c.oid
         order by 1";
    let mut found = Vec::new();
    for row in client.query(sql, &[]).await.unwrap() {
        let (name, tenant): (String, Option<String>) = (row.get(0), row.get(2));
        let mut table = Table { key: row.get(3), is_whole: row.get(1), columns: row.get(4), rows: HashMap::new(), name };
        for row in client.query(&format!("select to_jsonb(t)::text from public.{} t", table.name), &[]).await.unwrap() {
            let value: Value = serde_json::from_str(row.get(0)).unwrap();
            let company = tenant.as_ref().and_then(|tenant| value[tenant].as_str()).unwrap_or_default().to_owned();
            if value.get("deleted_at").is_none_or(Value::is_null) {
                table.rows.entry(company).or_default().insert(key_of(&table.key, &value));
            }
        }
        found.push(table);
    }
    found
}

/// Which tables a member's role reads at all, and whether all rows of them.
async fn reads(client: &Client) -> HashMap<(String, String), bool> {
    let sql = "select t.table_name, r.role, r.scope = 'all' from app.protected_tables t
                 join app.role_permissions r on r.permission = t.noun || ':read' and r.scope <> '-'";
    let rows = client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| ((row.get::<_, String>(0).replace("public.", ""), row.get(1)), row.get(2))).collect()
}

impl Proof {
    async fn begin(mode: FeedMode) -> Self {
        let keep = if mode == FeedMode::Poll { KEPT } else { "" };
        let mut house = Box::pin(House::open_with(keep, |settings| settings.change_feed.mode = mode)).await;
        let client = house.world.superuser().await;
        client.batch_execute(MORE).await.unwrap();
        let caller = |name: &str, token: String| Caller { name: name.to_owned(), token: Some(token), works_in: None, is_of_both: false };
        for (name, email) in [("a fitter of A", "fitter.a"), ("owner of B", "owner.b"), ("technician of B", "technician.b")] {
            let token = house.sign_in(&format!("{email}@example.com")).await;
            house.callers.push(caller(name, token));
        }
        let service = house.callers.iter().find(|caller| caller.name == "the service in A").unwrap().clone();
        house.callers.push(Caller { name: "the service".to_owned(), works_in: None, ..service });
        let tables = tables(&client).await;
        let mut this = Self { house, client, tables, listeners: Vec::new(), seen: Vec::new(), rounds: 0, heard: 0 };
        Box::pin(this.all_listen()).await;
        this
    }

    async fn all_listen(&mut self) {
        let open = self.house.callers.iter().map(|caller| {
            let company = match caller.name.as_str() {
                "the service" | "somebody in no company" | "nobody" | "nobody who names A" | "nobody who names B" => None,
                "owner of B" | "technician of B" => Some(COMPANY_B),
                _ => Some(COMPANY_A),
            };
            Listener::open(&self.house, caller, (company, json!({ "event": "*", "schema": "public" })))
        });
        self.listeners = join_all(open).await;
        for number in 0..self.listeners.len() {
            let seen = self.read(number).await;
            self.seen.push(seen);
        }
    }

    /// Returns what the data API shows somebody: the keys of all rows of each table.
    async fn read(&self, caller: usize) -> Seen {
        let asked = |table: &Table| Asked {
            caller,
            method: "GET",
            path: format!("/rest/v1/{}?select={}", table.name, table.key.join(",")),
            ..Asked::default()
        };
        let asked: Vec<Asked> = self.tables.iter().map(asked).collect();
        let answers = super::ask_all(&self.house, &asked).await;
        let keys = |(table, answer): (&Table, &super::house::Answer)| {
            assert!(answer.status < 429, "{} of {caller}: {answer:?}", table.name);
            let rows: Vec<Value> = if answer.status == 200 { serde_json::from_str(&answer.body).unwrap() } else { vec![] };
            (table.name.clone(), rows.iter().map(|row| key_of(&table.key, row)).collect())
        };
        self.tables.iter().zip(&answers).map(keys).collect()
    }

    /// Changes rows, and returns what each of the listeners heard of it.
    async fn round(&mut self, sql: &str) -> Vec<Round> {
        self.rounds += 1;
        let end = format!("round {}", self.rounds);
        let all = format!(
            "set session_replication_role = replica; begin; {sql}; commit;
             update public.companies set name = '{end}' where id in ('{COMPANY_A}', '{COMPANY_B}'); reset session_replication_role"
        );
        self.client.batch_execute(&all).await.unwrap_or_else(|error| panic!("{error:?}: {sql}"));
        let service = self.listeners.iter().position(|listener| listener.name == "the service").unwrap();
        let first = self.listeners[service].round(&end, true).await;
        let listen = self.listeners.iter_mut().zip(&self.seen).enumerate().map(|(number, (listener, seen))| {
            let hears_end = listener.refused.is_none() && !seen["companies"].is_empty();
            let end = &end;
            async move { if number == service { Round::default() } else { listener.round(end, hears_end).await } }
        });
        let mut rounds = join_all(listen).await;
        for (listener, round) in self.listeners.iter().zip(&rounds) {
            assert!(listener.refused.is_none() || round.changes.is_empty(), "{}: {round:?}", listener.name);
        }
        rounds[service] = first;
        self.heard += rounds.iter().map(|round| round.changes.len()).sum::<usize>();
        rounds
    }

    /// New rows and rows that became others are heard of by exactly those who are shown them.
    fn compare(&self, rounds: &[Round], sort: &str, tables: &BTreeSet<String>) {
        for ((listener, round), seen) in self.listeners.iter().zip(rounds).zip(&self.seen) {
            if listener.refused.is_some() {
                continue;
            }
            assert!(round.resyncs.is_empty() && !round.is_closed, "{}: {:?}", listener.name, round.resyncs);
            for table in self.tables.iter().filter(|table| tables.contains(&table.name)) {
                let mut expected = seen[&table.name].clone();
                if table.name == "companies" && sort == "INSERT" {
                    expected.retain(|key| key.contains("cc00"));
                }
                assert_eq!(round.keys(&table.name, sort, &table.key), expected, "{} and {sort} of {}", listener.name, table.name);
            }
        }
    }
}

/// What rows of these belong to decides who reads them: of one that is gone nobody is told by its key alone.
const BOUND: [&str; 2] = ["attachments", "file_storage"];

/// Changes are made behind the triggers, but for those that keep them.
const KEPT: &str = "
select app.keep_changes(true);
do $$
declare
  v_table regclass;
begin
  for v_table in select app.feed_tables() loop
    execute format('alter table %s enable always trigger keep_change', v_table);
  end loop;
end $$";

impl Proof {
    /// Rows that are gone are told in their company alone, by their key where the log has no more.
    fn compare_gone(&self, rounds: &[Round], reads: &HashMap<(String, String), bool>, tables: &BTreeSet<String>) {
        for ((listener, round), seen) in self.listeners.iter().zip(rounds).zip(&self.seen) {
            assert!(round.resyncs.is_empty() && !round.is_closed, "{}: {:?}", listener.name, round.resyncs);
            if listener.refused.is_some() {
                continue;
            }
            for table in self.tables.iter().filter(|table| tables.contains(&table.name)) {
                let what = format!("{} and DELETE of {}", listener.name, table.name);
                let gone: BTreeSet<String> = rounds_all(rounds, table, &self.listeners);
                let of = |company: &str| table.rows.get(company).cloned().unwrap_or_default();
                let heard = round.keys(&table.name, "DELETE", &table.key);
                for (name, sort, data) in &round.changes {
                    let is_of = *name == table.name && sort == "DELETE";
                    let columns = data["old_record"].as_object().filter(|_| is_of && !table.is_whole).map(serde_json::Map::len);
                    assert!(columns.is_none_or(|columns| columns == table.key.len()), "{what}: {data}");
                }
                let seen: BTreeSet<String> = seen[&table.name].intersection(&gone).cloned().collect();
                let Some(company) = listener.company else { continue };
                let own: BTreeSet<String> = of(company).intersection(&gone).cloned().collect();
                let role = listener.name.split(' ').next().unwrap_or_default();
                let is_member = ["A", "B"].iter().any(|letter| listener.name == format!("{role} of {letter}"));
                let scope = reads.get(&(table.name.clone(), role.to_owned())).filter(|_| is_member);
                let is_declared = reads.keys().any(|(name, _)| *name == table.name);
                if listener.name == "the service in A" {
                    assert!(heard.is_superset(&own), "{what}");
                } else if is_guest(listener)
                    || is_member && is_declared && scope.is_none()
                    || BOUND.contains(&table.name.as_str()) && !table.is_whole
                {
                    assert_eq!(heard, BTreeSet::new(), "{what}");
                } else if scope.is_some_and(|is_all| *is_all) {
                    assert_eq!(heard, own, "{what}");
                } else if table.is_whole {
                    assert!(heard.is_subset(&seen), "{what}: {heard:?}");
                } else {
                    assert!(heard.is_subset(&own), "{what}: {heard:?}");
                }
            }
        }
    }

    /// Has all rows of all tables become others, go, and come again; returns how many changes were heard of.
    async fn all_sorts(&mut self) {
        let reads = reads(&self.client).await;
        let all: BTreeSet<String> = self.tables.iter().map(|table| table.name.clone()).collect();
        let touch = self.on_every_table(|table| format!("update public.{0} set {1} = {1};", table.name, table.key[0]));
        let rounds = self.round(&touch).await;
        self.compare(&rounds, "UPDATE", &all);
        let may_go = |name: &str| MAY_GO.iter().find(|(table, _)| *table == name).map_or("true", |(_, which)| which);
        let copy = |table: &Table| {
            format!("create temporary table copy_of_{0} as select * from public.{0} where {1};", table.name, may_go(&table.name))
        };
        let copies = self.on_every_table(copy);
        self.client.batch_execute(&copies).await.unwrap();
        let gone = self.on_every_table(|table| format!("delete from public.{} where {};", table.name, may_go(&table.name)));
        let rounds = self.round(&gone).await;
        self.compare_gone(&rounds, &reads, &all);
        let back = |table: &Table| {
            let Table { name, columns, .. } = table;
            format!("insert into public.{name} ({columns}) overriding system value select {columns} from copy_of_{name};")
        };
        let back = self.on_every_table(back);
        let rounds = self.round(&back).await;
        // Of tables whose rows stayed in part only what came again is told.
        let whole = all.iter().filter(|name| MAY_GO.iter().all(|(table, _)| table != name)).cloned().collect();
        self.compare(&rounds, "INSERT", &whole);
        let drop = self.on_every_table(|table| format!("drop table copy_of_{};", table.name));
        self.client.batch_execute(&drop).await.unwrap();
    }

    /// Returns a statement for every table.
    fn on_every_table(&self, statement: impl Fn(&Table) -> String) -> String {
        self.tables.iter().map(statement).collect::<Vec<_>>().concat()
    }

    /// Leaves out rows that came since: what becomes of rights is written down, too.
    fn of_the_world(&self, rounds: &mut [Round]) {
        let is_known = |name: &str, data: &Value| {
            let Some(table) = self.tables.iter().find(|table| table.name == name) else { return true };
            let key = key_of(&table.key, data.get("record").unwrap_or(&data["old_record"]));
            table.rows.values().any(|rows| rows.contains(&key))
        };
        for round in rounds {
            round.changes.retain(|(name, _, data)| is_known(name, data));
        }
    }

    /// Takes somebody his rights, changes all rows in the next transaction, and looks what everybody heard.
    async fn take(&mut self, name: &str, sql: &str, goes: bool) {
        let number = self.listeners.iter().position(|listener| listener.name == name).unwrap_or_else(|| panic!("{name}"));
        self.client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{error:?}: {sql}"));
        if goes {
            self.seen[number].values_mut().for_each(BTreeSet::clear);
        } else {
            self.seen[number] = self.read(number).await;
            for table in &self.tables {
                let seen = self.seen[number].get_mut(&table.name).unwrap();
                seen.retain(|key| table.rows.values().any(|rows| rows.contains(key)));
            }
        }
        let touch = self.on_every_table(|table| format!("update public.{0} set {1} = {1};", table.name, table.key[0]));
        let mut rounds = self.round(&touch).await;
        self.of_the_world(&mut rounds);
        let all = self.tables.iter().map(|table| table.name.clone()).collect();
        let resyncs = std::mem::take(&mut rounds[number].resyncs);
        rounds[number].is_closed = false;
        assert!(goes || resyncs == ["rights_changed"], "{name}: {resyncs:?}");
        self.compare(&rounds, "UPDATE", &all);
        if goes {
            self.listeners[number].refused = Some("he went".to_owned());
        }
    }

    /// Waits until somebody's subscription is over, and looks whether he hears of anything then.
    async fn end(&mut self, name: &str, sql: &str) {
        let number = self.listeners.iter().position(|listener| listener.name == name).unwrap_or_else(|| panic!("{name}"));
        self.client.batch_execute(sql).await.unwrap();
        self.listeners[number].ended().await;
        self.listeners[number].refused = Some("he went".to_owned());
        let touch = self.on_every_table(|table| format!("update public.{0} set {1} = {1};", table.name, table.key[0]));
        let mut rounds = self.round(&touch).await;
        self.of_the_world(&mut rounds);
        let all = self.tables.iter().map(|table| table.name.clone()).collect();
        self.compare(&rounds, "UPDATE", &all);
    }
}

/// The rows of a table that are gone, as the service heard of them.
fn rounds_all(rounds: &[Round], table: &Table, listeners: &[Listener]) -> BTreeSet<String> {
    let of = listeners.iter().zip(rounds).filter(|(listener, _)| listener.name == "the service");
    of.flat_map(|(_, round)| round.keys(&table.name, "DELETE", &table.key)).collect()
}

/// Whoever is asked about by PostgreSQL alone hears of no row that is gone.
fn is_guest(listener: &Listener) -> bool {
    listener.name.contains("customer") || listener.name.contains("link")
}

async fn prove(mode: FeedMode) -> Proof {
    let mut proof = Box::pin(Proof::begin(mode)).await;
    let refused: BTreeSet<&str> =
        proof.listeners.iter().filter(|listener| listener.refused.is_some()).map(|listener| listener.name.as_str()).collect();
    let outside = [
        "nobody",
        "nobody who names A",
        "nobody who names B",
        "a session of B that is over",
        "a token of B that was changed",
        "owner of A who names B",
    ];
    assert_eq!(refused, outside.into(), "who is nobody, or is not let in, is refused, and no one else");
    for _ in 0..number("SOCKET_ROUNDS", 1) {
        Box::pin(proof.all_sorts()).await;
    }
    let of = |who: &str, set: &str| {
        format!("update public.team_members m set {set} from auth.users u where u.id = m.user_id and u.email = '{who}.a@example.com'")
    };
    Box::pin(proof.take("dispatcher of A", &of("dispatcher", "role = 'viewer'"), false)).await;
    Box::pin(proof.take("a fitter of A", "update public.custom_roles set permissions = '{}' where name = 'Fitter'", false)).await;
    Box::pin(proof.take("manager of A", &of("manager", "permissions = '{\"jobs:read\": false}'"), false)).await;
    Box::pin(proof.take("technician of A", &of("technician", "status = 'suspended'"), true)).await;
    Box::pin(proof.take("an API key of A", "update public.api_keys set revoked_at = now() where name = 'Key'", true)).await;
    Box::pin(proof.take("whoever has a link of A", "update public.public_links set revoked_at = now() where id::text ~ 'af12$'", true))
        .await;
    Box::pin(proof.end("a customer of A", "update auth.portal_sessions set ended_at = now() where id::text ~ 'af01$'")).await;
    let csr = "update auth.sessions s set revoked_at = now() from auth.users u where u.id = s.user_id and u.email = 'csr.a@example.com'";
    Box::pin(proof.end("csr of A", csr)).await;
    proof
}

/// Proves it, and says how much it was.
async fn prove_and_say(mode: FeedMode) {
    let begun = Instant::now();
    let proof = Box::pin(prove(mode)).await;
    assert!(proof.tables.len() > 50 && proof.heard > 5000, "{} tables, {} changes", proof.tables.len(), proof.heard);
    println!(
        "{} changes of {} tables heard of by {} callers in {} rounds and {:.0} s, {mode:?}: each exactly what he may read, 0 canaries",
        proof.heard,
        proof.tables.len(),
        proof.listeners.len(),
        proof.rounds,
        begun.elapsed().as_secs_f64()
    );
    proof.house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everybody_hears_over_sockets_of_what_he_may_read_and_of_nothing_else() {
    prove_and_say(FeedMode::Stream).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn so_he_does_where_the_log_may_not_be_read() {
    prove_and_say(FeedMode::Poll).await;
}

/// Nobody hears of what is published for servers alone: accounts, sessions, tasks, what SQL sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_servers_alone_are_told_nobody_subscribes_to() {
    let house = Box::pin(House::open("")).await;
    let client = house.world.superuser().await;
    let sql = "select n.nspname::text, c.relname::text from app.feed_tables() f join pg_class c on c.oid = f join pg_namespace n on n.oid = c.relnamespace
                where n.nspname <> 'public'";
    let tables = client.query(sql, &[]).await.unwrap();
    assert!(tables.len() > 4, "{tables:?}");
    for caller in &house.callers {
        for row in &tables {
            let (schema, table): (String, String) = (row.get(0), row.get(1));
            let wish = json!({ "event": "*", "schema": schema, "table": table });
            let listener = Listener::open(&house, caller, (Some(COMPANY_A), wish)).await;
            assert!(listener.refused.is_some(), "{} subscribes to {schema}.{table}", listener.name);
        }
    }
    house.stop().await;
}
