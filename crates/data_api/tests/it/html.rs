//! Texts that are shown as HTML are cleaned on every way in; everything else is kept byte for byte.

use data_api::DataApiConfig;
use serde_json::{Value, json};

use crate::server::{Caller, Said, Server};

const TABLES: &str = "
create table public.cards (
  company_id uuid not null default app.company_id(), id integer not null, notes text, plain text, points text[], lines jsonb,
  primary key (company_id, id));
comment on column public.cards.notes is 'html';
comment on column public.cards.points is 'html';
comment on column public.cards.lines is 'html(description)';
comment on column public.cards.plain is 'What is not shown as html';
select app.protect('public.cards', 'customers');
create view public.card_texts with (security_invoker = true) as select company_id, id, notes as words from public.cards;
grant select, insert, update on public.card_texts to authenticated;
create function public.note(p_text text, p_other text default '') returns text language sql stable as 'select p_text || p_other';
comment on function public.note is E'Gives the text back.\\n@html p_text';
create function public.kept_note(p_note jsonb) returns jsonb language sql stable as 'select p_note';
comment on function public.kept_note is E'Gives the note back.\\n@html p_note';
grant execute on function public.note, public.kept_note to authenticated;";

const BAD: &str = "<p onclick=\"x()\">a<script>alert(1)</script> <a href=\"javascript:x\">b</a></p>";
const GOOD: &str = "<p>a <a>b</a></p>";

async fn cards() -> (Server, Caller) {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.table(TABLES).await;
    (server, ann)
}

async fn kept(server: &Server, ann: &Caller, column: &str) -> Value {
    server.get(ann, &format!("cards?select={column}&order=id")).await.ok()
}

#[tokio::test]
async fn every_way_in_is_clean() {
    let (server, ann) = Box::pin(cards()).await;
    let written = server.post(&ann, "cards", json!({ "id": 1, "notes": BAD, "plain": BAD }), "return=representation").await.ok();
    assert_eq!((&written[0]["notes"], &written[0]["plain"]), (&json!(GOOD), &json!(BAD)));
    server.post(&ann, "cards", json!([{ "id": 2, "notes": BAD }, { "id": 3, "notes": "5 > 4 & 3" }]), "").await.ok();
    server.post(&ann, "cards", json!({ "id": 3, "notes": BAD }), "resolution=merge-duplicates").await.ok();
    server.put(&ann, "cards?id=eq.4", json!({ "id": 4, "notes": BAD }), "").await.ok();
    server.patch(&ann, "cards?id=eq.2", json!({ "notes": format!("{BAD}!") }), "").await.ok();
    server.post(&ann, "card_texts", json!({ "id": 5, "words": BAD }), "").await.ok();
    let form = Said { header: Some(("content-type", "application/x-www-form-urlencoded")), ..Said::default() };
    let body = format!("id=6&notes={}", BAD.replace(' ', "+").replace('"', "%22"));
    let request = http::Request::builder()
        .method("POST")
        .uri("/rest/v1/cards")
        .header("authorization", format!("Bearer {}", ann.token.clone().unwrap()));
    let (name, kind) = form.header.unwrap();
    assert_eq!(server.send(request.header(name, kind).body(body.into()).unwrap()).await.status, 201);
    let found = kept(&server, &ann, "notes").await;
    let notes: Vec<&str> = found.as_array().unwrap().iter().map(|row| row["notes"].as_str().unwrap()).collect();
    assert_eq!(notes, [GOOD, &format!("{GOOD}!"), GOOD, GOOD, GOOD, GOOD]);
}

#[tokio::test]
async fn lists_lines_and_arguments_are_clean() {
    let (server, ann) = Box::pin(cards()).await;
    let lines = json!([{ "description": BAD, "sku": "<b>" }]);
    server.post(&ann, "cards", json!({ "id": 1, "points": [BAD, "plain"], "lines": lines }), "").await.ok();
    assert_eq!(
        kept(&server, &ann, "points,lines").await,
        json!([{ "points": [GOOD, "plain"], "lines": [{ "description": GOOD, "sku": "<b>" }] }])
    );
    let said = server.post(&ann, "rpc/note", json!({ "p_text": BAD, "p_other": "<b>" }), "").await.ok();
    assert_eq!(said, json!(format!("{GOOD}<b>")));
    assert_eq!(server.get(&ann, &format!("rpc/note?p_text={BAD}")).await.ok(), json!(GOOD));
    // PostgreSQL reads the texts of a form as JSON, where a `<` may be written otherwise.
    for (written, expected) in
        [("{\"t\":\"a\\u003cscript>x\\u003c/script>\",\"n\":1}", json!({ "t": "a", "n": 1 })), ("[\"<b onclick=x>\"]", json!([""]))]
    {
        let said = server.get(&ann, &format!("rpc/kept_note?p_note={}", urlencoded(written))).await.ok();
        assert_eq!(said, expected, "{written}");
    }
}

