//! How transactions are opened in a database that is not ours: a login that may become other roles, and nothing of our schema.
//!
//! Invariant: nothing is read from or written to the database but the transaction's own settings, in one statement whose text is the
//! same for every caller. What the server itself asks runs as the login, with an empty search path.

use std::collections::HashMap;

use kernel::{Grant, RequestContext, Subject};

use crate::sql::Param;
use crate::tx::Access;

/// Settings of roles and functions that hold before the role does: to give a role one that it may not set is the login's affair.
const OPENING: &str = "select null::uuid, null::text,
       pg_catalog.set_config('search_path', $2::text, true),
       pg_catalog.set_config('role', $3::text, true),
       pg_catalog.set_config('request.jwt.claims', $4::text, true),
       pg_catalog.set_config('request.method', $5::text, true),
       pg_catalog.set_config('request.path', $6::text, true),
       pg_catalog.set_config('request.headers', $7::text, true),
       pg_catalog.set_config('request.cookies', $8::text, true),
       case when $9::boolean then pg_catalog.set_config('transaction_read_only', 'on', true) end,
       before.settings
  from (select pg_catalog.count(pg_catalog.set_config(s.value ->> 0, s.value ->> 1, true)) as settings
          from pg_catalog.json_array_elements($1::json) as s (value)) as before";

/// Whose setting says how transactions are kept apart.
const ISOLATION: &str = "default_transaction_isolation";

/// What the transactions of such a database are opened with.
#[derive(Clone, Debug, Default)]
pub struct Alone {
    /// Schemas that are searched behind the request's own.
    pub extra_search_path: Vec<String>,
    /// Settings that every request has, by their full names.
    pub settings: Vec<(String, String)>,
    /// What was set for the roles that requests run as.
    pub roles: HashMap<String, Vec<(String, String)>>,
    /// Settings of a called function that hold for its whole transaction.
    pub hoisted: Vec<String>,
}

/// How a transaction is kept apart from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Isolation {
    #[default]
    Usual,
    RepeatableRead,
    Serializable,
}

impl Alone {
    pub(crate) fn text() -> &'static str {
        OPENING
    }

    /// Returns how the transaction is kept apart: as the function says, or the role.
    pub(crate) fn isolation(&self, grant: &Grant, context: &RequestContext) -> Isolation {
        let Subject::Role { name, .. } = grant.principal().subject() else { return Isolation::Usual };
        let of_role = self.roles.get(name.as_ref()).into_iter().flatten();
        let level = of_role.chain(self.of_function(context)).filter(|(key, _)| key == ISOLATION).map(|(_, level)| level).next_back();
        match level.map(|level| level.to_lowercase()).as_deref() {
            Some("repeatable read") => Isolation::RepeatableRead,
            Some("serializable") => Isolation::Serializable,
            _ => Isolation::Usual,
        }
    }

    /// Returns the opening statement's values.
    pub(crate) fn values(&self, grant: &Grant, context: &RequestContext, access: Access) -> Vec<Param> {
        let principal = grant.principal();
        // It can be made read-only after it began, and never the other way round.
        let read_only = Param::from(access == Access::Read);
        let Subject::Role { name, .. } = principal.subject() else {
            let own = ["[]", "", "none", "", "", "", "", ""].map(Param::from);
            return own.into_iter().chain([read_only]).collect();
        };
        let of_role = self.roles.get(name.as_ref()).into_iter().flatten().filter(|(key, _)| key != ISOLATION);
        let of_function = self.of_function(context).filter(|(key, _)| key != ISOLATION);
        // First what is configured beside the database: the later win.
        let configured = context.statement_timeout.as_deref().map(|time| ["statement_timeout", time]);
        let in_database = of_role.chain(of_function).chain(&self.settings).map(|(key, value)| [&**key, &**value]);
        let settings: Vec<[&str; 2]> = configured.into_iter().chain(in_database).collect();
        vec![
            Param::from(serde_json::json!(settings)),
            Param::from(self.search_path(&context.schema)),
            Param::from(name.as_ref()),
            Param::from(principal.claims().as_ref()),
            Param::from(context.method.as_ref()),
            Param::from(context.path.as_ref()),
            Param::from(context.headers_json.as_ref()),
            Param::from(context.cookies_json.as_ref()),
            read_only,
        ]
    }

    fn of_function<'a>(&'a self, context: &'a RequestContext) -> impl DoubleEndedIterator<Item = &'a (String, String)> {
        context.function_settings.iter().filter(|(key, _)| self.hoisted.contains(key))
    }

    fn search_path(&self, schema: &str) -> String {
        let schemas = [schema].into_iter().filter(|schema| !schema.is_empty()).chain(self.extra_search_path.iter().map(String::as_str));
        schemas.map(|schema| format!("\"{}\"", schema.replace('"', "\"\""))).collect::<Vec<_>>().join(", ")
    }
}

