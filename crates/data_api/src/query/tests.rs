//! The statements of typical requests, written by hand, and what must hold of all of them.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};
use postgres::Sql;
use postgres::catalog::Catalog;
use proptest::prelude::*;

use super::{Elements, estimated, expected as expected_rows, explained, statement, streamed};
use crate::limits::RowLimit;
use crate::plan::{self, Caller, Plan, Surroundings};
use crate::request::{ApiRequest, Explain, ParseLimits, PlanFormat, PlanOption, Target, Wanted, parse};

/// Jobs and their visits, both of a company, notes of nobody, and a function.
fn catalog() -> Catalog {
    let column = |name: &str, base: &str| {
        serde_json::json!({
            "name": name, "number": 0, "type": { "schema": "pg_catalog", "name": base, "base": base, "shape": "scalar" }, "formatted_type": base,
            "nullable": true, "has_default": false, "generated": false, "identity_always": false, "comment": null
        })
    };
    let relation = |oid: u32, name: &str, mut columns: Vec<serde_json::Value>, key: &[&str]| {
        for (column, number) in columns.iter_mut().zip(1..) {
            column["number"] = number.into();
        }
        serde_json::json!({
            "oid": oid, "schema": "public", "name": name, "kind": "table", "insertable": true, "updatable": true, "deletable": true, "comment": null,
            "columns": columns, "primary_key": key, "uniques": [], "foreign_keys": []
        })
    };
    let id = || vec![column("company_id", "uuid"), column("id", "uuid")];
    let mut jobs = id();
    jobs.extend([column("title", "text"), column("metadata", "jsonb"), column("deleted_at", "timestamptz")]);
    let document = serde_json::json!({
        "relations": [
            relation(1, "jobs", jobs, &["company_id", "id"]),
            relation(2, "visits", vec![column("company_id", "uuid"), column("id", "uuid"), column("job_id", "uuid")], &["company_id", "id"]),
            relation(3, "notes", vec![column("id", "int4"), column("text", "text"), column("words", "tsvector")], &["id"]),
        ],
        "functions": [{
            "schema": "public", "name": "add", "volatility": "immutable", "comment": null,
            "arguments": [
                { "name": "a", "type": column("a", "int4")["type"], "formatted_type": "integer", "has_default": false, "variadic": false },
                { "name": "b", "type": column("b", "int4")["type"], "formatted_type": "integer", "has_default": true, "variadic": false },
            ],
            "returns": { "kind": "scalar", "set": false, "type": column("r", "int4")["type"], "schema": null, "relation": null },
        }],
        "references": [{
            "name": "visits_job_id_fkey", "table": 2, "table_name": "visits", "columns": [1, 3], "column_names": ["company_id", "job_id"],
            "target": 1, "target_columns": [1, 2]
        }],
        "has_declarations": true
    });
    let declared = |oid: u32, name: &str, soft_delete: bool| {
        serde_json::json!({
            "schema": "public", "relation": name, "oid": oid, "tenant_number": 1, "noun": name, "soft_delete": soft_delete,
            "tenant_column": "company_id", "assigned_column": null, "own_column": null, "verbs": ["read"],
            "has_own_policies": false
        })
    };
    let declared = serde_json::json!([declared(1, "jobs", true), declared(2, "visits", false)]);
    Catalog::from_documents(&document.to_string(), Some(&declared.to_string())).unwrap()
}

struct Asked<'a> {
    caller: Caller,
    method: Method,
    target: Target,
    query: &'a str,
    prefer: &'a str,
    body: &'a str,
}

fn table(name: &str) -> Asked<'static> {
    let target = Target::Relation(name.to_owned());
    Asked { caller: Caller::User, method: Method::GET, target, query: "", prefer: "", body: "" }
}

/// Returns the statement's text without its line breaks, and its values.
fn sql(asked: &Asked<'_>) -> Result<(String, Vec<Option<String>>), kernel::Error> {
    written(asked, statement)
}

