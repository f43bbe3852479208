//! One moment of a database as its owner sees it, with the rows of every table in it, for a dump of that moment.
//!
//! Invariant: no table is in it of which row security could hide a row from the owner; such a table is named and refused. One is open at
//! a time in a database, whoever asks and from which machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use kernel::{Error, Kind, Result};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use crate::{error, options};

/// The lock that whoever dumps a database holds.
const LOCK: i64 = 0x7468_6f72_6475_6d70;
/// The lock that whoever practises a restore of a dump of it holds.
const DRILL_LOCK: i64 = 0x7468_6f72_6472_696c;
const TURN_POLL: Duration = Duration::from_millis(100);

/// Tables of our own, and whether policies could hide rows from `app_owner`: not if one shows it all of them and none takes away.
const TABLES: &str = "select format('%I.%I', n.nspname, c.relname),
       format('select count(*) from only %I.%I', n.nspname, c.relname),
       exists (select from pg_catalog.pg_depend d
                where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'),
       c.relrowsecurity
       and (not exists (select from pg_catalog.pg_policy p
                         where p.polrelid = c.oid and p.polpermissive and p.polcmd in ('*', 'r')
                           and 'app_owner'::regrole = any (p.polroles)
                           and pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true')
            or exists (select from pg_catalog.pg_policy p
                        where p.polrelid = c.oid and not p.polpermissive and p.polcmd in ('*', 'r')
                          and exists (select from unnest(p.polroles) r
                                       where r = 0 or case when r <> 0 then pg_catalog.pg_has_role('app_owner', r, 'usage') end)))
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'r' and c.relpersistence in ('p', 'u') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
 order by 1";

/// What is there that a dump would bring.
const THINGS: &str = "select exists (select from pg_catalog.pg_namespace n
                                      where n.nspname not in ('public', 'information_schema') and n.nspname !~ '^pg_')
    or exists (select from pg_catalog.pg_class c where c.relnamespace = to_regnamespace('public'))
    or exists (select from pg_catalog.pg_proc p where p.pronamespace = to_regnamespace('public'))";

/// The cluster's number and that of the database in it, and PostgreSQL's major version.
const IDENTITY: &str = "select c.system_identifier::text || '-' || d.oid, current_setting('server_version_num')::int / 10000
       from pg_control_system() c, pg_catalog.pg_database d where d.datname = current_database()";

/// Roles that things in the database may belong or be granted to.
const ROLES: &str = "select r.rolname::text from pg_catalog.pg_roles r where r.rolname !~ '^pg_' order by 1";

/// A moment of a database that is held until this is dropped.
#[derive(Debug)]
pub struct Snapshot {
    client: Client,
    /// The name by which other connections see the same moment.
    pub name: String,
    /// The cluster's number and that of the database in it.
    pub source: String,
    /// PostgreSQL's major version.
    pub major: u32,
    /// Rows of every table.
    pub rows: BTreeMap<String, i64>,
    /// Tables of extensions, which these make themselves.
    pub of_extensions: BTreeSet<String>,
}

impl Snapshot {
    /// Opens one. `turn_time` is how long it waits for another one to end, `statement_time` how long one count may take.
    pub async fn open(config: &Config, roots: Option<&Path>, turn_time: Duration, statement_time: Duration) -> Result<Self> {
        let client = connect(config, roots).await?;
        let (source, major) = identified(&client).await?;
        turn(&client, turn_time).await?;
        as_owner(&client).await?;
        client.batch_execute("begin isolation level repeatable read, read only").await.map_err(refused)?;
        let limit = format!("{}ms", statement_time.as_millis());
        let limits = "select set_config('statement_timeout', $1, true), set_config('idle_in_transaction_session_timeout', '0', true)";
        client.execute(limits, &[&limit]).await.map_err(refused)?;
        let row = client.query_one("select pg_export_snapshot()", &[]).await.map_err(refused)?;
        let name = row.try_get(0).map_err(refused)?;
        let (rows, of_extensions) = counted(&client, true).await?;
        Ok(Self { client, name, source, major, rows, of_extensions })
    }

    /// Ends it, and says whether it was there until now. The turn stays until this is dropped: whoever is next then finds the dump.
    pub async fn end(&self) -> Result<()> {
        self.client.batch_execute("commit").await.map_err(refused)
    }
}

/// Counts the rows of every table as they are now.
pub async fn rows(config: &Config, roots: Option<&Path>) -> Result<BTreeMap<String, i64>> {
    let client = connect(config, roots).await?;
    as_owner(&client).await?;
    client.batch_execute("begin isolation level repeatable read, read only").await.map_err(refused)?;
    counted(&client, false).await.map(|(rows, _)| rows)
}

/// Refuses where a dump cannot be restored: the login is no superuser, roles are missing, or something is there already.
pub async fn may_be_filled(config: &Config, roots: Option<&Path>) -> Result<()> {
    let client = connect(config, roots).await?;
    let asked = "select (select r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user),
                        (select count(*) from pg_catalog.pg_roles r where r.rolname in ('app_owner', 'app_definer')) = 2";
    let row = client.query_one(asked, &[]).await.map_err(refused)?;
    let (is_superuser, has_roles): (bool, bool) = (row.try_get(0).map_err(refused)?, row.try_get(1).map_err(refused)?);
    if !is_superuser {
        let message = "Only a superuser gives everything in a dump back to its owner";
        return Err(Error::new(Kind::Unprocessable, "dump_restorer_not_superuser", message)
            .with_hint("restore with a superuser in MIGRATOR_URL, then serve with the login that served before"));
    }
    if !has_roles {
        let message = "The server has no roles of Thorbis, to which everything in a dump belongs";
        return Err(
            Error::new(Kind::Unprocessable, "dump_roles_missing", message).with_hint("carry them over first: pg_dumpall --roles-only")
        );
    }
    let row = client.query_one(THINGS, &[]).await.map_err(refused)?;
    if row.try_get(0).map_err(refused)? {
        let message = "The database is not empty; a dump is restored into an empty one";
        return Err(Error::new(Kind::Conflict, "dump_database_not_empty", message).with_hint("createdb --owner=app_owner"));
    }
    Ok(())
}

async fn counted(client: &Client, whole: bool) -> Result<(BTreeMap<String, i64>, BTreeSet<String>)> {
    let (mut rows, mut of_extensions) = (BTreeMap::new(), BTreeSet::new());
    for row in client.query(TABLES, &[]).await.map_err(refused)? {
        let (name, look): (String, String) = (row.try_get(0).map_err(refused)?, row.try_get(1).map_err(refused)?);
        if row.try_get(2).map_err(refused)? {
            of_extensions.insert(name);
            continue;
        }
        if whole && row.try_get(3).map_err(refused)? {
            let message = format!("Row security could hide rows of {name} from app_owner, and so from a dump");
            return Err(Error::new(Kind::Unprocessable, "dump_hides_rows", message)
                .with_hint("give it a policy to app_owner using (true), and no restrictive one that reaches app_owner"));
        }
        let row = client.query_one(&look, &[]).await.map_err(refused)?;
        rows.insert(name, row.try_get(0).map_err(refused)?);
    }
    Ok((rows, of_extensions))
}

/// The right to practise with dumps of a database, until this is dropped.
#[derive(Debug)]
pub struct DrillTurn {
    _client: Client,
    /// Roles of the database's cluster.
    pub roles: Vec<String>,
}

impl DrillTurn {
    /// Takes it; refuses where somebody else practises.
    pub async fn take(config: &Config, roots: Option<&Path>) -> Result<Self> {
        let client = connect(config, roots).await?;
        let row = client.query_one("select pg_try_advisory_lock($1)", &[&DRILL_LOCK]).await.map_err(refused)?;
        if !row.try_get::<_, bool>(0).map_err(refused)? {
            return Err(Error::new(Kind::Conflict, "drill_running", "Another drill of this database runs"));
        }
        let rows = client.query(ROLES, &[]).await.map_err(refused)?;
        let roles = rows.iter().map(|row| row.try_get(0).map_err(refused)).collect::<Result<_>>()?;
        Ok(Self { _client: client, roles })
    }
}

/// Returns the cluster's number with that of the database in it, and PostgreSQL's major version.
pub async fn identity(config: &Config, roots: Option<&Path>) -> Result<(String, u32)> {
    identified(&connect(config, roots).await?).await
}

async fn identified(client: &Client) -> Result<(String, u32)> {
    let row = client.query_one(IDENTITY, &[]).await.map_err(refused)?;
    let (source, major): (String, i32) = (row.try_get(0).map_err(refused)?, row.try_get(1).map_err(refused)?);
    Ok((source, u32::try_from(major).unwrap_or_default()))
}

/// Gives an empty cluster the roles that a dump names, without rights to log in.
pub async fn make_roles(config: &Config, roles: &[String]) -> Result<()> {
    let client = connect(config, None).await?;
    let asked = "select format('create role %I nologin', r.name) from unnest($1::text[]) r(name)
                  where not exists (select from pg_catalog.pg_roles p where p.rolname = r.name)";
    for row in client.query(asked, &[&roles]).await.map_err(refused)? {
        client.batch_execute(row.try_get(0).map_err(refused)?).await.map_err(refused)?;
    }
    Ok(())
}

/// Waits until nobody else dumps this database.
async fn turn(client: &Client, patience: Duration) -> Result<()> {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let row = client.query_one("select pg_try_advisory_lock($1)", &[&LOCK]).await.map_err(refused)?;
        if row.try_get(0).map_err(refused)? {
            return Ok(());
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(Error::new(Kind::Conflict, "backup_running", "Another backup of this database is being made"));
        }
        tokio::time::sleep(TURN_POLL).await;
    }
}

