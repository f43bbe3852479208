//! Gives the server's login what it needs to open a request, and nothing else.
//!
//! Invariant: the login can become anon, authenticated, guest and `service_role`, and call
//! `app.open_request` and `app.open_pass`; it owns nothing.

use kernel::Result;

use super::error;
use super::session::{Notice, Session};

/// Grants, as the migrator's login. Returns what is amiss with the login itself.
pub(super) async fn to_server(session: &Session, login: &str) -> Result<Vec<Notice>> {
    let row = session
        .client
        .query_opt(
            "select rolsuper or rolbypassrls, pg_has_role(rolname, 'app_owner', 'member') or pg_has_role(rolname, 'app_definer', 'member')
               from pg_catalog.pg_roles where rolname = $1",
            &[&login],
        )
        .await
        .map_err(error::query)?;
    let Some(row) = row else {
        return Err(error::refused(
            error::SERVER_LOGIN,
            format!("the server's login {login} does not exist"),
            format!("Create it with a password: create role {login} login noinherit; or name another one."),
        ));
    };
    let rows = session
        .client
        .query(
            "select format('grant %I to %I', r.name, $1::text)
               from (values ('anon'), ('authenticated'), ('guest'), ('service_role')) as r (name)
              where not exists (select from pg_catalog.pg_auth_members m
                                 where m.roleid = r.name::regrole and m.member = quote_ident($1)::regrole)
             union all
             select format('grant usage on schema app to %I', $1::text)
              where not has_schema_privilege($1, 'app', 'usage')
             union all
             select format('grant execute on function %s to %I', p.oid::regprocedure, $1::text)
               from pg_catalog.pg_proc p
              where p.proname in ('open_request', 'open_pass') and p.pronamespace = 'app'::regnamespace
                and not has_function_privilege($1, p.oid, 'execute')",
            &[&login],
        )
        .await
        .map_err(error::query)?;
    for row in rows {
        session.client.batch_execute(row.get(0)).await.map_err(error::query)?;
    }
    let mut amiss = Vec::new();
    let mut tell = |wrong: bool, message: String, hint: &str| {
        if wrong {
            amiss.push(Notice {
                severity: "WARNING".to_owned(),
                sqlstate: "01T01".to_owned(),
                message,
                detail: None,
                hint: Some(hint.to_owned()),
            });
        }
    };
    tell(
        row.get::<_, Option<bool>>(0).unwrap_or(false),
        format!("the server's login {login} is a superuser or bypasses row security"),
        "Only the role of each request keeps tenants apart then. Use a plain login for the server.",
    );
    tell(
        row.get::<_, Option<bool>>(1).unwrap_or(false) && !row.get::<_, Option<bool>>(0).unwrap_or(false),
        format!("the server's login {login} can become the owner"),
        "Whoever breaks into the server could replace definer functions. Use two logins.",
    );
    Ok(amiss)
}

/// Has changes kept for servers that poll them, where the server's login may not read PostgreSQL's log; and no longer where it may.
pub(super) async fn of_the_feed(session: &Session, login: &str) -> Result<()> {
    // Where they are kept they are looked at each time: what nobody is told of may be more than before.
    // A login that is let off the log while servers run goes on reading it until they are cut off; both ways may be open for a while.
    let wanted = "select case when not s.streams then true when k.kept then false end
           from (select coalesce((select (r.rolreplication or r.rolsuper) and current_setting('wal_level') = 'logical'
                                         and exists (select from pg_catalog.pg_publication where pubname = 'thorbis_changes')
                                    from pg_catalog.pg_roles r where r.rolname = $1), false) as streams) s,
                (select exists (select from pg_catalog.pg_trigger where tgname = 'keep_change') as kept) k
          where to_regprocedure('app.keep_changes(boolean)') is not null";
    let row = session.client.query_opt(wanted, &[&login]).await.map_err(error::query)?;
    let Some(on) = row.and_then(|row| row.get::<_, Option<bool>>(0)) else { return Ok(()) };
    session.client.batch_execute("set local role app_owner").await.map_err(error::query)?;
    session.client.execute("select app.keep_changes($1)", &[&on]).await.map_err(error::query)?;
    session.client.batch_execute("reset role").await.map_err(error::query)
}
