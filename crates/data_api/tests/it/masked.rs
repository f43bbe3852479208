//! Values that few need whole: cards, tax numbers, addresses of machines, signatures. Whoever does not hold `pii:read` neither reads them,
//! nor finds rows by them, nor sorts by them otherwise than they are shown.

use serde_json::{Value, json};

use crate::server::{Caller, Said, Server};

/// A table of a project with a label of each sort, with what leads to it: a view, a function, a row beside.
const TABLES: &str = "
create table public.visits_signed (
  company_id uuid not null default app.company_id(), id uuid not null default app.uuid_v7(), vendor_id uuid,
  label text, signature text, came_from inet, card varchar(40), seen_at jsonb, primary key (company_id, id),
  foreign key (company_id, vendor_id) references public.vendors (company_id, id));
comment on column public.visits_signed.signature is 'pii:signature';
comment on column public.visits_signed.came_from is 'pii:ip';
comment on column public.visits_signed.card is 'pii:card';
comment on column public.visits_signed.seen_at is 'pii:ip';
select app.protect('public.visits_signed'::regclass, 'vendors');
create view public.signed with (security_invoker = true) as select company_id, id, label as title, signature as mark from public.visits_signed;
grant select on public.signed to authenticated, service_role;
create function public.signed_visits() returns setof public.visits_signed language sql stable as 'select * from public.visits_signed';
create function public.shouted(public.visits_signed) returns text language sql stable as 'select upper($1.label)';
grant execute on function public.signed_visits(), public.shouted(public.visits_signed) to authenticated, service_role;
";

struct Shop {
    server: Server,
    ann: Caller,
    csr: Caller,
}

impl Shop {
    /// Two vendors with tax numbers, and a visit of the first.
    async fn open() -> Self {
        let server = Server::new().await;
        let ann = server.owner("ann").await;
        let csr = server.member(&ann.company_id, "csr").await;
        server.table(TABLES).await;
        let vendors = json!([{ "name": "Pipes", "tax_id": "98-7654321" }, { "name": "Valves", "tax_id": "12-3456789" }]);
        let vendors = server.post(&ann, "vendors?select=id,name", vendors, "return=representation").await.ok();
        let visit = json!({ "vendor_id": vendors[0]["id"], "label": "first", "signature": "data:image/png;base64,AAAA",
            "came_from": "203.0.113.7", "card": "4242 4242 4242 4242", "seen_at": { "ip": "203.0.113.7" } });
        assert_eq!(server.post(&ann, "visits_signed", visit, "").await.status, 201);
        Self { server, ann, csr }
    }

    async fn rows(&self, who: &Caller, path: &str) -> Value {
        self.server.get(who, path).await.ok()
    }
}

const WHOLE: &str =
    r#"{"signature":"data:image/png;base64,AAAA","came_from":"203.0.113.7","card":"4242 4242 4242 4242","seen_at":{"ip":"203.0.113.7"}}"#;
const MASKED: &str = r#"{"signature":"***","came_from":null,"card":"***4242","seen_at":null}"#;

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn they_are_shown_whole_to_whoever_may_know_and_to_nobody_else() {
    let shop = Shop::open().await;
    let (server, columns) = (&shop.server, "select=signature,came_from,card,seen_at");
    for (who, expected) in [(&shop.ann, WHOLE), (&server.service(), WHOLE), (&shop.csr, MASKED)] {
        assert_eq!(shop.rows(who, &format!("visits_signed?{columns}")).await, json!([parsed(expected)]));
        // Without a list, through a function, and beside another row.
        for path in ["visits_signed?limit=1", "rpc/signed_visits"] {
            let row = shop.rows(who, path).await[0].clone();
            let shown = parsed(expected).as_object().unwrap().iter().all(|(name, value)| row[name] == *value);
            assert!(shown && row["label"] == "first" && row["company_id"] == json!(shop.ann.company_id), "{path}: {row}");
        }
        let beside = shop.rows(who, &format!("vendors?name=eq.Pipes&select=name,visits_signed({})", &columns[7..])).await;
        assert_eq!(beside, json!([{ "name": "Pipes", "visits_signed": [parsed(expected)] }]));
        let around = shop.rows(who, "visits_signed?select=label,vendors(tax_id)").await;
        let tax_id = if expected == WHOLE { "98-7654321" } else { "***4321" };
        assert_eq!(around, json!([{ "label": "first", "vendors": { "tax_id": tax_id } }]));
    }
    assert_eq!(shop.rows(&shop.csr, "signed?select=title,mark").await, json!([{ "title": "first", "mark": "***" }]));
    assert_eq!(shop.rows(&shop.ann, "signed?select=title,mark").await, json!([{ "title": "first", "mark": "data:image/png;base64,AAAA" }]));
    // Given to one, it counts at the next request; what is computed of the whole row is the project's own.
    assert_eq!(shop.rows(&shop.csr, "visits_signed?select=shouted,card").await, json!([{ "shouted": "FIRST", "card": "***4242" }]));
    let path = format!("team_members?user_id=eq.{}", shop.csr.user_id);
    assert_eq!(server.patch(&shop.ann, &path, json!({ "permissions": { "pii:read": true } }), "").await.status, 204);
    assert_eq!(shop.rows(&shop.csr, &format!("visits_signed?{columns}")).await, json!([parsed(WHOLE)]));
}

