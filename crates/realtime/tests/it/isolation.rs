//! Every member role, every declared table, all three sorts of changes, in two companies: who hears is what `db/permissions.toml` says.
//!
//! Changes are made behind the triggers, since who may write is not the question here.

use std::collections::{BTreeSet, HashMap};

use kernel::{CompanyId, Pass, PassKind, Subject, UserId};
use postgres::feed::FeedMode;
use proof::World;
use realtime::changes::{Sort, Told, Viewer, Wanted};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_postgres::Client;

use crate::onlookers::{Node, PATIENCE};

const ROLES: [&str; 8] = ["owner", "admin", "manager", "dispatcher", "technician", "csr", "member", "viewer"];
const COMPANIES: [&str; 2] = ["01900000-0000-7000-8000-00000000a000", "01900000-0000-7000-8000-00000000b000"];
/// Whoever loses his rights hears nothing of the rest.
const LEFT_ALONE: [&str; 4] = ["public.companies", "public.team_members", "public.custom_roles", "public.customers"];
/// Of them those alone are heard of that are bound to what one reads, which policies say: whoever reads everything hears of all.
const FILES: [&str; 2] = ["public.attachments", "public.file_storage"];
const READS_EVERYTHING: [&str; 1] = ["owner"];
const WAITING_MAX: usize = 100_000;

struct Table {
    name: String,
    noun: String,
    key: Vec<String>,
    secret: Vec<String>,
    /// Company, key and all of each row that is not marked as deleted.
    rows: Vec<(String, String, Value)>,
}

struct Onlooker {
    name: String,
    company: &'static str,
    user: Option<String>,
    role: Option<usize>,
    told: mpsc::Receiver<Told>,
    _subscription: realtime::changes::Subscription,
}

/// What each role may read of a noun: `all`, `assigned`, `own` or `-`.
fn scopes() -> HashMap<String, Vec<String>> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../db/permissions.toml")).unwrap();
    let cells = text.lines().filter_map(|line| {
        let (name, cells) = line.split_once('=')?;
        let noun = name.trim().strip_prefix('"')?.strip_suffix(":read\"")?.to_owned();
        Some((noun, serde_json::from_str(cells.trim()).unwrap()))
    });
    cells.collect()
}

fn key_of(table: &Table, row: &Value) -> String {
    table.key.iter().map(|column| row[column].to_string()).collect::<Vec<_>>().join(" ")
}

async fn tables(client: &Client) -> Vec<Table> {
    let sql = "
        select p.table_name, p.noun, p.tenant_column,
               array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum = any (i.indkey) order by a.attnum),
               array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and col_description(c.oid, a.attnum) ~ '^secret')
          from app.protected_tables p
          join pg_class c on c.oid = to_regclass(p.table_name) and c.relnamespace = 'public'::regnamespace
          join app.feed_tables() f on f = c.oid
          join pg_index i on i.indrelid = c.oid and i.indisprimary
         order by 1";
    let mut found = Vec::new();
    for row in client.query(sql, &[]).await.unwrap() {
        let (name, tenant): (String, Option<String>) = (row.get(0), row.get(2));
        let Some(tenant) = tenant else { continue };
        let mut table = Table { name, noun: row.get(1), key: row.get(3), secret: row.get(4), rows: Vec::new() };
        for row in client.query(&format!("select to_jsonb(t)::text from {} t", table.name), &[]).await.unwrap() {
            let value: Value = serde_json::from_str(row.get(0)).unwrap();
            if value.get("deleted_at").is_none_or(Value::is_null) {
                table.rows.push((value[&tenant].as_str().unwrap().to_owned(), key_of(&table, &value), value));
            }
        }
        found.push(table);
    }
    found
}

