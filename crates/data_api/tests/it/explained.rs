//! What refused a request is told to whoever may know it, and to nobody else; what a value has to be is told to everybody.

use data_api::DataApiConfig;
use serde_json::{Value, json};

use crate::server::{Answer, Caller, Said, Server};

const TABLES: &str = "
create table public.safes (company_id uuid not null default app.company_id(), id integer not null, primary key (company_id, id));
create table public.vows (company_id uuid not null default app.company_id(), id integer not null, primary key (company_id, id));
create table public.seats (
  company_id uuid not null default app.company_id(), id integer not null, label varchar(20) not null, rows smallint, vow_id integer,
  primary key (company_id, id),
  constraint seats_label_key unique (company_id, label),
  constraint seats_rows_check check (rows between 1 and 40),
  constraint seats_label_check check (label <> 'none'),
  constraint seats_vow_id_fkey foreign key (company_id, vow_id) references public.vows (company_id, id));
comment on constraint seats_rows_check on public.seats is 'A hall has one to forty rows.';
comment on constraint seats_label_key on public.seats is 'Every seat has its own label.';
comment on constraint seats_vow_id_fkey on public.seats is E'@named_only\\nA seat belongs to who made a vow.';
select app.protect('public.safes', 'customers');
select app.protect('public.vows', 'role_changes');
select app.protect('public.seats', 'customers');
revoke insert, update on public.safes from authenticated;
create function public.secret() returns integer language sql as 'select 1';
revoke all on function public.secret() from public, anon, authenticated, service_role;";

const OBJECT: Said<'_> = Said { accept: "application/vnd.pgrst.object+json", prefer: "", header: None };

async fn hall(config: DataApiConfig) -> (Server, Caller) {
    let server = Server::with(config).await;
    let ann = server.owner("ann").await;
    server.table(TABLES).await;
    (server, ann)
}

fn plain(code: &str, message: &str, details: &Value) -> Value {
    json!({ "code": code, "message": message, "details": details, "hint": null })
}

#[tokio::test]
async fn a_missing_grant_is_told_to_whoever_may_know_it() {
    let (server, ann) = Box::pin(hall(DataApiConfig::default())).await;
    let (admin, viewer) = (server.member(&ann.company_id, "admin").await, server.member(&ann.company_id, "viewer").await);
    let message = "permission denied for table safes";
    for who in [&ann, &admin] {
        let refused = server.post(who, "safes", json!({ "id": 1 }), "").await;
        refused.refused(403, "42501");
        let details = "Missing grant: the role authenticated lacks INSERT on the table safes.";
        let hint = "grant insert on public.safes to authenticated";
        assert_eq!(refused.body, json!({ "code": "42501", "message": message, "details": details, "hint": hint }));
    }
    for (who, status) in [(&viewer, 403), (&Server::nobody(), 401)] {
        let refused = server.post(who, "safes", json!({ "id": 1 }), "").await;
        assert_eq!((refused.status, &refused.body), (status, &plain("42501", message, &Value::Null)));
    }
    let function = server.post(&ann, "rpc/secret", json!({}), "").await;
    assert_eq!(function.body["details"], "Missing grant: the role authenticated may not call the function secret.");
    assert_eq!(function.body["hint"], "grant execute on function public.secret to authenticated");
    let service = server.post(&server.service(), "rpc/secret", json!({}), "").await;
    assert_eq!(service.body["hint"], "grant execute on function public.secret to service_role");
    let hidden = server.post(&viewer, "rpc/secret", json!({}), "").await;
    assert_eq!(hidden.body, plain("42501", "permission denied for function secret", &Value::Null));
}

#[tokio::test]
async fn a_policy_says_which_permission_is_not_held() {
    let (server, ann) = Box::pin(hall(DataApiConfig::default())).await;
    let viewer = server.member(&ann.company_id, "viewer").await;
    let bob = server.owner("bob").await;
    let message = "new row violates row-level security policy for table \"vows\"";
    let refused = server.post(&ann, "vows", json!({ "id": 1 }), "").await;
    let details = json!("Refused by a policy: the permission role_changes:create is not held.");
    assert_eq!((refused.status, &refused.body), (403, &plain("42501", message, &details)));
    let refused = server.post(&viewer, "vows", json!({ "id": 1 }), "").await;
    assert_eq!((refused.status, &refused.body), (403, &plain("42501", message, &Value::Null)));
    // Into another company.
    let refused = server.post(&ann, "seats", json!({ "id": 1, "label": "a", "company_id": bob.company_id }), "").await;
    refused.refused(403, "42501");
    let told = "Refused by a policy: the row would be of another company, or is not one that the permission reaches.";
    assert!(refused.body["details"] == told, "{}", refused.text);
}

async fn one(server: &Server, who: &Caller, path: &str) -> Answer {
    let answer = server.get_with(who, path, OBJECT).await;
    answer.refused(406, "PGRST116");
    answer
}