/// Returns the text and the values of what is written for a plan.
fn written(asked: &Asked<'_>, write: impl Fn(&Plan<'_>, &ApiRequest) -> Sql) -> Result<(String, Vec<Option<String>>), kernel::Error> {
    let (text, values) = planned(asked, |plan, request| write(plan, request).render())?;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok((text, values.iter().map(|value| value.as_str().map(str::to_owned)).collect()))
}

/// Makes the plan and looks at it.
fn planned<T>(asked: &Asked<'_>, look: impl FnOnce(&Plan<'_>, &ApiRequest) -> T) -> Result<T, kernel::Error> {
    let catalog = catalog();
    let mut headers = HeaderMap::new();
    if !asked.prefer.is_empty() {
        headers.insert(HeaderName::from_static("prefer"), asked.prefer.parse().unwrap());
    }
    let limits = ParseLimits::default();
    let request = parse(Wanted {
        target: asked.target.clone(),
        method: &asked.method,
        schemas: &["public".to_owned()],
        raw_query: asked.query,
        headers: &headers,
        body: Bytes::copy_from_slice(asked.body.as_bytes()),
        limits: &limits,
        plan_enabled: true,
    })?;
    let plan = plan::plan(
        &request,
        Surroundings {
            catalog: &catalog,
            caller: asked.caller,
            rows: RowLimit { max: 1000, refuses: false },
            conditions_max: limits.conditions_max,
            aggregates_enabled: true,
            embed_names: crate::config::EmbedNames::default(),
            suggests_names: false,
        },
    )?;
    Ok(look(&plan, &request))
}

fn values(expected: &[&str]) -> Vec<Option<String>> {
    expected.iter().map(|value| Some((*value).to_owned())).collect()
}

#[test]
fn only_a_row_that_its_key_finds_is_read_among_others() {
    let is_short = |asked: Asked<'_>| planned(&asked, |plan, _| matches!(plan, Plan::Read(plan) if plan.is_short())).unwrap();
    for query in ["id=eq.7", "select=id,name:title&title=like.*a*&id=eq.7&limit=1", "company_id=eq.1&id=eq.7&select=*"] {
        assert!(is_short(Asked { query, ..table("jobs") }), "{query}");
    }
    for query in ["", "limit=1", "title=eq.x", "id=not.eq.7", "id=gt.7", "id=in.(7)", "or=(id.eq.7,id.eq.8)", "id=eq.7&select=*,visits(*)"]
    {
        assert!(!is_short(Asked { query, ..table("jobs") }), "{query}");
    }
    for query in ["id=eq.7&select=id,computed", "id=eq.7&computed=eq.1", "id=eq.7&or=(title.eq.x,title.eq.y)"] {
        assert!(!is_short(Asked { query, ..table("jobs") }), "{query}");
    }
    assert!(!is_short(Asked { query: "id=eq.7", prefer: "count=exact", ..table("jobs") }), "all that fit are counted");
    assert!(!is_short(Asked { query: "id=eq.7", caller: Caller::Service, ..table("jobs") }), "an id of any company");
    assert!(is_short(Asked { query: "id=eq.7", ..table("notes") }), "its key is its id alone");
}

#[test]
fn a_members_read_has_the_walls_and_then_his_conditions() {
    let asked = Asked { query: "select=id,name:title&title=like.*pump*&order=title.desc.nullslast&limit=10&offset=5", ..table("jobs") };
    let (text, bound) = sql(&asked).unwrap();
    assert_eq!(
        text,
        r#"with thorbis_source as ( select "public"."jobs"."id", "public"."jobs"."title" as "name" from "public"."jobs" where "public"."jobs"."company_id" = (select app.company_id()) and "public"."jobs"."deleted_at" is null and ("public"."jobs"."title" like $1) order by "public"."jobs"."title" desc nulls last limit $2 offset $3) select null::bigint, count(thorbis_row), coalesce(json_agg(thorbis_row), '[]')::text, null::text, null::bigint, null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from thorbis_source thorbis_row"#
    );
    assert_eq!(bound, values(&["%pump%", "10", "5"]));
}

