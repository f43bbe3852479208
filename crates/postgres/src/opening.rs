//! The statement that opens every transaction: it says for whom, and until it has said so PostgreSQL grants nothing.
//!
//! Invariant: what it sets comes from the session's and the member's rows as they are at this moment, and ends with the transaction.

use std::borrow::Cow;

use kernel::{CompanyId, Error, Grant, Pass, RequestContext, Result, Subject};

use crate::alone::{Alone, Isolation};
use crate::error::unavailable;
use crate::replicas::LogPosition;
use crate::row::Row;
use crate::sql::Param;
use crate::tx::Access;
use crate::wire::Step;

/// What the opening statement found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Opened {
    /// The active company.
    pub company_id: Option<CompanyId>,
    /// What the user is in it.
    pub member_role: Option<String>,
}

/// The statement around the function that says who the caller is. What more it sets is set for passes alone.
macro_rules! opening {
    ($from:literal, $more:literal) => {
        concat!(
            "select o.company_id, o.member_role,
       set_config('request.jwt.claims', o.claims, true),
       set_config('app.company_id', coalesce(o.company_id::text, ''), true),
       set_config('app.current_tenant_id', coalesce(o.company_id::text, ''), true),
       set_config('app.user_id', coalesce(o.user_id::text, ''), true),
       set_config('app.member_role', coalesce(o.member_role, ''), true),
       set_config('app.permissions', o.permissions, true),
       set_config('request.method', $8::text, true),
       set_config('request.path', $9::text, true),
       set_config('request.headers', $10::text, true),
       set_config('request.cookies', $11::text, true),
       set_config('statement_timeout', $12::text, true),
       case when $13::boolean then set_config('transaction_read_only', 'on', true) end,
       set_config('search_path', 'public, extensions', true),
       ",
            $more,
            "set_config('role', o.role, true)
  from ",
            $from,
            " o"
        )
    };
}

const OPENING: &str = opening!("app.open_request($1::text, $2::uuid, $3::uuid, $4::uuid, $5::text, $6::text, $7::boolean)", "");

const OPENING_OF_PASS: &str = opening!(
    "app.open_pass($1::text, $2::uuid, $3::uuid, $4::uuid, $5::text, $6::text, $7::text)",
    "set_config('app.customer_id', coalesce(o.customer_id::text, ''), true),
       set_config('app.linked_id', coalesce(o.linked_id::text, ''), true),
       "
);

/// What the opening found, read behind it in the same transaction.
pub(crate) const RIGHTS: &str = "select pg_catalog.current_setting('role'),
       pg_catalog.current_setting('app.company_id', true),
       pg_catalog.current_setting('app.user_id', true),
       pg_catalog.current_setting('app.member_role', true),
       pg_catalog.current_setting('app.permissions', true),
       pg_catalog.current_setting('request.jwt.claims', true),
       pg_catalog.current_setting('app.customer_id', true),
       pg_catalog.current_setting('app.linked_id', true)";

const RIGHTS_COUNT: usize = 8;

/// The same settings, said to a replica.
const CARRIED: &str = "select nullif($2::text, '')::uuid, nullif($4::text, ''),
       pg_catalog.pg_is_in_recovery() and coalesce(pg_catalog.pg_last_wal_replay_lsn() >= $14::text::pg_catalog.pg_lsn, false),
       set_config('request.jwt.claims', $6::text, true),
       set_config('app.company_id', $2::text, true),
       set_config('app.current_tenant_id', $2::text, true),
       set_config('app.user_id', $3::text, true),
       set_config('app.member_role', $4::text, true),
       set_config('app.permissions', $5::text, true),
       set_config('app.customer_id', $7::text, true),
       set_config('app.linked_id', $8::text, true),
       set_config('request.method', $9::text, true),
       set_config('request.path', $10::text, true),
       set_config('request.headers', $11::text, true),
       set_config('request.cookies', $12::text, true),
       set_config('statement_timeout', $13::text, true),
       set_config('transaction_read_only', 'on', true),
       set_config('search_path', 'public, extensions', true),
       set_config('role', $1::text, true)";

/// The opening statement's values.
pub(crate) struct Opening {
    text: &'static str,
    role: Cow<'static, str>,
    values: Vec<Param>,
    isolation: Isolation,
    place: Place,
    /// Whether the server itself works, in no company.
    is_of_system: bool,
    /// Whether a request is answered.
    is_for_request: bool,
    /// The company that is to be the active one.
    requested_company: Option<CompanyId>,
}

/// Where it is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// In our database, which finds out who asks; every caller may have it run.
    Ours,
    /// To a copy of it that may not be fit to read from, as what the database found out.
    Replica,
    /// In a database that is not ours.
    Foreign,
}

impl Opening {
    pub(crate) fn of(grant: &Grant, context: &RequestContext, statement_timeout_ms: u128, access: Access) -> Self {
        let principal = grant.principal();
        let (text, who): (_, [Param; 7]) = match principal.subject() {
            Subject::Pass(pass) => (OPENING_OF_PASS, of_pass(grant, pass)),
            subject => (OPENING, of_caller(grant, subject)),
        };
        let mut values = Vec::from(who);
        values.extend([
            Param::from(context.method.as_ref()),
            Param::from(context.path.as_ref()),
            Param::from(context.headers_json.as_ref()),
            Param::from(context.cookies_json.as_ref()),
            context.statement_timeout.as_deref().map_or_else(|| Param::from(statement_timeout_ms.to_string()), Param::from),
            // It can be made read-only after it began, and never the other way round.
            (access == Access::Read).into(),
        ]);
        let role = match principal.subject() {
            Subject::Anonymous | Subject::Role { .. } => "anon",
            Subject::User { .. } => "authenticated",
            Subject::Pass(pass) => pass.kind.database_role(),
            Subject::Service | Subject::System { .. } => "service_role",
        };
        let is_of_system = matches!(principal.subject(), Subject::System { .. }) && principal.requested_company().is_none();
        Self {
            text,
            role: Cow::Borrowed(role),
            values,
            isolation: Isolation::Usual,
            place: Place::Ours,
            is_of_system,
            is_for_request: !context.method.is_empty(),
            requested_company: principal.requested_company(),
        }
    }

