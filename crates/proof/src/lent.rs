//! What is reached through rights that are lent: every view and every function that a caller may use, with arguments that name the other
//! company's rows. Whatever it does inside, nothing of another company may come out, and nothing of it may be changed.
//!
//! Invariant: what a function's text says is not looked at here, only what it does. A service program that names no company must not
//! change rows of two companies in one call: an id alone names nothing.

use postgres::{Sql, Tx};
use serde_json::Value;

use crate::attempt::ask;
use crate::calls::by_hand;
use crate::expectation::Standing;
use crate::report::Report;
use crate::world::{ALONE, COMPANIES, Caller};

const VIEWS: &str = "
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema')
   and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
 order by 1, 2";

/// Functions for the service that keep something for all companies.
const UPKEEP: [&str; 19] = [
    "app.beat_worker",
    "app.claim_tasks",
    "app.close_task",
    "app.due_digests",
    "app.expire",
    "app.expire_company",
    "app.fan_out_events",
    "app.forget_presences",
    "app.note_presences",
    "app.notify_due",
    "app.redrive_tasks",
    "app.refresh_figures",
    "app.retire_worker",
    "app.seal_audit",
    "app.take_notification_events",
    "app.take_webhook_deliveries",
    "app.tend_tasks",
    "public.collect_business_metrics",
    "public.refresh_reporting_views",
];

/// Functions by which a company opens to whom it invites.
const OPENING: [&str; 3] = ["public.accept_invitation", "public.join_company", "public.joinable_companies"];

/// Functions that this caller may call, with the types of what they take.
const FUNCTIONS: &str = "
select n.nspname, p.proname,
       (select coalesce(json_agg(json_build_array(tn.nspname, t.typname, t.typtype) order by position), '[]')
          from unnest(p.proargtypes::oid[]) with ordinality a (type, position)
          join pg_type t on t.oid = a.type join pg_namespace tn on tn.oid = t.typnamespace)::text
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
 where p.prokind = 'f' and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
   and n.nspname not in ('pg_catalog', 'information_schema')
   and has_schema_privilege(n.oid, 'usage') and has_function_privilege(p.oid, 'execute')
   and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
 order by 1, 2, p.oid";

/// Ids of a company's rows without what they begin with; `_` is the company's letter, `c` stands where a row lives in both.
const IDS: [&str; 20] = [
    "_000", "_101", "_108", "_201", "_301", "_402", "_501", "_601", "_701", "_801", "c408", "c501", "c603", "c809", "_b31", "_b91", "_bb2",
    "_bc1", "_bd1", "cbd2",
];
const TEXTS: [&str; 10] = [
    "",
    // What stands in every row of the company: what searches must not find.
    "canary-_",
    "viewer",
    "correction",
    "jobs:read",
    "company-_",
    "guest._@example.com",
    "viewer._@example.com",
    "public.customers",
    "JOB-2026-0001",
];
/// More calls than this of one function by one caller are not made.
const CALLS_MAX: usize = 120;

/// One caller at every view and function whose name, with its schema, is wanted.
pub(crate) async fn run(caller: &Caller, tx: &Tx, report: &mut Report, is_wanted: impl Fn(&str) -> bool) {
    for view in tx.query(Sql::new(VIEWS)).await.expect("the views") {
        let (schema, name): (String, String) = (view.get(0), view.get(1));
        if !is_wanted(&format!("{schema}.{name}")) {
            continue;
        }
        let mut sql = Sql::new("select string_agg(v::text, ' ') from ");
        sql.qualified(&schema, &name).text(" v");
        judge(caller, report, &format!("view {schema}.{name}"), &[], ask(tx, sql).await);
    }
    for function in tx.query(Sql::new(FUNCTIONS)).await.expect("the functions") {
        let (schema, name, types): (String, String, String) = (function.get(0), function.get(1), function.get(2));
        if !is_wanted(&format!("{schema}.{name}")) {
            continue;
        }
        let types: Value = serde_json::from_str(&types).expect("JSON");
        let types: Vec<Type> = types.as_array().into_iter().flatten().map(Type::of).collect();
        // Overloads are functions of their own.
        let known: Vec<&str> = types.iter().map(|kind| kind.name.as_str()).collect();
        let signature = format!("{schema}.{name}({})", known.join(", "));
        for arguments in calls(&types, caller) {
            let answer = ask(tx, call(&schema, &name, &types, &arguments)).await;
            report.note_call(signature.clone(), answer.as_ref().err().map(|found| found.said.clone()));
            judge(caller, report, &format!("function {schema}.{name}"), &arguments, answer);
        }
        // With one's own rows, too: a refusal of the other company's proves something only where these are taken.
        for (letter, _) in COMPANIES {
            let Some(arguments) = by_hand(&signature, letter) else { continue };
            let answer = ask(tx, call(&schema, &name, &types, &arguments)).await;
            report.note_call(signature.clone(), answer.as_ref().err().map(|found| found.said.clone()));
            judge(caller, report, &format!("function {schema}.{name}"), &arguments, answer);
        }
    }
}

/// Whom the invitations of the world are for.
fn invited() -> Standing {
    Standing::Alone { user_id: ALONE.to_owned() }
}

/// The type of an argument.
struct Type {
    schema: String,
    name: String,
    is_row: bool,
}

impl Type {
    fn of(value: &Value) -> Self {
        let text = |index: usize| value[index].as_str().unwrap_or_default().to_owned();
        Self { schema: text(0), name: text(1), is_row: text(2) == "c" }
    }