impl Onlooker {
    async fn new(node: &Node, name: String, (company, user, role): (&'static str, Option<String>, Option<usize>), viewer: Viewer) -> Self {
        let (to, mut told) = mpsc::channel(WAITING_MAX);
        let wanted = Wanted { event: Sort::All, schema: "public".to_owned(), table: None, filter: None, select: None };
        let subscription = node.changes.subscribe(viewer, vec![(1, wanted)], None, to).await.unwrap();
        let first = tokio::time::timeout(PATIENCE, told.recv()).await.unwrap();
        assert!(matches!(first, Some(Told::Live(_))), "{name}: {first:?}");
        Self { name, company, user, role, told, _subscription: subscription }
    }

    /// Returns what was heard up to the end of a round: table, sort and key.
    async fn round(&mut self, tables: &[Table], end: &str) -> BTreeSet<(String, String, String)> {
        let mut heard = BTreeSet::new();
        loop {
            let told = tokio::time::timeout(PATIENCE, self.told.recv()).await.unwrap_or_else(|_| panic!("{}: {end}", self.name));
            let Some(Told::Change { data, .. }) = told else { panic!("{}: {told:?}", self.name) };
            let data: Value = serde_json::from_str(&data).unwrap();
            if data["record"]["name"] == end {
                return heard;
            }
            let name = format!("public.{}", data["table"].as_str().unwrap());
            let table = tables.iter().find(|table| table.name == name).unwrap_or_else(|| panic!("{name} is of no company"));
            for part in ["record", "old_record"] {
                let Some(row) = data.get(part) else { continue };
                let company = row.get("company_id").unwrap_or(&row["id"]);
                assert_eq!(company, self.company, "{} hears of {name}: {data}", self.name);
                assert!(table.secret.iter().all(|column| row.get(column).is_none()), "{}: {data}", self.name);
            }
            let row = data.get("record").unwrap_or(&data["old_record"]);
            heard.insert((name, data["type"].as_str().unwrap().to_owned(), key_of(table, row)));
        }
    }
}

/// Whether a row is somebody's, as far as it says so itself.
fn is_his(row: &Value, user: &str) -> bool {
    row["assigned_to"] == user || row["crew"].as_array().is_some_and(|crew| crew.iter().any(|one| one == user))
}

/// Which rows a member hears of; nothing where what decides about them stands elsewhere.
fn expected<'a>(table: &'a Table, (scope, sort): (&str, &str), onlooker: &Onlooker, role: usize) -> Option<BTreeSet<&'a str>> {
    let own = table.rows.iter().filter(|(company, ..)| company == onlooker.company);
    match scope {
        "all" if FILES.contains(&table.name.as_str()) => {
            let all: BTreeSet<&str> = own.map(|(_, key, _)| key.as_str()).collect();
            assert!(!all.is_empty(), "there is something to be heard of {}", table.name);
            // Of one that is gone nobody is told by its key alone.
            Some(all).filter(|_| sort != "DELETE" && READS_EVERYTHING.contains(&ROLES[role]))
        }
        "all" => Some(own.map(|(_, key, _)| key.as_str()).collect()),
        "-" => Some(BTreeSet::new()),
        "assigned" if table.name == "public.jobs" => {
            let user = onlooker.user.as_deref().unwrap();
            Some(own.filter(|(_, _, row)| is_his(row, user)).map(|(_, key, _)| key.as_str()).collect())
        }
        _ => None,
    }
}

#[tokio::test]
async fn every_role_hears_of_what_it_may_read_and_of_no_other_company() {
    let world = World::new().await;
    let client = world.superuser().await;
    let (scopes, tables) = (scopes(), tables(&client).await);
    assert!(
        tables.len() > 50 && tables.iter().filter(|table| table.rows.len() > 1).count() > 50,
        "the world has rows of nearly everything"
    );
    let node = Node::start(&world.db, FeedMode::Stream, |_| ()).await;
    let mut onlookers = Vec::new();
    for (company, letter) in COMPANIES.into_iter().zip(["a", "b"]) {
        let stem = company.trim_end_matches("000");
        for (number, role) in ROLES.iter().enumerate() {
            let user = format!("{stem}10{}", number + 1);
            let mut viewer = node.viewer(Subject::User { user_id: UserId(user.parse().unwrap()), session_id: None });
            viewer.principal = viewer.principal.in_company(Some(CompanyId(company.parse().unwrap())));
            onlookers.push(Onlooker::new(&node, format!("{role} of {stem}"), (company, Some(user), Some(number)), viewer).await);
        }
        let (company_id, id) = (CompanyId(company.parse().unwrap()), format!("{stem}f01").parse().unwrap());
        let pass = Pass { kind: PassKind::Portal, company_id, id, digest: letter.repeat(64).into(), address: None };
        let viewer = node.viewer(Subject::Pass(pass));
        onlookers.push(Onlooker::new(&node, format!("customer of {stem}"), (company, None, None), viewer).await);
    }
    client.batch_execute("set session_replication_role = replica").await.unwrap();
    for (sort, end) in [("UPDATE", "round one"), ("DELETE", "round two"), ("INSERT", "round three")] {
        let changed: Vec<&Table> = tables.iter().filter(|table| sort == "UPDATE" || !LEFT_ALONE.contains(&table.name.as_str())).collect();
        for table in &changed {
            let column = &table.key[0];
            let (name, copy) = (&table.name, table.name.replace("public.", "copy_of_"));
            let sql = match sort {
                "UPDATE" => format!("update {name} set {column} = {column}"),
                "DELETE" => format!("create temporary table {copy} as table {name}; delete from {name}"),
                _ => {
                    let sql = format!(
                        "select string_agg(quote_ident(attname), ', ') from pg_attribute
                          where attrelid = '{name}'::regclass and attnum > 0 and not attisdropped and attgenerated = ''"
                    );
                    let columns: String = client.query_one(&sql, &[]).await.unwrap().get(0);
                    format!("insert into {name} ({columns}) overriding system value select {columns} from {copy}")
                }
            };
            client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        }
        for company in COMPANIES {
            // A company itself is what everybody reads, and what is left.
            let sql = format!("update public.companies set name = '{end}' where id = '{company}'");
            client.batch_execute(&sql).await.unwrap();
        }
        for onlooker in &mut onlookers {
            let heard = onlooker.round(&tables, end).await;
            for table in &changed {
                let of_table: BTreeSet<&str> =
                    heard.iter().filter(|(name, of, _)| *name == table.name && of == sort).map(|(_, _, key)| key.as_str()).collect();
                let Some(role) = onlooker.role else { continue };
                let Some(expected) = expected(table, (&scopes[&table.noun][role], sort), onlooker, role) else { continue };
                assert_eq!(of_table, expected, "{} and {sort} of {}", onlooker.name, table.name);
            }
        }
    }
}