#[tokio::test]
async fn a_missing_row_is_told_from_one_that_is_not_seen() {
    let (server, ann) = Box::pin(hall(DataApiConfig::default())).await;
    let (admin, viewer) = (server.member(&ann.company_id, "admin").await, server.member(&ann.company_id, "viewer").await);
    let bob = server.owner("bob").await;
    let (hers, his) = (server.customer(&ann, "Ada").await, server.customer(&bob, "Bea").await);
    assert_eq!(server.delete(&ann, &format!("customers?id=eq.{hers}"), "").await.status, 204);
    let message = "Cannot coerce the result to a single JSON object";
    let answer = |hint: Value| json!({ "code": "PGRST116", "message": message, "details": "The result contains 0 rows", "hint": hint });
    let missing = "0192d6a0-0000-7000-8000-000000000000";
    let rows = [(missing, "There is no such row."), (&his, "There is no such row."), (&hers, "Marked as deleted: such a row was there.")];
    for (id, hint) in rows {
        let path = format!("customers?id=eq.{id}");
        assert_eq!(one(&server, &admin, &path).await.body, answer(json!(hint)), "{id}");
        assert_eq!(one(&server, &viewer, &path).await.body, answer(Value::Null), "{id}");
        // A change of it is told the same.
        let change = server.call(&admin, ("PATCH", &path), Some(json!({ "city": "X" }).to_string()), OBJECT).await;
        assert_eq!((change.status, &change.body), (406, &answer(json!(hint))), "{id}");
    }
    // Whoever works for two companies asks in the one that he works in.
    let both = server.get_with(&server.service().working_in(&ann.company_id), &format!("customers?id=eq.{his}"), OBJECT).await;
    assert_eq!(both.body["hint"], "There is no such row.");
    assert_eq!(
        server.get_with(&server.service(), &format!("customers?id=eq.{missing}"), OBJECT).await.body["hint"],
        "There is no such row."
    );
}

#[tokio::test]
async fn a_row_that_a_policy_hides_is_told_to_who_may_know_the_schema() {
    let (server, ann) = Box::pin(hall(DataApiConfig::default())).await;
    let technician = server.member(&ann.company_id, "technician").await;
    let customer = server.customer(&ann, "Ada").await;
    let job = server.post(&ann, "jobs", json!({ "customer_id": customer, "title": "Leak" }), "return=representation").await.ok();
    let path = format!("jobs?id=eq.{}", job[0]["id"].as_str().unwrap());
    assert_eq!(one(&server, &technician, &path).await.body["hint"], Value::Null);
    let row = format!("team_members?company_id=eq.{}&user_id=eq.{}", ann.company_id, technician.user_id);
    let given = server.patch(&server.service(), &row, json!({ "permissions": { "schema:read": true } }), "").await;
    assert_eq!(given.status, 204, "{}", given.text);
    let hidden = "Refused by a policy: such a row is there, and this caller does not reach it.";
    assert_eq!(one(&server, &technician, &path).await.body["hint"], hidden);
    // Not where a related table is a part of the question, nor of tables of no company.
    assert_eq!(one(&server, &technician, &format!("{path}&select=id,customers!customer_id!inner(id)")).await.body["hint"], Value::Null);
    assert_eq!(one(&server, &technician, &format!("users?id=eq.{}", server.person("eve").await.user_id)).await.body["hint"], Value::Null);
}

#[tokio::test]
async fn what_a_value_has_to_be_is_told_to_everybody() {
    let (server, ann) = Box::pin(hall(DataApiConfig::default())).await;
    let service = server.service().working_in(&ann.company_id);
    let company = &ann.company_id;
    assert_eq!(server.post(&service, "vows", json!({ "id": 7, "company_id": company }), "").await.status, 201);
    assert_eq!(server.post(&ann, "seats", json!({ "id": 1, "label": "a", "vow_id": 7 }), "").await.status, 201);
    for (body, status, code, hint) in [
        (json!({ "id": 2 }), 400, "23502", "The field \"label\" (character varying(20)) needs a value."),
        (
            json!({ "id": 2, "label": "b", "vow_id": 8 }),
            409,
            "23503",
            "The field \"vow_id\" (integer) names no row of \"vows\". A seat belongs to who made a vow.",
        ),
        (
            json!({ "id": 2, "label": "a" }),
            409,
            "23505",
            "Another row has this value of the field \"label\" (character varying(20)) already. Every seat has its own label.",
        ),
        (json!({ "id": 1, "label": "b" }), 409, "23505", "Another row has this value of the field \"id\" (integer) already."),
        (
            json!({ "id": 2, "label": "b", "rows": 41 }),
            400,
            "23514",
            "The field \"rows\" (smallint) must fit the check \"seats_rows_check\". A hall has one to forty rows.",
        ),
        (
            json!({ "id": 2, "label": "none" }),
            400,
            "23514",
            "The field \"label\" (character varying(20)) must fit the check \"seats_label_check\".",
        ),
    ] {
        let refused = server.post(&ann, "seats", body, "").await;
        refused.refused(status, code);
        assert_eq!(refused.body["hint"], hint);
    }
    let held = server.delete(&service, "vows?id=eq.7", "").await;
    held.refused(409, "23503");
    assert_eq!(held.body["hint"], "Rows of \"seats\" still name this row of \"vows\". A seat belongs to who made a vow.");
    // The same label in another company is no other row.
    let bob = server.owner("bob").await;
    assert_eq!(server.post(&bob, "seats", json!({ "id": 1, "label": "a" }), "").await.status, 201);
}