impl Isolation {
    /// Returns what begins such a transaction.
    pub(crate) fn begin(self, access: Access) -> &'static str {
        match (self, access) {
            (Self::Usual, Access::Read) => "begin read only",
            (Self::Usual, Access::Write) => "begin read write",
            (Self::RepeatableRead, Access::Read) => "begin isolation level repeatable read read only",
            (Self::RepeatableRead, Access::Write) => "begin isolation level repeatable read read write",
            (Self::Serializable, Access::Read) => "begin isolation level serializable read only",
            (Self::Serializable, Access::Write) => "begin isolation level serializable read write",
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests are where a process starts")]
    use super::*;
    use kernel::{AnyCaller, Authority, Principal};

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    fn grant(role: &str) -> Grant {
        let subject = Subject::Role { name: role.into(), is_anonymous: false };
        Principal::vouch(&Authority::establish(), subject, r#"{"role":"ann"}"#).require::<AnyCaller>().unwrap()
    }

    fn alone() -> Alone {
        Alone {
            extra_search_path: vec!["public".to_owned(), "ex\"tra".to_owned()],
            settings: vec![pair("app.settings.a", "1")],
            roles: HashMap::from([("ann".to_owned(), vec![pair("statement_timeout", "5s"), pair(ISOLATION, "Repeatable Read")])]),
            hoisted: vec![ISOLATION.to_owned(), "work_mem".to_owned()],
        }
    }

    #[test]
    fn a_request_has_its_roles_settings_and_its_own() {
        let function_settings = [pair("work_mem", "8MB"), pair("row_security", "off")].into();
        let statement_timeout = Some("2000".into());
        let context = RequestContext {
            schema: "api".into(),
            method: "GET".into(),
            function_settings,
            statement_timeout,
            ..RequestContext::default()
        };
        let values = alone().values(&grant("ann"), &context, Access::Read);
        let values: Vec<&str> = values.iter().map(|value| value.as_str().unwrap()).collect();
        let settings = r#"[["statement_timeout","2000"],["statement_timeout","5s"],["work_mem","8MB"],["app.settings.a","1"]]"#;
        assert_eq!(values, [settings, r#""api", "public", "ex""tra""#, "ann", r#"{"role":"ann"}"#, "GET", "", "", "", "true"]);
    }

    #[test]
    fn the_functions_word_about_isolation_goes_before_the_roles() {
        let usual = RequestContext::default();
        let function = RequestContext { function_settings: [pair(ISOLATION, "serializable")].into(), ..RequestContext::default() };
        assert_eq!(alone().isolation(&grant("ann"), &usual), Isolation::RepeatableRead);
        assert_eq!(alone().isolation(&grant("ann"), &function), Isolation::Serializable);
        assert_eq!(alone().isolation(&grant("bob"), &usual), Isolation::Usual);
        assert_eq!(Isolation::Serializable.begin(Access::Read), "begin isolation level serializable read only");
    }

    #[test]
    fn the_server_itself_runs_as_its_login() {
        let own = Grant::system(&Authority::establish(), None, "a test");
        let values = alone().values(&own, &RequestContext::default(), Access::Write);
        assert_eq!(values.iter().filter_map(Param::as_str).collect::<Vec<_>>(), ["[]", "", "none", "", "", "", "", "", "false"]);
    }
}