    /// Returns values to try: those that name rows of a company.
    fn values(&self, letter: char) -> Vec<String> {
        let ids = || IDS.iter().map(|id| format!("01900000-0000-7000-8000-00000000{}", id.replace('_', &letter.to_string())));
        match self.name.as_str() {
            "uuid" => ids().collect(),
            "text" | "varchar" | "citext" => TEXTS.iter().map(|text| text.replace('_', &letter.to_string())).chain(ids()).collect(),
            "jsonb" | "json" => vec!["{}".to_owned(), r#"{"jobs:read": true}"#.to_owned()],
            "_uuid" => vec![format!("{{{}}}", ids().collect::<Vec<_>>().join(","))],
            "bool" => vec!["true".to_owned()],
            "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" => owned(&["1", "1000"]),
            "date" | "timestamp" | "timestamptz" => owned(&["2024-06-01", "2026-12-01"]),
            "interval" => owned(&["1 day"]),
            _ if self.is_row => {
                let ids: Vec<String> = ids().collect();
                let row = |id: &String| serde_json::json!({ "company_id": ids.first(), "id": id, "user_id": ids.get(1) }).to_string();
                ids.iter().map(row).collect()
            }
            _ => vec![String::new()],
        }
    }
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// Returns the arguments of the calls to make: every combination where they are few, else each value in each place once.
fn calls(types: &[Type], caller: &Caller) -> Vec<Vec<Option<String>>> {
    // The service has no other company; B's rows are those it must not meet together with A's.
    let letters = if caller.foreign.is_empty() { &['b'] } else { caller.foreign };
    let mut calls = Vec::new();
    for letter in letters {
        let values: Vec<Vec<String>> = types.iter().map(|kind| kind.values(*letter)).collect();
        let count = values.iter().map(Vec::len).fold(1_usize, usize::saturating_mul);
        let longest = values.iter().map(Vec::len).max().unwrap_or(1);
        let steps = if count <= CALLS_MAX { count } else { longest.saturating_mul(types.len()).min(CALLS_MAX) };
        for step in 0..steps {
            calls.push(combination(&values, step, count <= CALLS_MAX));
        }
    }
    calls
}

fn combination(values: &[Vec<String>], step: usize, is_every: bool) -> Vec<Option<String>> {
    let mut rest = step;
    let pick = |(place, choices): (usize, &Vec<String>)| {
        let index = if is_every {
            let index = rest % choices.len();
            rest /= choices.len();
            index
        } else {
            // Shifted by its place, so that different values meet.
            step.saturating_add(place.saturating_mul(step / values.len().max(1))) % choices.len()
        };
        Some(choices.get(index).cloned().unwrap_or_default())
    };
    values.iter().enumerate().map(pick).collect()
}

fn call(schema: &str, name: &str, types: &[Type], arguments: &[Option<String>]) -> Sql {
    let mut sql = Sql::new("select string_agg(r::text, ' ') from ");
    sql.qualified(schema, name).text("(");
    let mut separator = "";
    for (kind, argument) in types.iter().zip(arguments) {
        sql.text(separator);
        if kind.is_row {
            sql.text("jsonb_populate_record(null::")
                .qualified(&kind.schema, &kind.name)
                .text(", ")
                .bind(argument.as_deref())
                .text("::jsonb)");
        } else if kind.name == "record" {
            // A row of no table is made, not read.
            sql.text("row(").bind(argument.as_deref()).text("::text)");
        } else {
            sql.text("cast(").bind(argument.as_deref()).text("::text as ").qualified(&kind.schema, &kind.name).text(")");
        }
        separator = ", ";
    }
    sql.text(") r");
    sql
}

fn judge(
    caller: &Caller,
    report: &mut Report,
    what: &str,
    arguments: &[Option<String>],
    answer: Result<(String, String), crate::attempt::Found>,
) {
    let (mut said, touched) = match answer {
        Ok(answer) => answer,
        Err(found) => {
            report.count(format!("lent {:?}", found.outcome));
            return;
        }
    };
    report.count("lent Passed");
    // Whoever has the token of an invitation, or an address of its domain, is invited: to him the company opens.
    if caller.standing == invited() && OPENING.iter().any(|name| what == format!("function {name}")) {
        return;
    }
    // What one says oneself is no news.
    for argument in arguments.iter().flatten().filter(|argument| !argument.is_empty()) {
        said = said.replace(argument.as_str(), "");
    }
    let with = arguments.iter().map(|argument| argument.as_deref().unwrap_or("null")).collect::<Vec<_>>().join(", ");
    for letter in caller.foreign {
        if said.contains(&format!("canary-{letter}")) || said.contains(&format!("-00000000{letter}")) {
            report.findings.push(format!("{}: {what} ({with}) tells of company {letter}", caller.name));
        }
        if touched.contains(*letter) {
            report.findings.push(format!("{}: {what} ({with}) changes rows of company {letter}", caller.name));
        }
    }
    // The server's own upkeep is of all companies; nobody else may call it, which the other callers show.
    if UPKEEP.iter().any(|name| what == format!("function {name}")) {
        return;
    }
    let of_both = touched.contains('a') && touched.contains('b');
    let in_company = caller.grant.principal().requested_company().is_some();
    if caller.standing == Standing::Service && (of_both || in_company && touched.contains('b')) {
        report.findings.push(format!("{}: {what} ({with}) changes rows of companies it was not asked for: {touched}", caller.name));
    }
}
