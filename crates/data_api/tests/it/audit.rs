//! The audit: each change is written down beside it, masked, and nobody takes it back; and the seals over it.

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use kernel::RequestContext;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::server::{Caller, Server};

const FULL: &str = "return=representation";

/// The audit of one table as the owner reads it, oldest first.
async fn audit(server: &Server, who: &Caller, table: &str) -> Vec<Value> {
    let rows = server.get(who, &format!("audit_logs?table_name=eq.{table}&order=id")).await.ok();
    rows.as_array().unwrap().clone()
}

async fn number(server: &Server, query: &str) -> i64 {
    server.db.superuser().await.query_one(query, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_customers_life_is_written_down() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let row = json!({ "first_name": "Jane", "last_name": "Doe", "email": "Jane@x.com", "phone": "+12175550123", "notes": "a" });
    let made = server.post(&ann, "customers", row, FULL).await.ok();
    let one = format!("customers?id=eq.{}", made[0]["id"].as_str().unwrap());
    for change in [json!({ "notes": "b" }), json!({ "email": "joan@y.org" }), json!({ "notes": "b" })] {
        assert_eq!(server.patch(&ann, &one, change, "").await.status, 204);
    }
    assert_eq!(server.patch(&ann, &one, json!({ "deleted_at": "2026-11-21T00:00:00Z" }), "").await.status, 204);
    assert_eq!(server.patch(&ann, &one, json!({ "deleted_at": null }), "deleted=include").await.status, 204);

    let rows = audit(&server, &ann, "customers").await;
    let told: Vec<_> = rows.iter().map(|row| (row["action"].as_str().unwrap(), row["severity"].as_str().unwrap())).collect();
    assert_eq!(told, [("create", "info"), ("update", "info"), ("update", "info"), ("delete", "warning"), ("restore", "info")]);
    for row in &rows {
        assert_eq!(row["user_id"], ann.user_id);
        assert_eq!(row["company_id"], ann.company_id);
        assert_eq!((&row["entity_type"], &row["entity_id"]), (&json!("customer"), &made[0]["id"]));
        assert_eq!((&row["actor_role"], &row["gdpr_relevant"]), (&json!("owner"), &json!(true)));
    }
    let new = &rows[0]["new_values"];
    assert_eq!((&rows[0]["old_values"], &rows[0]["changed_fields"]), (&Value::Null, &Value::Null));
    assert_eq!((&new["email"], &new["email_key"], &new["phone"]), (&json!("J***@x.com"), &json!("j***@x.com"), &json!("***0123")));
    assert_eq!((&new["display_name"], &new["notes"]), (&json!("J*** D***"), &json!("a")));
    assert_eq!(rows[0]["pii_accessed"], true);
    // Only what changed, and nothing for the one that changed nothing.
    assert_eq!(rows[1]["old_values"], json!({ "notes": "a" }));
    assert_eq!(rows[1]["new_values"], json!({ "notes": "b" }));
    assert_eq!((&rows[1]["changed_fields"], &rows[1]["pii_accessed"]), (&json!(["notes"]), &json!(false)));
    assert_eq!(rows[2]["old_values"], json!({ "email": "J***@x.com", "email_key": "j***@x.com" }));
    assert_eq!(rows[2]["new_values"], json!({ "email": "j***@y.org", "email_key": "j***@y.org" }));
    assert_eq!(rows[2]["pii_accessed"], true);
    let whole = serde_json::to_string(&rows).unwrap();
    assert!(!whole.contains("Jane") && !whole.contains("joan") && !whole.contains("217555"), "{whole}");
}

#[tokio::test]
async fn the_request_stands_beside_what_it_changed() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let headers = json!({ "x-request-id": "r-1", "x-real-ip": "203.0.113.7", "user-agent": "Test/1" }).to_string();
    let mut request = Request::builder().method("POST").uri("/rest/v1/departments").header("content-type", "application/json");
    request = request.header("authorization", format!("Bearer {}", ann.token.as_ref().unwrap()));
    let mut request = request.body(Body::from(r#"{"name": "Office"}"#)).unwrap();
    request.extensions_mut().insert(RequestContext {
        method: "POST".into(),
        path: "/rest/v1/departments".into(),
        headers_json: headers.as_str().into(),
        cookies_json: "{}".into(),
        ..RequestContext::default()
    });
    assert_eq!(server.send(request).await.status, 201);
    let row = &audit(&server, &ann, "departments").await[0];
    assert_eq!((&row["request_id"], &row["ip_address"], &row["user_agent"]), (&json!("r-1"), &json!("203.0.113.7"), &json!("Test/1")));
    assert_eq!((&row["request_method"], &row["request_path"]), (&json!("POST"), &json!("/rest/v1/departments")));
    assert!(row["session_id"].is_string());
}

#[tokio::test]
async fn secrets_are_not_in_it() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let hook = json!({ "name": "Till", "url": "https://example.com/h", "events": ["invoice.paid"] });
    for secret in [json!({ "secret": "hunter1hunter1hunter1" }), json!({ "custom_headers": { "Authorization": "hunter1" } })] {
        let mut said = hook.clone();
        said.as_object_mut().unwrap().extend(secret.as_object().unwrap().clone());
        server.post(&ann, "webhooks", said, "").await.refused(422, "webhook_secret_unsettable");
    }
    let supplier = json!({ "supplier_name": "ferguson", "display_name": "Till" });
    assert_eq!(server.post(&ann, "supplier_integrations", supplier, "").await.status, 201);
    // As it was before secrets were kept elsewhere.
    let before = "update public.supplier_integrations set api_key = 'hunter2hunter2', webhook_secret = 'hunter3'";
    server.db.superuser().await.batch_execute(before).await.unwrap();
    let change = json!({ "api_key": null, "webhook_secret": null });
    assert_eq!(server.patch(&ann, "supplier_integrations?display_name=eq.Till", change, "").await.status, 204);
    assert_eq!(server.delete(&ann, "supplier_integrations?display_name=eq.Till", "").await.status, 204);
    let rows = audit(&server, &ann, "supplier_integrations").await;
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[1]["new_values"], json!({ "api_key": "***", "webhook_secret": "***" }));
    assert_eq!(rows[2]["old_values"], json!({ "api_key": "***", "webhook_secret": "***" }));
    assert_eq!(rows[3]["severity"], "critical");
    let found = "select count(*) from public.audit_logs a where a::text like '%hunter%'";
    assert_eq!(number(&server, found).await, 0);
}