fn urlencoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Texts that people write, by their names, and whose comment does not say that they are shown as HTML.
const UNLABELLED: &str = r"
select format('%s.%s', c.relname, a.attname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
 where n.nspname in ('public', 'shared', 'home_services') and c.relkind in ('r', 'p') and not c.relispartition
   and a.attnum > 0 and not a.attisdropped and a.atttypid in ('text'::regtype, 'text[]'::regtype, 'json'::regtype, 'jsonb'::regtype)
   and a.attname ~ '(^|_)(notes?|descriptions?|terms|bio|body|html|content|text|directions|instructions|work_performed|line_items)$'
   and coalesce(col_description(c.oid, a.attnum), '') !~ '(^|\s)html(\(|$)'
 order by 1";

/// Each with the reason why it stays as it is written.
const PLAIN: &[(&str, &str)] = &[
    ("activities.description", "written by triggers, of words that are shown as plain text"),
    ("customers.page_content", "what an editor keeps, as JSON of its own"),
    ("customers.payment_terms", "one of a list of words"),
    ("documents.content", "source of any kind, of which HTML is one"),
    ("invoices.page_content", "what an editor keeps, as JSON of its own"),
    ("notification_queue.body", "what telephones show as plain text; what mail shows is body_html"),
    ("notification_templates.body", "a template, whose signs are not those of HTML alone"),
    ("suggestions.description", "about the source of a document"),
    ("suggestions.original_text", "a part of the source of a document"),
    ("suggestions.suggested_text", "a part of the source of a document"),
    ("vendors.payment_terms", "one of a list of words"),
    ("webhook_logs.response_body", "what another program answered"),
];

/// What is said to be HTML, in a comment that is none of the labels that are understood; then labels of JSON on what is none, and the
/// other way round; then arguments of functions that are texts of people and are not cleaned.
const FAULTS: &[&str] = &[
    r"select format('%s.%s', c.oid::regclass, a.attname) from pg_class c join pg_attribute a on a.attrelid = c.oid,
             lateral col_description(c.oid, a.attnum) d
       where a.attnum > 0 and d ~ '(^|\s)html(\(|\s|$)' and d !~ '^((pii:[a-z_]+|secret) )?html(\([a-z_]+(,[a-z_]+)*\))?$' order by 1",
    r"select format('%s.%s', c.oid::regclass, a.attname) from pg_class c join pg_attribute a on a.attrelid = c.oid,
             lateral col_description(c.oid, a.attnum) d
       where d ~ '(^|\s)html(\(|$)' and (a.atttypid in ('json'::regtype, 'jsonb'::regtype)) <> (d ~ 'html\(') order by 1",
    r"select format('%s: %s', p.oid::regproc, g.name) from pg_proc p join pg_namespace n on n.oid = p.pronamespace,
             lateral unnest(p.proargnames[1:p.pronargs]) g (name)
       where n.nspname in ('public', 'shared', 'home_services') and p.proowner in ('app_owner'::regrole, 'app_definer'::regrole)
         and (has_function_privilege('anon', p.oid, 'execute') or has_function_privilege('authenticated', p.oid, 'execute')
              or has_function_privilege('service_role', p.oid, 'execute'))
         and g.name ~ '(^|_)(notes?|descriptions?|terms|bio|body|html|content|directions|instructions|line_items)$'
         and coalesce(obj_description(p.oid, 'pg_proc'), '') !~ ('\n@html ([a-z_]+, *)*' || g.name || '(,|\n|$)') order by 1",
];

#[tokio::test]
async fn every_text_of_people_is_labelled_or_plain_for_a_reason() {
    let db = testkit::Db::new().await;
    let client = db.superuser().await;
    let names = async |sql: &str| -> Vec<String> { client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect() };
    assert_eq!(names(UNLABELLED).await, PLAIN.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for faults in FAULTS {
        assert_eq!(names(faults).await, Vec::<String>::new(), "{faults}");
    }
    // Each of them finds what it is for.
    let holes = "comment on column public.customers.notes is 'html notes'; comment on column public.jobs.notes is 'html(a)';
                 comment on function public.adjust_stock is 'Adds.\n@html reason';
                 comment on column public.properties.notes is null;";
    client.batch_execute(holes).await.unwrap();
    assert!(names(UNLABELLED).await.contains(&"properties.notes".to_owned()));
    assert_eq!(names(FAULTS[0]).await, ["customers.notes"]);
    assert_eq!(names(FAULTS[1]).await, ["jobs.notes"]);
    assert_eq!(names(FAULTS[2]).await, ["adjust_stock: note"]);
}

#[tokio::test]
async fn texts_of_the_business_are_clean_and_plain_ones_lose_nothing() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let full = "return=representation";
    let bad = json!({ "first_name": "<b>Ada</b>", "phone": "+15550100", "notes": BAD, "directions": BAD, "internal_notes": "a < b & c, I <3 it" });
    let ada = server.post(&ann, "customers", bad, full).await.ok();
    let texts = ["first_name", "notes", "directions", "internal_notes"].map(|name| &ada[0][name]);
    assert_eq!(texts, [&json!("<b>Ada</b>"), &json!(GOOD), &json!(GOOD), &json!("a < b & c, I <3 it")]);
    let id = ada[0]["id"].as_str().unwrap();

    let mail = json!({ "notes": "from Bob <bob@example.com>: pressure<limit" });
    let changed = server.patch(&ann, &format!("customers?id=eq.{id}"), mail, full).await.ok();
    assert_eq!(changed[0]["notes"], "from Bob &lt;bob@example.com&gt;: pressure&lt;limit");
    let bulk = json!([{ "id": id, "notes": BAD }]);
    assert_eq!(server.patch(&ann, "customers?on_conflict=id", bulk, full).await.ok()[0]["notes"], GOOD);

    // The name of another installation for a table shows the same column; a batch takes one answer into the next request.
    let job = json!({ "customer_id": id, "title": "<b>Leak</b>", "description": BAD });
    let requests = json!([
        { "id": "job", "method": "POST", "path": "/jobs", "headers": { "Prefer": full }, "body": job },
        { "id": "note", "method": "POST", "path": "/notes", "headers": { "Prefer": full },
          "body": { "entity_type": "job", "entity_id": { "$result": "job/0/id" }, "content": { "$result": "job/0/title" } } },
        { "id": "other", "method": "PATCH", "path": "/work_orders?id=eq.${job/0/id}",
          "headers": { "Prefer": full, "Content-Profile": "home_services" }, "body": { "notes": BAD } },
    ]);
    let answers = server.batch(&ann, requests, Said::default()).await.ok();
    let told = |at: usize| &answers["responses"][at]["body"][0];
    assert_eq!((&told(0)["title"], &told(0)["description"]), (&json!("<b>Leak</b>"), &json!(GOOD)));
    assert_eq!((&told(1)["content"], &told(2)["notes"]), (&json!("Leak"), &json!(GOOD)));

    let lines = json!([{ "description": BAD, "sku": "<b>", "unit_price": 100 }]);
    let invoice = server.post(&ann, "invoices", json!({ "customer_id": id, "terms": BAD, "line_items": lines }), full).await.ok();
    let line = &invoice[0]["line_items"][0];
    assert_eq!((&invoice[0]["terms"], &line["description"], &line["sku"]), (&json!(GOOD), &json!(GOOD), &json!("<b>")));
    let line = json!({ "invoice_id": invoice[0]["id"], "description": BAD, "unit_price": 1 });
    assert_eq!(server.post(&ann, "invoice_line_items", line, full).await.ok()[0]["description"], GOOD);

    let parts = server.post(&ann, "price_book_categories", json!({ "name": "Parts", "description": BAD }), full).await.ok();
    assert_eq!(parts[0]["description"], GOOD);
    let item = json!({ "name": "Filter", "item_type": "material", "category_id": parts[0]["id"] });
    let item = server.post(&ann, "price_book_items", item, full).await.ok();
    let stock = json!({ "price_book_item_id": item[0]["id"], "quantity_on_hand": 2, "cost_per_unit": 250 });
    let stock = server.post(&ann, "inventory", stock, full).await.ok();
    let moved = json!({ "inventory_id": stock[0]["id"], "change": -1, "reason": "damage", "note": BAD });
    server.post(&ann, "rpc/adjust_stock", moved, "").await.ok();
    assert_eq!(server.get(&ann, "stock_moves?kind=eq.damage&select=reason").await.ok(), json!([{ "reason": GOOD }]));
    // What was changed stands in the audit as it is kept, and what is personal masked as before.
    let audit = "audit_logs?table_name=eq.customers&action=eq.create&select=new_values->>notes,new_values->>directions";
    assert_eq!(server.get(&ann, audit).await.ok(), json!([{ "notes": GOOD, "directions": "***" }]));
}

#[tokio::test]
async fn a_view_of_another_schema_is_clean_and_too_much_is_refused() {
    let config = DataApiConfig { schemas: vec!["api".to_owned()], html_elements_max: 3, ..DataApiConfig::default() };
    let server = Server::with(config).await;
    let api = "create schema api; grant usage on schema api to authenticated;
               create function api.create_company_with_owner(name text, industry text) returns public.companies language sql
                 as 'select public.create_company_with_owner($1, null, $2)';
               create view api.people with (security_invoker = true) as
                 select id, company_id, first_name, phone, notes as words from public.customers;
               create view api.names with (security_invoker = true) as
                 select id, company_id, phone, first_name as title, words as said from api.people;
               grant select, insert on api.people, api.names to authenticated;
               grant execute on all functions in schema api to authenticated;";
    server.db.superuser().await.batch_execute(api).await.unwrap();
    server.api.reload().await.unwrap();
    let ann = server.owner("ann").await;
    let row = |said: &str| json!({ "title": "Ada", "phone": "+15550100", "said": said });
    assert_eq!(
        server.post(&ann, "names?select=said", row("<p onclick=x()>a"), "return=representation").await.ok(),
        json!([{ "said": "<p>a</p>" }])
    );
    let answer = server.post(&ann, "names", row("<p><p><b><i>x"), "").await;
    answer.refused(413, "html_elements_too_many");
    assert_eq!(server.get(&ann, "people?select=words").await.ok(), json!([{ "words": "<p>a</p>" }]));
}