async fn as_owner(client: &Client) -> Result<()> {
    client.batch_execute("set role app_owner").await.map_err(|source| {
        if matches!(source.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE | &SqlState::INVALID_PARAMETER_VALUE)) {
            let message = "The login of a backup has to be a member of app_owner, who sees every row";
            return Error::new(Kind::Unprocessable, "dump_login_not_owner", message)
                .with_hint("set MIGRATOR_URL to the login that migrates")
                .with_source(source);
        }
        refused(source)
    })
}

async fn connect(config: &Config, roots: Option<&Path>) -> Result<Client> {
    let mut config = config.clone();
    config.application_name("thorbis backup");
    let Some(tls) = options::tls(&config, roots)? else {
        let (client, connection) = config.connect(NoTls).await.map_err(error::unavailable)?;
        tokio::spawn(connection);
        return Ok(client);
    };
    let (client, connection) = config.connect(tls).await.map_err(error::unavailable)?;
    tokio::spawn(connection);
    Ok(client)
}

fn refused(source: tokio_postgres::Error) -> Error {
    let said = source.as_db_error().map_or_else(|| source.to_string(), |said| said.message().to_owned());
    Error::new(Kind::Internal, "backup_failed", format!("PostgreSQL refused what a backup needs: {said}")).with_source(source)
}