#[tokio::test]
async fn owner_and_admins_read_it_and_nobody_writes_it() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let bob = server.owner("bob").await;
    server.customer(&ann, "Ada").await;
    for (role, reads) in [("admin", true), ("manager", false), ("dispatcher", false), ("csr", false), ("viewer", false)] {
        let who = server.member(&ann.company_id, role).await;
        assert_eq!(!audit(&server, &who, "customers").await.is_empty(), reads, "{role}");
    }
    assert!(audit(&server, &bob, "customers").await.is_empty(), "another company's");
    let row = json!({ "company_id": ann.company_id, "action": "create", "entity_type": "customer" });
    for who in [&ann, &server.service()] {
        server.post(who, "audit_logs", row.clone(), "").await.refused(403, "42501");
        server.patch(who, "audit_logs?action=eq.create", json!({ "action": "update" }), "").await.refused(403, "42501");
        server.delete(who, "audit_logs?action=eq.create", "").await.refused(403, "42501");
    }
    let client = server.db.superuser().await;
    let may = "select count(*) from pg_class c, unnest(array['anon', 'authenticated', 'service_role', 'app_definer']) r,
                      unnest(array['update', 'delete', 'truncate']) p
                where c.relname ~ '^audit_(logs|batches)' and c.relkind in ('r', 'p') and has_table_privilege(r, c.oid, p)";
    assert_eq!(number(&server, may).await, 0);
    let later = "select public.create_monthly_partition('audit_logs', '2031-01-01')";
    client.query(later, &[]).await.unwrap();
    assert_eq!(number(&server, may).await, 0, "of a month that is made later, too");
}

