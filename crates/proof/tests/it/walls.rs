//! Takes walls away one by one, each from a database of its own: the proof must notice every single one.
//!
//! Invariant: the walls come from the catalog, so that one that is built tomorrow is tried, too. `WALLS` says how many are tried (0: all),
//! `SEED` which.

use std::collections::BTreeMap;
use std::sync::Arc;

use proof::{Scope, World};
use tokio::task::JoinSet;
use tokio_postgres::Client;

/// What to do to which table: every policy dropped or opened, row security off or not forced, every key between companies' tables dropped,
/// every right of those who ask taken or given.
const WALLS: &str = "
with tables (oid, name) as (
  select c.oid, format('%s.%s', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'
), walls (kind, name, sql) as (
  select 'policy', t.name, format('drop policy %I on %s', polname, t.name) from pg_policy join tables t on t.oid = polrelid
  union all
  select 'policy', t.name, format('alter policy %I on %s', polname, t.name)
           || case when polqual is not null then ' using (true)' else '' end
           || case when polcmd in ('a', 'w', '*') then ' with check (true)' else '' end
    from pg_policy join tables t on t.oid = polrelid
   where coalesce(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) <> 'true'
  union all
  select 'force', name, format('alter table %s %s row level security', name, what) from tables, unnest(array['disable', 'no force']) what
  union all
  select 'key', t.name, format('alter table %s drop constraint %I', t.name, conname)
    from pg_constraint k join tables t on t.oid = k.conrelid
   where k.contype = 'f' and cardinality(k.conkey) > 1
  union all
  select 'right', t.name, case when has_any_column_privilege(r, t.oid, p) then format('revoke %s on %s from %I', p, t.name, r)
                               else format('grant %s on %s to %I', p, t.name, r) end
    from tables t, unnest(array['anon', 'authenticated', 'guest', 'service_role']) r, unnest(array['select', 'insert', 'update']) p
  union all
  select 'right', t.name, case when has_table_privilege(r, t.oid, p) then format('revoke %s on %s from %I', p, t.name, r)
                               else format('grant %s on %s to %I', p, t.name, r) end
    from tables t, unnest(array['anon', 'authenticated', 'guest', 'service_role']) r, unnest(array['delete', 'truncate']) p
)
select * from walls order by md5(sql || $1)";
/// Databases at work at the same time.
const AT_ONCE: usize = 4;

/// Reads a count from the environment.
fn number(name: &str, default: usize) -> usize {
    std::env::var_os(name).map_or(default, |text| text.to_str().unwrap().parse().unwrap())
}

/// Takes one wall away, in a database that is gone afterwards. Returns whether it was noticed.
async fn try_without(table: String, sql: String, control: Arc<Client>) -> bool {
    let world = World::new().await;
    let name: String = world.superuser().await.query_one("select current_database()::text", &[]).await.unwrap().get(0);
    // Some walls carry the house: without them nobody gets in at all, and the attempts themselves say so.
    let noticed = tokio::spawn(is_noticed(world, table, sql)).await.unwrap_or(true);
    control.batch_execute(&format!("drop database {name} with (force)")).await.unwrap();
    noticed
}

async fn is_noticed(world: World, table: String, sql: String) -> bool {
    let superuser = world.superuser().await;
    superuser.batch_execute(&format!("set session_replication_role = replica; {sql}; reset session_replication_role")).await.unwrap();
    if !proof::examine(&superuser).await.is_empty() {
        return true;
    }
    let report = Box::pin(proof::run(&world, Scope::Tables(&[&table]))).await;
    !report.findings.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wall_is_missed() {
    let world = World::new().await;
    let superuser = Arc::new(world.superuser().await);
    let (count, seed) = (number("WALLS", 12), number("SEED", 1).to_string());
    let mut walls = superuser.query(WALLS, &[&seed]).await.unwrap();
    let known = walls.len();
    walls.truncate(if count == 0 { known } else { count });
    let (mut kinds, mut missed, mut running) = (BTreeMap::<String, usize>::new(), Vec::new(), JoinSet::new());
    let mut left = walls.iter();
    loop {
        while running.len() < AT_ONCE
            && let Some(wall) = left.next()
        {
            let (kind, table, sql): (String, String, String) = (wall.get(0), wall.get(1), wall.get(2));
            *kinds.entry(kind).or_default() += 1;
            let control = Arc::clone(&superuser);
            running.spawn(async move { (Box::pin(try_without(table, sql.clone(), control)).await, sql) });
        }
        match running.join_next().await {
            Some(done) => {
                let (noticed, sql) = done.unwrap();
                if !noticed {
                    missed.push(sql);
                }
            }
            None => break,
        }
    }
    assert_eq!(missed, Vec::<String>::new(), "taken away and not noticed");
    println!("{} of {known} walls taken away ({kinds:?}), seed {seed}: each noticed", walls.len());
}