#[test]
fn who_may_restore_sees_what_is_deleted() {
    let (text, bound) = sql(&Asked { prefer: "deleted=include", ..table("jobs") }).unwrap();
    assert!(text.contains(r#"("public"."jobs"."deleted_at" is null or (select app.has_permission($1)))"#), "{text}");
    assert_eq!(bound[0].as_deref(), Some("jobs:restore"));
    let (text, _) = sql(&Asked { prefer: "deleted=include", caller: Caller::Service, ..table("jobs") }).unwrap();
    assert!(!text.contains("deleted_at") && !text.contains("company_id"), "the service sees everything: {text}");
    let (text, _) = sql(&Asked { caller: Caller::ServiceInCompany, ..table("jobs") }).unwrap();
    assert!(text.contains(r#""company_id" = (select app.company_id())"#), "{text}");
}

#[test]
fn logic_paths_and_text_search_are_written_as_they_were_meant() {
    let query = "or=(id.gte.3,not.and(text.is.null,id.in.(1,2)))&words=wfts(english).cat";
    let (text, bound) = sql(&Asked { query, ..table("notes") }).unwrap();
    let expected = r#"where (("public"."notes"."id" >= $1) or not (("public"."notes"."text" is null) and ("public"."notes"."id" = any($2)))) and ("public"."notes"."words" @@ websearch_to_tsquery($3::regconfig, $4::text))"#;
    assert!(text.contains(expected), "{text}");
    assert_eq!(bound[..4], values(&["3", r#"{"1","2"}"#, "english", "cat"]));
    let (text, bound) = sql(&Asked { query: "select=metadata->a->>b&metadata->>c=eq.1", ..table("jobs") }).unwrap();
    assert!(text.contains(r#"select "public"."jobs"."metadata" -> $1::text ->> $2::text as "b" from"#), "{text}");
    assert!(text.contains(r#"("public"."jobs"."metadata" ->> $3::text = $4)"#), "{text}");
    assert_eq!(bound[..4], values(&["a", "b", "c", "1"]));
}

#[test]
fn a_count_asks_for_the_same_rows() {
    let (text, _) = sql(&Asked { query: "id=gt.1&limit=1", prefer: "count=exact", ..table("notes") }).unwrap();
    assert!(text.contains(r#"thorbis_all as (select 1 from "public"."notes" where ("public"."notes"."id" > $4))"#), "{text}");
    assert!(text.contains("select (select count(*) from thorbis_all), count(thorbis_row)"), "{text}");
}

#[test]
fn rows_are_grouped_by_the_places_of_what_is_no_aggregate() {
    let asked = Asked { query: "select=n:count(),metadata->>a,title::text.max()::int&order=metadata->>a.desc", ..table("jobs") };
    let (text, bound) = sql(&asked).unwrap();
    assert_eq!(
        text,
        r#"with thorbis_source as ( select count(*) as "n", "public"."jobs"."metadata" ->> $1::text as "a", cast(max(cast("public"."jobs"."title" as "text")) as int) as "max" from "public"."jobs" where "public"."jobs"."company_id" = (select app.company_id()) and "public"."jobs"."deleted_at" is null group by 2 order by 2 desc limit $2 offset $3) select null::bigint, count(thorbis_row), coalesce(json_agg(thorbis_row), '[]')::text, null::text, null::bigint, null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from thorbis_source thorbis_row"#
    );
    assert_eq!(bound, values(&["a", "1000", "0"]));
    let (text, _) = sql(&Asked { query: "select=count()", ..table("notes") }).unwrap();
    assert!(text.contains(r#"select count(*) as "count" from "public"."notes" limit"#), "{text}");
}

#[test]
fn aggregates_of_what_one_row_spreads_are_those_of_the_rows_around_it() {
    let asked = Asked { query: "select=count(),...jobs(title,id.max())&order=jobs(title)", ..table("visits") };
    let (text, _) = sql(&asked).unwrap();
    let grouped = r#"select count(*) as "count", "thorbis_1"."thorbis_c0" as "title", max("thorbis_1"."thorbis_c1") as "max" from "public"."visits" left join lateral (select "thorbis_1"."title" as "thorbis_c0", "thorbis_1"."id" as "thorbis_c1" from "public"."jobs" as "thorbis_1" where "#;
    assert!(text.contains(grouped), "{text}");
    assert!(text.contains("group by 2 order by 2 limit"), "{text}");
    let (text, _) = sql(&Asked { query: "select=title,...visits(count())", ..table("jobs") }).unwrap();
    let inside = r#"(select coalesce(json_agg(thorbis_embedded."count"), '[]') as "count" from (select count(*) as "count" from"#;
    assert!(text.contains(inside) && !text.contains("group by"), "{text}");
}

#[test]
fn the_planner_is_asked_for_the_same_rows() {
    let asked = Asked { query: "id=gt.1&limit=1", prefer: "count=estimated", ..table("notes") };
    let (text, bound) = sql(&asked).unwrap();
    let expected = r#"thorbis_all as (select 1 from "public"."notes" where ("public"."notes"."id" > $4) limit $5) select (select count(*) from thorbis_all), "#;
    assert!(text.contains(expected), "{text}");
    assert_eq!(bound, values(&["1", "1", "0", "1", "1001"]));
    let (text, _) = sql(&Asked { prefer: "count=planned", ..table("notes") }).unwrap();
    assert!(!text.contains("thorbis_all") && text.contains("select null::bigint, count(thorbis_row)"), "{text}");
    let asked = Asked { query: "select=title&title=eq.x&limit=1", prefer: "count=planned", ..table("jobs") };
    let (text, bound) = written(&asked, |plan, _| match plan {
        Plan::Read(plan) => expected_rows(plan),
        Plan::Write(_) | Plan::Call(_) => panic!("a read"),
    })
    .unwrap();
    assert_eq!(
        text,
        r#"explain (format json) select 1 from "public"."jobs" where "public"."jobs"."company_id" = (select app.company_id()) and "public"."jobs"."deleted_at" is null and ("public"."jobs"."title" = $1)"#
    );
    assert_eq!(bound, values(&["x"]));
    let asked = Asked { query: "select=text&id=gt.1&limit=5", prefer: "count=exact", ..table("notes") };
    let (text, bound) = written(&asked, |plan, _| estimated(plan).unwrap()).unwrap();
    let source = r#"explain (format json) with thorbis_source as ( select "public"."notes"."text" from "public"."notes" where ("public"."notes"."id" > $1) limit $2 offset $3), thorbis_all as ("#;
    assert!(text.starts_with(source) && text.ends_with(") select * from thorbis_source"), "{text}");
    assert_eq!(bound, values(&["1", "5", "0", "1"]));
    let explain = Explain { format: PlanFormat::Text, options: vec![PlanOption::Analyze, PlanOption::Wal] };
    let (text, _) = written(&table("notes"), |plan, request| explained(statement(plan, request), &explain)).unwrap();
    assert!(text.starts_with("explain (format text, analyze, wal) with thorbis_source as ( select"), "{text}");
}

#[test]
fn large_results_have_a_row_that_answers_and_one_for_each_element() {
    let asked = Asked { query: "select=text&limit=5000", prefer: "count=exact", ..table("notes") };
    let (text, bound) = written(&asked, |plan, request| streamed(plan, Elements::of(plan, request).unwrap()).unwrap()).unwrap();
    assert_eq!(
        text,
        r#"with thorbis_source as ( select "public"."notes"."text" from "public"."notes" limit $1 offset $2), thorbis_all as (select 1 from "public"."notes") select (select count(*) from thorbis_all), count(thorbis_row), null::text, null::text, null::bigint, null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from thorbis_source thorbis_row union all select null, null, row_to_json(thorbis_row)::text, null, null, null, null, null from thorbis_source thorbis_row"#
    );
    assert_eq!(bound, values(&["1000", "0"]));
    let write = Asked { method: Method::POST, body: r#"{"id":1}"#, prefer: "return=representation", ..table("notes") };
    assert!(written(&write, |plan, request| Elements::of(plan, request).map_or(Sql::new(""), |_| panic!("a write"))).is_ok());
}

#[test]
fn what_is_embedded_has_its_own_walls_and_the_whole_key() {
    let (text, bound) = sql(&Asked { query: "select=id,jobs(title)&jobs.title=eq.x&limit=5", ..table("visits") }).unwrap();
    assert_eq!(
        text,
        r#"with thorbis_source as ( select "public"."visits"."id", (select row_to_json(thorbis_embedded) from (select "thorbis_1"."title" from "public"."jobs" as "thorbis_1" where "thorbis_1"."company_id" = (select app.company_id()) and "thorbis_1"."deleted_at" is null and "thorbis_1"."company_id" = "public"."visits"."company_id" and "thorbis_1"."id" = "public"."visits"."job_id" and ("thorbis_1"."title" = $1)) thorbis_embedded) as "jobs" from "public"."visits" where "public"."visits"."company_id" = (select app.company_id()) limit $2 offset $3) select null::bigint, count(thorbis_row), coalesce(json_agg(thorbis_row), '[]')::text, null::text, null::bigint, null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from thorbis_source thorbis_row"#
    );
    assert_eq!(bound, values(&["x", "5", "0"]));
    let (text, _) = sql(&Asked { query: "select=id,jobs(title)", caller: Caller::Service, ..table("visits") }).unwrap();
    let expected =
        r#"where "thorbis_1"."deleted_at" is null and "thorbis_1"."company_id" = "public"."visits"."company_id" and "thorbis_1"."id""#;
    assert!(text.contains(expected), "the service meets no other company's row: {text}");
}

#[test]
fn what_must_be_embedded_is_a_condition_of_the_rows_and_of_their_count() {
    let asked = Asked { query: "select=id,visits!inner()", prefer: "count=exact", ..table("jobs") };
    let (text, _) = sql(&asked).unwrap();
    let expected = r#"exists (select 1 from "public"."visits" as "thorbis_1" where "thorbis_1"."company_id" = (select app.company_id()) and "thorbis_1"."company_id" = "public"."jobs"."company_id" and "thorbis_1"."job_id" = "public"."jobs"."id")"#;
    assert_eq!(text.matches(expected).count(), 2, "{text}");
    assert!(!text.contains("json_agg(thorbis_embedded)"), "nothing is shown of it: {text}");
}

#[test]
fn asking_again_and_again_inside_of_each_other_does_not_grow_the_statement_without_end() {
    let nested = |times: usize| {
        let asked = |name: &str| vec![format!("{name}.is.null"); times].join(",");
        format!(
            "select=visits(jobs(visits(jobs())))&or=({})&visits.or=({})&visits.jobs.or=({})&visits.jobs.visits.or=({})",
            asked("visits"),
            asked("jobs"),
            asked("visits"),
            asked("jobs")
        )
    };
    let (text, _) = sql(&Asked { query: &nested(3), ..table("jobs") }).unwrap();
    assert!(text.len() < 100_000, "{}", text.len());
    let refused = sql(&Asked { query: &nested(20), ..table("jobs") }).unwrap_err();
    assert_eq!((refused.status().as_u16(), refused.code()), (400, "PGRST100"));
}

#[test]
fn a_new_row_returns_what_leads_to_what_is_embedded() {
    let asked = Asked {
        method: Method::POST,
        query: "select=id,job:jobs(title)",
        body: r#"{"job_id":"7"}"#,
        prefer: "return=representation",
        ..table("visits")
    };
    let (text, _) = sql(&asked).unwrap();
    let returned = r#"returning "public"."visits"."company_id", "public"."visits"."id", "public"."visits"."job_id")"#;
    assert!(text.contains(returned), "{text}");
    assert!(text.contains(r#""thorbis_1"."id" = "thorbis_source"."job_id""#), "{text}");
    assert!(text.ends_with("from thorbis_source offset 0) thorbis_row"), "what is embedded is made once: {text}");
}

#[test]
fn a_new_row_without_a_look_at_it_returns_nothing() {
    let asked = Asked { method: Method::POST, body: r#"{"title":"Pump"}"#, ..table("jobs") };
    let (text, bound) = sql(&asked).unwrap();
    assert_eq!(
        text,
        r#"with thorbis_source as ( insert into "public"."jobs" ("title") select "title" from json_to_record($1::json) as b ("title" "pg_catalog"."text") returning 1 as thorbis_written) select null::bigint, count(thorbis_row), null::text, null::text, null::bigint, null::bigint, nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '') from (select 1 from thorbis_source) thorbis_row"#
    );
    assert_eq!(bound, values(&[r#"{"title":"Pump"}"#]));
}

#[test]
fn the_company_is_implied_in_the_key_that_rows_are_merged_by() {
    let body = r#"[{"id":"1","title":"Pump"}]"#;
    for query in ["", "on_conflict=id", "on_conflict=company_id,id"] {
        let asked = Asked { method: Method::POST, query, prefer: "resolution=merge-duplicates", body, ..table("jobs") };
        let (text, _) = sql(&asked).unwrap();
        let expected = r#"on conflict ("company_id", "id") do update set "title" = excluded."title" where "jobs"."deleted_at" is null"#;
        assert!(text.contains(expected), "{query}: {text}");
    }
}

#[test]
fn changes_and_deletions_have_the_walls_too() {
    let asked =
        Asked { method: Method::PATCH, query: "id=eq.7", body: r#"{"title":"x"}"#, prefer: "return=representation", ..table("jobs") };
    let (text, _) = sql(&asked).unwrap();
    let expected = r#"update "public"."jobs" set "title" = thorbis_body."title" from (select "title" from json_to_record($1::json) as b ("title" "pg_catalog"."text") limit 1) thorbis_body where "public"."jobs"."company_id" = (select app.company_id()) and "public"."jobs"."deleted_at" is null and ("public"."jobs"."id" = $2) returning "public"."jobs".*)"#;
    assert!(text.contains(expected), "{text}");
    let (text, _) = sql(&Asked { method: Method::DELETE, query: "id=eq.7", ..table("jobs") }).unwrap();
    let expected = r#"update "public"."jobs" set deleted_at = now() where "public"."jobs"."company_id" = (select app.company_id()) and "public"."jobs"."deleted_at" is null and ("public"."jobs"."id" = $1) and (select app.has_permission($2) or app.has_permission($3) or app.has_permission($4)) returning 1"#;
    assert!(text.contains(expected), "{text}");
    let (text, _) = sql(&Asked { method: Method::DELETE, query: "id=eq.7", prefer: "deleted=include", ..table("jobs") }).unwrap();
    assert!(text.contains(r#"delete from "public"."jobs" where"#), "{text}");
}

#[test]
fn a_change_of_nothing_asks_for_no_row() {
    let asked = Asked { method: Method::PATCH, query: "id=eq.7", body: "{}", ..table("jobs") };
    let (text, bound) = sql(&asked).unwrap();
    assert!(
        text.starts_with(r#"with thorbis_source as ( select "public"."jobs".* from "public"."jobs" where false) select null::bigint"#),
        "{text}"
    );
    assert_eq!(bound, values(&[]));
}

#[test]
fn the_service_is_counted_by_company_unless_it_names_one() {
    let asked = Asked { method: Method::DELETE, query: "id=eq.7", caller: Caller::Service, ..table("jobs") };
    assert!(sql(&asked).unwrap().0.contains(r#"(select count(distinct "company_id") from thorbis_source)"#));
    let named = Asked { query: "id=eq.7&company_id=eq.1", ..asked };
    assert!(!sql(&named).unwrap().0.contains("count(distinct"));
}

#[test]
fn the_service_in_a_company_is_counted_with_it_where_it_writes_whose_rows_they_are() {
    let asked = Asked { method: Method::POST, body: r#"{"id":7,"company_id":1}"#, caller: Caller::ServiceInCompany, ..table("jobs") };
    let counted =
        r#"(select count(distinct "company_id") from (select "company_id" from thorbis_source union all select app.company_id()) c)"#;
    let (text, _) = sql(&asked).unwrap();
    assert!(text.contains(counted), "{text}");
    assert!(!sql(&Asked { body: r#"{"id":7}"#, ..asked }).unwrap().0.contains("count(distinct"));
}

#[test]
fn a_function_gets_its_arguments_by_name() {
    let target = || Target::Function("add".to_owned());
    let asked = Asked { method: Method::POST, target: target(), body: r#"{"a":1,"b":2}"#, ..table("") };
    let (text, _) = sql(&asked).unwrap();
    let expected = r#"from json_to_record($1::json) as a ("a" "pg_catalog"."int4", "b" "pg_catalog"."int4"), lateral (select "public"."add"("a" => a."a", "b" => a."b") as thorbis_value) c"#;
    assert!(text.contains(expected), "{text}");
    let asked = Asked { method: Method::POST, target: target(), body: r#"{"b":2}"#, ..table("") };
    assert_eq!(sql(&asked).unwrap_err().code(), "PGRST202");
}

proptest! {
    /// Whatever a client writes as a value is bound; it never changes the text.
    #[test]
    fn a_value_never_changes_the_text(value in "[^\u{0}]{0,40}") {
        let encoded: String = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).to_string();
        let query = format!("text=eq.{encoded}");
        let (text, bound) = sql(&Asked { query: &query, ..table("notes") }).unwrap();
        prop_assert_eq!(&text, &sql(&Asked { query: "text=eq.x", ..table("notes") }).unwrap().0);
        prop_assert_eq!(bound[0].as_deref(), Some(value.as_str()));
    }

    /// A name is quoted, however odd.
    #[test]
    fn a_name_stays_a_name(name in "[a-z\"';() -]{1,20}") {
        let query = format!("select=x:{}", percent_encoding::utf8_percent_encode(&format!("\"{}\"", name.replace('"', "\\\"")), percent_encoding::NON_ALPHANUMERIC));
        if let Ok((text, _)) = sql(&Asked { query: &query, ..table("notes") }) {
            let quoted = format!("\"public\".\"notes\".\"{}\" as \"x\"", name.replace('"', "\"\"")).split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert!(text.contains(&quoted), "{}", text);
        }
    }

    /// Embeds, hints and what is asked of them, in any order: a statement or an error of the client, and all that is bound is counted.
    #[test]
    fn embeds_in_any_order_get_an_answer(pieces in prop::collection::vec(prop::sample::select(vec![
        "jobs", "visits", "(", ")", "()", ",", "!inner", "!job_id", "...", "a:", "job_id", "id", "*", "&jobs=is.null", "&jobs.id=eq.1",
        "&visits.order=id", "&order=jobs(id)", "&visits.limit=1", "&or=(jobs.is.null,id.eq.1)", "&visits.jobs.title=eq.x",
    ]), 0..14)) {
        let query = format!("select={}", pieces.concat());
        for name in ["jobs", "visits"] {
            match sql(&Asked { query: &query, prefer: "count=exact", ..table(name) }) {
                Ok((text, bound)) => {
                    let last = format!("${}", bound.len() + 1);
                    prop_assert!(!text.contains(&last), "{}", text);
                    prop_assert_eq!(text.matches('(').count(), text.matches(')').count(), "{}", text);
                }
                Err(error) => prop_assert!((300..500).contains(&error.status().as_u16()), "{}", error),
            }
        }
    }
}