#[tokio::test]
async fn every_table_of_a_company_is_audited_and_every_label_is_known() {
    let server = Server::new().await;
    let client = server.db.superuser().await;
    let missing = "select string_agg(t.table_name, ', ' order by t.table_name) from app.protected_tables t
                    where t.tenant_column is not null
                      and 2 <> (select count(*) from pg_trigger g where g.tgrelid = t.table_name::regclass and g.tgname in ('zz_audit', 'zz_audit_update'))";
    let missing: String = client.query_one(missing, &[]).await.unwrap().get(0);
    assert_eq!(
        missing,
        "app.cron_runs, app.cron_states, app.dead_tasks, app.done_tasks, app.notification_decisions, app.tasks, public.activities, public.audit_logs, public.bookings, public.business_metrics, public.email_logs, public.jobs_archive, \
         public.jobs_archive_restricted, public.notification_queue, public.ownership_transfers, public.price_history, public.role_change_log, public.stock_moves, public.technician_positions, \
         public.webhook_logs"
    );
    // What a label says stands in the trigger, where it is read.
    let unknown = r"select string_agg(format('%s.%s', c.oid::regclass, a.attname), ', ')
                      from pg_trigger g join pg_class c on c.oid = g.tgrelid join pg_attribute a on a.attrelid = c.oid,
                           lateral col_description(c.oid, a.attnum) d
                     where g.tgname in ('zz_audit', 'zz_audit_update') and not c.relispartition and d ~ '^(pii:|secret)'
                       and strpos(encode(g.tgargs, 'escape'), '\000' || a.attname || '\000' || substring(d from '^(?:pii:)?([a-z_]+)') || '\000') = 0";
    assert_eq!(client.query_one(unknown, &[]).await.unwrap().get::<_, Option<String>>(0), None);
    // A change of any column is seen; that something was used is none.
    let unseen = r"select string_agg(format('%s.%s', g.tgrelid::regclass, a.attname), ', ')
                     from pg_trigger g join pg_proc f on f.oid = g.tgfoid join pg_attribute a on a.attrelid = g.tgrelid
                    where g.tgname = 'zz_audit_update' and a.attnum > 0 and not a.attisdropped
                      and a.attname not in ('updated_at', 'version', 'search_vector', 'last_used_at', 'last_used_ip',
                                            'last_triggered_at', 'success_count', 'failure_count')
                      and strpos(f.prosrc, format(' || %L::text; ', a.attname)) = 0";
    assert_eq!(client.query_one(unseen, &[]).await.unwrap().get::<_, Option<String>>(0), None);
}