#[tokio::test]
async fn names_are_suggested_and_the_setting_ends_it_all() {
    let (server, ann) = Box::pin(hall(DataApiConfig::default())).await;
    let refused = server.post(&ann, "seats", json!({ "id": 1, "lable": "a" }), "").await;
    refused.refused(400, "PGRST204");
    assert_eq!(refused.body["hint"], "Perhaps you meant the column 'label'");
    let other = server.post(&ann, "seats", json!({ "id": 1, "helicopter": "a" }), "").await;
    assert_eq!(other.body["hint"], Value::Null);
    let filter = server.get(&ann, "seats?lable=eq.a").await;
    assert_eq!(filter.body["hint"], "Perhaps you meant to reference the column \"seats.label\".");

    let (server, ann) = Box::pin(hall(DataApiConfig { errors_explained: false, ..DataApiConfig::default() })).await;
    let denied = server.post(&ann, "safes", json!({ "id": 1 }), "").await;
    assert_eq!(denied.body, plain("42501", "permission denied for table safes", &Value::Null));
    assert_eq!(server.post(&ann, "seats", json!({ "id": 1 }), "").await.body["hint"], Value::Null);
}

/// What PostgreSQL says in German: the names stand beside the words.
const IN_GERMAN: &str = "
create function public.german(p_code text, p_message text, p_table text, p_column text, p_constraint text) returns void language plpgsql as $$
begin
  raise exception using errcode = p_code, message = p_message, schema = 'public', table = p_table,
    column = coalesce(p_column, ''), constraint = coalesce(p_constraint, '');
end $$;
grant execute on function public.german to authenticated;";

#[tokio::test]
async fn it_is_told_whatever_language_the_database_speaks() {
    let (server, ann) = Box::pin(hall(DataApiConfig::default())).await;
    server.table(IN_GERMAN).await;
    for (code, message, column, constraint, hint) in [
        (
            "23502",
            "NULL-Wert in Spalte »label« von Relation »seats« verletzt Not-Null-Constraint",
            json!("label"),
            Value::Null,
            "The field \"label\" (character varying(20)) needs a value.",
        ),
        (
            "23503",
            "Einfügen oder Aktualisieren in Tabelle »seats« verletzt Fremdschlüssel-Constraint »seats_vow_id_fkey«",
            Value::Null,
            json!("seats_vow_id_fkey"),
            "The field \"vow_id\" (integer) names no row of \"vows\". A seat belongs to who made a vow.",
        ),
        (
            "23505",
            "doppelter Schlüsselwert verletzt Unique-Constraint »seats_label_key«",
            Value::Null,
            json!("seats_label_key"),
            "Another row has this value of the field \"label\" (character varying(20)) already. Every seat has its own label.",
        ),
        (
            "23514",
            "neue Zeile für Relation »seats« verletzt Check-Constraint »seats_rows_check«",
            Value::Null,
            json!("seats_rows_check"),
            "The field \"rows\" (smallint) must fit the check \"seats_rows_check\". A hall has one to forty rows.",
        ),
    ] {
        let said = json!({ "p_code": code, "p_message": message, "p_table": "seats", "p_column": column, "p_constraint": constraint });
        let refused = server.post(&ann, "rpc/german", said, "").await;
        assert_eq!((&refused.body["code"], &refused.body["message"], &refused.body["hint"]), (&json!(code), &json!(message), &json!(hint)));
    }
}

#[tokio::test]
async fn a_request_of_a_batch_is_told_as_much_as_one_alone() {
    let (server, ann) = Box::pin(hall(DataApiConfig::default())).await;
    let viewer = server.member(&ann.company_id, "viewer").await;
    let batch = |path: &str, body: Value| {
        json!([
            { "id": "first", "method": "GET", "path": "/seats" },
            { "id": "second", "method": "POST", "path": path, "body": body },
        ])
    };
    let message = "permission denied for table safes";
    let safes = || batch("/safes", json!({ "id": 1 }));
    let refused = server.batch(&ann, safes(), Said::default()).await;
    let details = "Missing grant: the role authenticated lacks INSERT on the table safes.";
    let hint = "grant insert on public.safes to authenticated";
    let expected = json!({ "code": "42501", "message": message, "details": details, "hint": hint, "request": "second" });
    assert_eq!((refused.status, &refused.body), (403, &expected));
    let refused = server.batch(&viewer, safes(), Said::default()).await;
    let expected = json!({ "code": "42501", "message": message, "details": null, "hint": null, "request": "second" });
    assert_eq!((refused.status, &refused.body), (403, &expected), "and nobody else is told more");

    let refused = server.batch(&ann, batch("/seats", json!({ "id": 2 })), Said::default()).await;
    assert_eq!(refused.body["hint"], "The field \"label\" (character varying(20)) needs a value.");
    assert_eq!(server.get(&ann, "seats").await.ok(), json!([]));
}