    /// The same at a replica, for whom the primary found the caller to be: `rights` is what [`RIGHTS`] gave. Where the replica is none any
    /// more, or has not replayed the log until there, nothing that it says counts.
    pub(crate) fn carried(self, rights: &Row, at_least: Option<LogPosition>) -> Result<Self> {
        let text = |index: usize| rights.try_get::<_, Option<String>>(index).map_err(Error::internal);
        let mut values = Vec::with_capacity(RIGHTS_COUNT + 7);
        for index in 0..RIGHTS_COUNT {
            values.push(Param::from(text(index)?.unwrap_or_default()));
        }
        // What the transaction is told of the request, and of its own time, stands behind who asks.
        values.extend(self.values.into_iter().skip(7).take(5));
        values.push(Param::from(at_least.unwrap_or_default().to_string()));
        Ok(Self { text: CARRIED, values, place: Place::Replica, ..self })
    }

    /// The same for a database that is not ours.
    pub(crate) fn alone(alone: &Alone, grant: &Grant, context: &RequestContext, access: Access) -> Self {
        let role = match grant.principal().subject() {
            Subject::Role { name, .. } => Cow::Owned(name.as_ref().to_owned()),
            _ => Cow::Borrowed(""),
        };
        let (values, isolation) = (alone.values(grant, context, access), alone.isolation(grant, context));
        Self {
            text: Alone::text(),
            role,
            values,
            isolation,
            place: Place::Foreign,
            is_of_system: false,
            is_for_request: false,
            requested_company: None,
        }
    }

    /// The PostgreSQL role that the statements behind it run as.
    pub(crate) fn role(&self) -> Cow<'static, str> {
        self.role.clone()
    }

    /// Tells whether the server itself works, in no company.
    pub(crate) fn is_of_system(&self) -> bool {
        self.is_of_system
    }

    /// Tells whether it is done for a request.
    pub(crate) fn is_for_request(&self) -> bool {
        self.is_for_request
    }

    /// Returns the company that the caller wants to be in, where he names one.
    pub(crate) fn requested_company(&self) -> Option<CompanyId> {
        self.requested_company
    }

    /// Returns what begins its transaction.
    pub(crate) fn begin(&self, access: Access) -> &'static str {
        self.isolation.begin(access)
    }

    /// Tells whether only an explicit begin can say how its transaction is kept apart.
    pub(crate) fn needs_begin(&self) -> bool {
        self.isolation != Isolation::Usual
    }

    /// Returns it as the first statement of a batch. Its text is the same for every caller of a kind.
    pub(crate) fn step(&self) -> Step<'_> {
        Step { role: "", text: self.text, values: &self.values, kept: true }
    }

    /// Reads what it found.
    pub(crate) fn opened(&self, row: Option<&Row>) -> Result<Opened> {
        let row = row.ok_or_else(|| Error::internal("the opening statement gave no row"))?;
        if self.place == Place::Replica && !row.try_get::<_, bool>(2).map_err(Error::internal)? {
            return Err(Error::internal("the server is no replica, or not far enough"));
        }
        let company_id: Option<uuid::Uuid> = row.try_get(0).map_err(Error::internal)?;
        let member_role = row.try_get(1).map_err(Error::internal)?;
        Ok(Opened { company_id: company_id.map(CompanyId), member_role })
    }

    /// Every caller may have the opening statement run. Where that is refused, the connection still has a role that somebody gave it beyond
    /// his transaction, and is good for nobody. In another database it is the login that may not become the role.
    pub(crate) fn refused(&self, refusal: Error) -> Error {
        if self.place != Place::Foreign && refusal.code() == "42501" { unavailable(refusal) } else { refusal }
    }
}

/// Who asks, as `app.open_request` takes it.
fn of_caller(grant: &Grant, subject: &Subject) -> [Param; 7] {
    let principal = grant.principal();
    let kind = match subject {
        // There is no such role here for anybody to become; a pass is opened in its own way.
        Subject::Anonymous | Subject::Role { .. } | Subject::Pass(_) => "anon",
        Subject::User { .. } => "user",
        Subject::Service => "service",
        Subject::System { .. } => "system",
    };
    [
        Param::from(kind),
        principal.user_id().into(),
        principal.session_id().into(),
        principal.requested_company().into(),
        Param::from(principal.claims().as_ref()),
        grant.permission().into(),
        grant.company_required().into(),
    ]
}

/// Who shows what, as `app.open_pass` takes it.
fn of_pass(grant: &Grant, pass: &Pass) -> [Param; 7] {
    [
        Param::from(pass.kind.name()),
        Some(pass.company_id).into(),
        Param::from(Some(pass.id)),
        grant.principal().requested_company().into(),
        Param::from(pass.digest.as_ref()),
        grant.permission().into(),
        pass.address.map(|address| address.to_string()).into(),
    ]
}