/// Columns of text, JSON or addresses whose names say that a person or a secret is in them, and whose comment does not.
const UNLABELLED: &str = r"
select format('%s.%s', c.relname, a.attname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
 where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped
   and a.atttypid in ('text'::regtype, 'text[]'::regtype, 'jsonb'::regtype, 'inet'::regtype)
   and (a.attname ~ '(^|_)(name|signature|addresses|address2?|location|billing_zip|emails?|email_key|(phone|mobile|fax)(_number)?|dial|ip|ip_address)$'
        or a.attname ~ '(^|_)(directions|instructions|entrance_notes|transcript|recording_url|tax_id|ein|ssn|last4|check_number|iban)$'
        or a.attname ~ '(^|_)(secret|password|pin|token|token_hash|key_hash|api_key|encryption_key)$')
   and coalesce(col_description(c.oid, a.attnum), '') !~ '^(pii:[a-z_]+|secret)( html)?$'
 order by 1";

/// Names and places of things, and what a company says of itself to everybody.
const IMPERSONAL: &[&str] = &[
    "activities.attachment_name",
    "activities.automation_workflow_name",
    "activities.field_name",
    "api_keys.name",
    "attachments.file_name",
    "attachments.original_file_name",
    "audit_logs.table_name",
    "business_metrics.metric_name",
    "companies.address",
    "companies.address2",
    "companies.email",
    "companies.legal_name",
    "companies.name",
    "companies.phone",
    "companies.support_email",
    "companies.support_phone",
    "company_holidays.name",
    "company_settings.address",
    "company_settings.address2",
    "custom_fields.name",
    "custom_roles.name",
    "data_exports.name",
    "data_imports.table_name",
    "departments.name",
    "equipment.location",
    "equipment.name",
    "estimate_options.name",
    "form_templates.name",
    "import_runs.file_name",
    "inventory.primary_location",
    "inventory.warehouse_location",
    "inventory_locations.name",
    "labor_rates.name",
    "notification_templates.name",
    "payments.bank_name",
    "payments.processor_name",
    "price_book_categories.name",
    "price_book_items.name",
    "pricing_rules.name",
    "properties.name",
    "recurrences.name",
    "scim_mappings.group_name",
    "scim_tokens.name",
    "service_packages.name",
    "service_plans.name",
    "sign_on_providers.name",
    "skills.name",
    "supplier_integrations.display_name",
    "supplier_integrations.supplier_name",
    "tags.name",
    "vendors.display_name",
    "vendors.name",
    "webhooks.name",
    "zones.name",
];

#[tokio::test]
async fn every_column_that_holds_a_person_or_a_secret_says_so() {
    let server = Server::new().await;
    let client = server.db.superuser().await;
    let found: Vec<String> = client.query(UNLABELLED, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(found, IMPERSONAL);
}

#[tokio::test]
async fn what_is_undone_is_not_written_and_what_is_done_at_once_is() {
    let server = Arc::new(Server::new().await);
    let ann = server.owner("ann").await;
    server
        .post(&ann, "customers", json!([{ "first_name": "Ada", "phone": "+15550100" }, { "first_name": " ", "phone": "+15550100" }]), "")
        .await
        .refused(422, "customer_name_required");
    assert!(audit(&server, &ann, "customers").await.is_empty());
    let mut running = JoinSet::new();
    for n in 0..16 {
        let (server, ann) = (Arc::clone(&server), ann.clone());
        running.spawn(async move { server.customer(&ann, &format!("C{n}")).await });
    }
    let made: Vec<String> = running.join_all().await;
    let mut written: Vec<Value> = audit(&server, &ann, "customers").await.iter().map(|row| row["entity_id"].clone()).collect();
    let mut made: Vec<Value> = made.into_iter().map(Value::from).collect();
    written.sort_by_key(ToString::to_string);
    made.sort_by_key(ToString::to_string);
    assert_eq!(written, made);
}

#[tokio::test]
async fn a_long_import_blocks_nobody() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let customer = server.customer(&ann, "Ada").await;
    let import = server.db.superuser().await;
    let rows = format!(
        "begin; set local role app_owner;
         insert into public.customers (company_id, first_name, last_name, phone)
         select '{}', 'Import', n::text, '+1555' || 1000000 + n from generate_series(1, 2000) n",
        ann.company_id
    );
    import.batch_execute(&rows).await.unwrap();

    // Its transaction is open, and everybody goes on: whoever had to wait would be timed out.
    let other = server.customer(&ann, "Bob").await;
    server.post(&ann, "jobs", json!({ "customer_id": other, "title": "Boiler" }), "").await.ok();
    server.patch(&ann, &format!("customers?id=eq.{customer}"), json!({ "notes": "called" }), "").await.ok();
    server.delete(&ann, &format!("customers?id=eq.{customer}"), "").await.ok();
    let told = |rows: Vec<Value>| rows.iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    // The job is counted with its customer.
    assert_eq!(told(audit(&server, &ann, "customers").await), ["create", "create", "update", "update", "delete"]);

    import.batch_execute("commit").await.unwrap();
    assert_eq!(number(&server, "select count(*) from public.audit_logs where table_name = 'customers'").await, 2005);
}

#[tokio::test]
async fn only_the_owner_of_the_tables_may_go_without() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let client = server.db.superuser().await;
    let insert = format!("insert into public.departments (company_id, name) values ('{}', 'D')", ann.company_id);
    for (role, written) in [("service_role", 1), ("app_owner", 0)] {
        let before = number(&server, "select count(*) from public.audit_logs").await;
        client.batch_execute(&format!("begin; set local role {role}; set local app.unaudited = 'on'; {insert}; commit")).await.unwrap();
        assert_eq!(number(&server, "select count(*) from public.audit_logs").await - before, written, "{role}");
        client.batch_execute("delete from public.departments").await.unwrap();
    }
    client.batch_execute(&format!("begin; set local role app_owner; {insert}; commit")).await.unwrap();
    let found = number(&server, "select count(*) from public.audit_logs where actor_role = 'app_owner'").await;
    assert_eq!(found, 1, "unless he says so");
}

