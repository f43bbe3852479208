//! What the database itself says of how it is to be served: settings of the login, a function that sets some, and settings of the roles
//! that the login may become.
//!
//! Invariant: read only, as the login, in one transaction each; nothing is written anywhere.

use std::collections::HashMap;
use std::sync::Arc;

use kernel::{Authority, Error, Grant, RequestContext, Result};
use postgres::{Access, Database, Sql};

use super::settings::SETTINGS;

/// Settings of the login; those for this database behind those for all.
const OF_LOGIN: &str = "
select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(pg_catalog.split_part(s.value, '=', 1),
                  pg_catalog.substr(s.value, pg_catalog.strpos(s.value, '=') + 1)) order by d.setdatabase <> 0), '[]')::text
  from pg_catalog.pg_db_role_setting d
  cross join lateral pg_catalog.unnest(d.setconfig) as s (value)
 where d.setrole = (select r.oid from pg_catalog.pg_roles r where r.rolname = session_user)
   and d.setdatabase in (0, (select b.oid from pg_catalog.pg_database b where b.datname = pg_catalog.current_database()))
   and s.value like 'pgrst.%'";

/// What a function has set just before.
const OF_FUNCTION: &str = "
select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(n.name, pg_catalog.current_setting(n.name, true))), '[]')::text
  from pg_catalog.json_array_elements_text(";
const OF_FUNCTION_END: &str = "::json) as n (name)
 where pg_catalog.current_setting(n.name, true) <> ''";

/// Settings of roles; only those that the login may set.
const OF_ROLES: &str = "
select coalesce(pg_catalog.json_object_agg(o.rolname, o.settings), '{}')::text
  from (select r.rolname, pg_catalog.json_agg(pg_catalog.json_build_array(k.name, k.value)) as settings
          from pg_catalog.pg_auth_members m
          join pg_catalog.pg_roles r on r.oid = m.roleid
          cross join lateral pg_catalog.unnest(r.rolconfig) as s (value)
          cross join lateral (select pg_catalog.split_part(s.value, '=', 1) as name,
                                     pg_catalog.substr(s.value, pg_catalog.strpos(s.value, '=') + 1) as value) k
          join pg_catalog.pg_settings p on p.name = k.name
         where m.member = (select l.oid from pg_catalog.pg_roles l where l.rolname = session_user)
           and (p.context = 'user' or pg_catalog.has_parameter_privilege(session_user, p.name, 'set'))
         group by r.rolname) o";

/// Names and values.
pub(super) type Pairs = Vec<(String, String)>;

/// Asks the database as its login.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) database: Database,
    pub(super) authority: Arc<Authority>,
}

impl Asking {
    /// Returns the settings of the function, if one is named, then those of the login: the later win.
    pub(super) async fn settings(&self, pre_config: Option<&str>) -> Result<Pairs> {
        let mut said = match pre_config {
            Some(name) => self.by_function(name).await?,
            None => Vec::new(),
        };
        let of_login: Pairs = self.read(Sql::new(OF_LOGIN)).await?;
        said.extend(of_login);
        Ok(said)
    }

    /// Returns what was set for the roles that the login may become.
    pub(super) async fn roles(&self) -> Result<HashMap<String, Pairs>> {
        self.read(Sql::new(OF_ROLES)).await
    }

    async fn by_function(&self, name: &str) -> Result<Pairs> {
        let tx = self.database.begin(&self.grant(), &RequestContext::default(), Access::Read).await?;
        let mut call = Sql::new("select ");
        // Without a schema it is looked for where PostgreSQL itself would.
        match name.split_once('.') {
            Some((schema, name)) => call.qualified(schema, name),
            None => call.qualified("public", name),
        };
        call.text("()");
        tx.query(call).await?;
        let names: Vec<String> = SETTINGS.iter().filter_map(super::settings::Setting::in_database).collect();
        let mut ask = Sql::new(OF_FUNCTION);
        ask.bind(serde_json::json!(names)).text(OF_FUNCTION_END);
        let text: String = tx.query_one(ask).await?.try_get(0).map_err(Error::internal)?;
        tx.rollback().await?;
        serde_json::from_str(&text).map_err(Error::internal)
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, statement: Sql) -> Result<T> {
        let answer = self.database.run(&self.grant(), &RequestContext::default(), Access::Read, statement).await?;
        let row = answer.rows.first().ok_or_else(|| Error::internal("the settings gave no row"))?;
        let text: String = row.try_get(0).map_err(Error::internal)?;
        serde_json::from_str(&text).map_err(Error::internal)
    }

    fn grant(&self) -> Grant {
        #[expect(clippy::disallowed_methods, reason = "the server itself asks how it is to serve, for no caller")]
        Grant::system(&self.authority, None, "read the settings in the database")
    }
}