#[tokio::test]
async fn nobody_finds_out_by_asking() {
    let shop = Shop::open().await;
    let count = async |who: &Caller, path: &str| shop.rows(who, path).await.as_array().unwrap().len();
    for (asked, of_ann, of_csr) in [
        ("vendors?tax_id=eq.98-7654321", 1, 0),
        ("vendors?tax_id=like.98*", 1, 0),
        ("vendors?tax_id=in.(98-7654321,12-3456789)", 2, 0),
        ("vendors?tax_id=match.^9", 1, 0),
        ("vendors?or=(tax_id.gt.5,name.eq.Nobody)", 1, 0),
        ("vendors?tax_id=fts.98", 1, 0),
        // By what is shown one may ask.
        ("vendors?tax_id=eq.***4321", 0, 1),
        ("visits_signed?came_from=eq.203.0.113.7", 1, 0),
        ("visits_signed?seen_at->>ip=eq.203.0.113.7", 1, 0),
        ("visits_signed?select=label,vendors!inner(name)&vendors.tax_id=eq.98-7654321", 1, 0),
        ("rpc/signed_visits?signature=like.data*", 1, 0),
        ("signed?mark=like.data*", 1, 0),
    ] {
        assert_eq!((count(&shop.ann, asked).await, count(&shop.csr, asked).await), (of_ann, of_csr), "{asked}");
    }
    // Whoever sorts them sorts what is shown: ***4321 before ***6789.
    let names = async |who: &Caller, path: &str| {
        let rows = shop.rows(who, path).await;
        rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&shop.ann, "vendors?select=name&order=tax_id").await, ["Valves", "Pipes"]);
    assert_eq!(names(&shop.csr, "vendors?select=name&order=tax_id").await, ["Pipes", "Valves"]);
    // Nor by counting, grouping and the largest of them.
    let grouped = shop.rows(&shop.csr, "vendors?select=tax_id,count()&order=tax_id").await;
    assert_eq!(grouped, json!([{ "tax_id": "***4321", "count": 1 }, { "tax_id": "***6789", "count": 1 }]));
    assert_eq!(shop.rows(&shop.csr, "vendors?select=tax_id.max()").await, json!([{ "max": "***6789" }]));
    assert_eq!(shop.rows(&shop.ann, "vendors?select=tax_id.max()").await, json!([{ "max": "98-7654321" }]));
    let said = Said { accept: "text/csv", ..Said::default() };
    let lines = shop.server.get_with(&shop.csr, "vendors?select=name,tax_id&order=name", said).await;
    assert_eq!(lines.text, "name,tax_id\nPipes,***4321\nValves,***6789");
}

#[tokio::test]
async fn what_is_written_is_kept_whole_and_answered_masked() {
    let shop = Shop::open().await;
    let server = &shop.server;
    let dispatcher = server.member(&shop.ann.company_id, "dispatcher").await;
    let write = json!({ "name": "Taps", "tax_id": "55-5550001" });
    let written = server.post(&dispatcher, "vendors?select=name,tax_id", write, "return=representation").await.ok();
    assert_eq!(written, json!([{ "name": "Taps", "tax_id": "***0001" }]));
    let whole =
        server.post(&dispatcher, "vendors", json!({ "name": "Drains", "tax_id": "55-5550002" }), "return=representation").await.ok();
    assert_eq!((whole[0]["tax_id"].as_str(), whole[0]["name"].as_str()), (Some("***0002"), Some("Drains")));
    // Nobody tries values by writing either.
    let tried = server.patch(&dispatcher, "vendors?tax_id=eq.98-7654321", json!({ "name": "Found" }), "return=representation").await.ok();
    assert_eq!(tried, json!([]));
    let renamed = server.patch(&dispatcher, "vendors?name=eq.Taps", json!({ "name": "Tubs" }), "return=representation").await.ok();
    assert_eq!(renamed[0]["tax_id"], "***0001");
    assert_eq!(
        shop.rows(&shop.ann, "vendors?name=in.(Tubs,Drains)&select=tax_id&order=name").await,
        json!([{ "tax_id": "55-5550002" }, { "tax_id": "55-5550001" }])
    );
}