#[tokio::test]
async fn what_was_reported_is_not_shown_as_what_the_database_saw() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let id = server.customer(&ann, "Ada").await;
    let event = json!({ "p_organization_id": ann.company_id, "p_user_id": ann.user_id, "p_action": "delete", "p_resource_type": "customers",
                        "p_resource_id": id });
    server.post(&ann, "rpc/log_audit_event", event, "").await.ok();
    let path = format!("audit_log?record_id=eq.{id}&select=table_name,operation,reported_action&order=operation");
    let seen = server.get(&ann, &path).await.ok();
    let expected = json!([
        { "table_name": "customers", "operation": "INSERT", "reported_action": null },
        { "table_name": "customers", "operation": "REPORTED", "reported_action": "delete" },
    ]);
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn programs_report_what_they_did_themselves() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let event = |company: &Caller, user: &Caller, action: &str| {
        json!({ "p_organization_id": company.company_id, "p_user_id": user.user_id, "p_action": action, "p_resource_type": "project",
                "p_resource_id": "P-7", "p_metadata": { "title": "Roof" } })
    };
    let path = "rpc/log_audit_event";
    let id = server.post(&ann, path, event(&ann, &ann, "project.deleted"), "").await.ok();
    server.post(&ann, path, event(&bob, &ann, "x"), "").await.refused(403, "audit_other_company");
    server.post(&ann, path, event(&ann, &bob, "x"), "").await.refused(403, "audit_other_user");
    server.post(&ann, path, event(&ann, &ann, ""), "").await.refused(422, "audit_event_invalid");
    server.post(&server.service(), path, event(&ann, &ann, "x"), "").await.refused(403, "company_required");
    server.post(&Server::nobody(), path, event(&ann, &ann, "x"), "").await.refused(401, "42501");
    let service = server.service().working_in(&ann.company_id);
    server.post(&service, path, event(&ann, &bob, "export"), "").await.ok();
    server.post(&service, path, event(&bob, &bob, "export"), "").await.refused(403, "audit_other_company");
    let rows = server.get(&ann, "audit_logs?entity_type=eq.project&order=id").await.ok();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert_eq!((&rows[0]["id"], &rows[0]["action"], &rows[0]["user_id"]), (&id, &json!("project.deleted"), &json!(ann.user_id)));
    assert_eq!(rows[0]["metadata"], json!({ "title": "Roof", "reported": true, "resource_id": "P-7" }));

    server.customer(&ann, "Ada").await;
    let seen = server.get(&ann, "audit_log?table_name=eq.customers&select=operation,user_id,old_values,new_values->>first_name").await.ok();
    assert_eq!(seen, json!([{ "operation": "INSERT", "user_id": ann.user_id, "old_values": null, "first_name": "A***" }]));
    assert_eq!(server.get(&bob, "audit_log?table_name=eq.customers").await.ok(), json!([]));
}

#[tokio::test]
async fn masks_keep_what_tells_two_apart() {
    let server = Server::new().await;
    let client = server.db.superuser().await;
    for (kind, value, masked) in [
        ("email", "jane@x.com", "j***@x.com"),
        ("email", "odd\"@\"quoted@x.com", "o***@x.com"),
        ("email", "no address", "***"),
        ("phone", "+1 (217) 555-0100", "***0100"),
        ("phone", "911", "***"),
        ("contact", "jane@x.com", "j***@x.com"),
        ("contact", "+12175550100", "***0100"),
        ("name", "Jane  van Doe", "J***  v*** D***"),
        ("address", "1 Main Street", "***"),
        ("card", "4242", "***4242"),
        ("tax_id", "12-3456789", "***6789"),
        ("tax_id", "1234567", "***"),
        ("ip", "203.0.113.7", "203.0.113.***"),
        ("ip", "2001:db8:1::7", "2001:db8:***"),
        ("text", "anything", "***"),
        ("secret", "hunter2", "***"),
        ("unknown kind", "x", "***"),
        ("name", "", ""),
    ] {
        let found: String = client.query_one("select app.mask($1, $2)", &[&kind, &value]).await.unwrap().get(0);
        assert_eq!(found, masked, "{kind} {value}");
    }
    let nothing = client.query_one("select app.mask('email', null)", &[]).await.unwrap();
    assert_eq!(nothing.get::<_, Option<String>>(0), None);
}

#[tokio::test]
async fn every_column_that_changed_is_told_and_no_other() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let customer = server.customer(&ann, "Ada").await;
    let job = json!({ "customer_id": customer, "title": "Fix", "metadata": { "a": 1 }, "total_amount": 5 });
    let job = server.post(&ann, "jobs", job, FULL).await.ok();
    let path = format!("jobs?id=eq.{}", job[0]["id"].as_str().unwrap());
    let change = json!({ "title": "Mend", "metadata": { "a": 2 }, "total_amount": 7, "description": "x",
                         "priority": "medium" });
    server.patch(&ann, &path, change, "").await.ok();
    server.patch(&ann, &path, json!({ "title": "Mend", "metadata": { "a": 2 } }), "").await.ok();
    let rows = audit(&server, &ann, "jobs").await;
    assert_eq!(rows.len(), 2, "what changes nothing is not told: {rows:?}");
    assert_eq!(rows[1]["changed_fields"], json!(["description", "metadata", "title", "total_amount"]));
    let old = json!({ "description": null, "metadata": { "a": 1 }, "title": "Fix", "total_amount": 5 });
    let new = json!({ "description": "x", "metadata": { "a": 2 }, "title": "Mend", "total_amount": 7 });
    assert_eq!((&rows[1]["old_values"], &rows[1]["new_values"]), (&old, &new));
}
