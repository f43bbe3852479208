//! Figures: whatever is written, in whatever order and by how many at once, they are what a plain sum over the rows says.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::server::{Caller, Server};

/// What the four reports have to say, each by sums over one table at a time.
const PLAIN: &str = "
with done as (
  select company_id, customer_id, assigned_to, currency, total_amount, actual_start, actual_end, status from public.jobs where deleted_at is null
  union all
  select company_id, customer_id, assigned_to, currency, total_amount, (job ->> 'actual_start')::timestamptz, (job ->> 'actual_end')::timestamptz, status
    from public.jobs_archive),
job as (select *, status in ('completed', 'invoiced', 'paid') or status = 'archived' and actual_end is not null as is_done from done where company_id = $1::text::uuid),
bill as (
  select *, total_amount - credited_amount as net, date_trunc('month', coalesce(issued_at, created_at) at time zone $2)::date as month from public.invoices
   where company_id = $1::text::uuid and deleted_at is null and status in ('sent', 'viewed', 'partial', 'paid', 'overdue')),
money as (
  select *, case payment_type when 'payment' then amount else -amount end as net, date_trunc('month', coalesce(completed_at, created_at) at time zone $2)::date as month
    from public.payments
   where company_id = $1::text::uuid and deleted_at is null and payment_type in ('payment', 'refund') and status in ('completed', 'refunded', 'partially_refunded')),
review as (select * from public.customer_reviews where company_id = $1::text::uuid and deleted_at is null and moderation_status <> 'rejected')
select jsonb_build_object(
  'company_kpis', (select jsonb_build_array(jsonb_build_object(
      'total_customers', (select count(*) from public.customers where company_id = $1::text::uuid and deleted_at is null),
      'total_jobs', (select count(*) from job),
      'scheduled_jobs', (select count(*) from job where status = 'scheduled'),
      'active_jobs', (select count(*) from job where status = 'in_progress'),
      'completed_jobs', (select count(*) from job where is_done),
      'total_invoices', (select count(*) from bill),
      'total_revenue', (select coalesce(sum(net), 0) from bill where currency = 'USD'),
      'collected_revenue', (select coalesce(sum(net), 0) from money where currency = 'USD'),
      'outstanding_revenue', (select coalesce(sum(balance_amount), 0) from bill where currency = 'USD')))),
  'mv_customer_lifetime_value', (select jsonb_agg(jsonb_build_object(
      'customer_id', c.id,
      'total_jobs', (select count(*) from job where customer_id = c.id),
      'total_invoices', (select count(*) from bill where customer_id = c.id),
      'total_revenue', (select coalesce(sum(net), 0) from bill where customer_id = c.id and currency = c.currency),
      'total_paid', (select coalesce(sum(net), 0) from money where customer_id = c.id and currency = c.currency),
      'average_invoice_value', (select coalesce(round(avg(net)), 0) from bill where customer_id = c.id and currency = c.currency),
      'euros', (select coalesce(sum(net), 0) from bill where customer_id = c.id and currency = 'EUR')) order by c.id)
     from public.customers c where c.company_id = $1::text::uuid and c.deleted_at is null),
  'mv_technician_performance', (select jsonb_agg(jsonb_build_object(
      'technician_id', m.user_id,
      'jobs_completed', (select count(*) from job where assigned_to = m.user_id and is_done),
      'avg_job_duration_hours', (select coalesce(round(avg(round(extract(epoch from actual_end - actual_start))) / 3600, 2), 0)
                                   from job where assigned_to = m.user_id and is_done and actual_start is not null and actual_end is not null),
      'average_rating', (select coalesce(round(avg(rating), 2), 0) from review where technician_id = m.user_id),
      'review_count', (select count(*) from review where technician_id = m.user_id),
      'total_revenue', (select coalesce(sum(total_amount), 0) from job where assigned_to = m.user_id and is_done and currency = 'USD')) order by m.user_id)
     from public.team_members m where m.company_id = $1::text::uuid and m.role = 'technician'),
  'mv_monthly_revenue', (select coalesce(jsonb_agg(jsonb_build_object(
      'month', k.month, 'currency', k.currency,
      'invoice_count', (select count(*) from bill where month = k.month and currency = k.currency),
      'total_revenue', (select coalesce(sum(net), 0) from bill where month = k.month and currency = k.currency),
      'total_paid', (select coalesce(sum(paid_amount), 0) from bill where month = k.month and currency = k.currency),
      'total_outstanding', (select coalesce(sum(balance_amount), 0) from bill where month = k.month and currency = k.currency),
      'collected', (select coalesce(sum(net), 0) from money where month = k.month and currency = k.currency)) order by k.month, k.currency), '[]')
     from (select month, currency from bill union (select month, currency from money group by month, currency having sum(net) <> 0)) k),
  'customers', (select jsonb_agg(jsonb_build_object(
      'id', c.id,
      'total_jobs', (select count(*) from job where customer_id = c.id),
      'average_job_value', (select coalesce(round(avg(total_amount)), 0) from job where customer_id = c.id and is_done and currency = c.currency)) order by c.id)
     from public.customers c where c.company_id = $1::text::uuid and c.deleted_at is null))::text";

/// Rules of the business stand in the way of arbitrary rows; what counts them stays.
const ARBITRARY: &str = "
do $$ declare t text; begin
  foreach t in array array['customers', 'jobs', 'jobs_archive', 'invoices', 'payments', 'customer_reviews'] loop
    execute format('alter table public.%I disable trigger user', t);
    execute format('alter table public.%I enable trigger figures_inserted, enable trigger figures_updated, enable trigger figures_deleted', t);
  end loop;
  alter table public.jobs enable trigger customer_figures_inserted, enable trigger customer_figures_updated, enable trigger customer_figures_deleted;
  alter table public.customers alter column display_name set default 'X';
end $$;";

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[usize::try_from(self.below(u64::try_from(choices.len()).unwrap())).unwrap()]
    }
}

const JOB: &[&str] = &["quoted", "scheduled", "in_progress", "completed", "cancelled", "invoiced", "paid", "archived"];
const INVOICE: &[&str] = &["draft", "sent", "viewed", "partial", "paid", "overdue", "cancelled", "archived"];
const PAYMENT: &[&str] = &["pending", "completed", "failed", "refunded", "partially_refunded", "cancelled"];
const CURRENCY: &[&str] = &["USD", "USD", "USD", "EUR", "CAD"];

/// One statement about rows of that company: one row, several, a change of one or many, a deletion of either kind.
fn statement(dice: &mut Dice, company: &str, step: u64) -> String {
    let currency = dice.of(CURRENCY);
    let amount = dice.below(100_000) + 1;
    let count = [1, 1, 1, 7][usize::try_from(dice.below(4)).unwrap()];
    let time = format!("'2026-01-01 00:00Z'::timestamptz + interval '1 hour' * {}", dice.below(8000));
    let pick = |dice: &mut Dice, table: &str| {
        format!(
            "(select id from public.{table} where company_id = '{company}' order by md5(id::text || '{}') limit 1)",
            dice.below(1_000_000)
        )
    };
    let customer = pick(dice, "customers");
    let technician =
        format!("(select user_id from public.team_members where company_id = '{company}' order by md5(user_id::text || '{step}') limit 1)");
    let table = dice.of(&["jobs", "invoices", "payments", "customer_reviews", "customers"]);
    let some = format!("company_id = '{company}' and get_byte(uuid_send(id), 15) % 4 = {}", dice.below(4));
    match dice.below(20) {
        0 => format!("insert into public.customers (company_id, first_name, display_name, currency) values ('{company}', 'C{step}', 'C{step}', '{currency}')"),
        1..=4 => format!(
            "insert into public.jobs (company_id, job_number, customer_id, assigned_to, title, status, currency, total_amount, actual_start, actual_end)
             select '{company}', 'J{step}-' || g, {customer}, {technician}, 'Job', '{}', '{currency}', {amount} + g, {time}, {time} + interval '{} minutes'
               from generate_series(1, {count}) g",
            dice.of(JOB),
            dice.below(600)
        ),
        5..=7 => format!(
            "insert into public.invoices (company_id, draft_number, invoice_number, customer_id, status, currency, total_amount, paid_amount, credited_amount,
                                          balance_amount, issued_at)
             select '{company}', 'D{step}-' || g, 'I{step}-' || g, {customer}, '{}', '{currency}', {amount}, {amount} / 3, {amount} / 5, {amount} / 2, {time}
               from generate_series(1, {count}) g",
            dice.of(INVOICE)
        ),
        8..=9 => format!(
            "insert into public.payments (company_id, payment_number, customer_id, amount, payment_method, payment_type, status, currency, completed_at)
             values ('{company}', 'P{step}', {customer}, {amount}, 'cash', '{}', '{}', '{currency}', {time})",
            dice.of(&["payment", "payment", "credit"]),
            dice.of(PAYMENT)
        ),
        10 => format!(
            "insert into public.payments (company_id, payment_number, customer_id, amount, payment_method, payment_type, original_payment_id, status, currency,
                                          completed_at)
             select '{company}', 'R{step}', p.customer_id, p.amount, 'cash', 'refund', p.id, '{}', p.currency, {time}
               from public.payments p where p.company_id = '{company}' and p.id = {}",
            dice.of(PAYMENT),
            pick(dice, "payments")
        ),
        11 => format!(
            "insert into public.customer_reviews (company_id, customer_id, technician_id, rating, moderation_status)
             values ('{company}', {customer}, {technician}, {}, '{}')",
            amount % 5 + 1,
            dice.of(&["pending", "approved", "rejected"])
        ),
        12..=13 => format!(
            "update public.jobs set status = '{}', total_amount = {amount}, assigned_to = {technician}, customer_id = {customer} where {some}",
            dice.of(JOB)
        ),
        14 => format!("update public.invoices set status = '{}', balance_amount = {amount}, customer_id = {customer} where {some}", dice.of(INVOICE)),
        15 => format!("update public.payments set status = '{}', currency = '{currency}' where {some}", dice.of(PAYMENT)),
        16 => format!("update public.customer_reviews set rating = {}, technician_id = {technician} where {some}", amount % 5 + 1),
        17 => format!("update public.{table} set deleted_at = case when deleted_at is null then now() end where {some}"),
        18 => format!("delete from public.{} where id = {}", dice.of(&["jobs", "invoices", "customer_reviews"]), pick(dice, table)),
        _ => format!(
            "with old as (delete from public.jobs where company_id = '{company}' and id = {} and deleted_at is null returning *)
             insert into public.jobs_archive (company_id, id, customer_id, assigned_to, status, total_amount, currency, job)
             select company_id, id, customer_id, assigned_to, status, total_amount, currency, to_jsonb(old) from old",
            pick(dice, "jobs")
        ),
    }
}

/// The reports as the owner reads them, in the shape of the plain sums.
async fn reported(server: &Server, owner: &Caller, plain: &Value) -> Value {
    let mut all = json!({});
    for (report, rows) in plain.as_object().unwrap() {
        let answer = if report == "customers" {
            server.get(owner, "customers?select=id,total_jobs,average_job_value&order=id").await.ok()
        } else {
            server.post(owner, &format!("rpc/{report}"), json!({}), "").await.ok()
        };
        let columns: Vec<&String> = rows.get(0).map(|row| row.as_object().unwrap().keys().collect()).unwrap_or_default();
        let mut found: Vec<Value> = vec![];
        for row in answer.as_array().unwrap() {
            let mut kept = json!({});
            for column in &columns {
                kept[column.as_str()] = match column.as_str() {
                    "euros" if row["currency"] == "EUR" => row["total_revenue"].clone(),
                    "euros" => row["other_currencies"].get("EUR").map_or(json!(0), |sums| sums["total_revenue"].clone()),
                    name => row[name].clone(),
                };
            }
            found.push(kept);
        }
        if report == "mv_technician_performance" {
            let technicians: Vec<&Value> = rows.as_array().unwrap().iter().map(|row| &row["technician_id"]).collect();
            found.retain(|row| technicians.contains(&&row["technician_id"]));
        }
        found.sort_by_key(|row| {
            let key = |column: &str| row[column].as_str().unwrap_or_default().to_owned();
            (key("customer_id"), key("technician_id"), key("month"), key("currency"), key("id"))
        });
        all[report.as_str()] = json!(found);
    }
    all
}

async fn plain(server: &Server, company: &str, zone: &str) -> Value {
    let text: String = server.db.superuser().await.query_one(PLAIN, &[&company, &zone]).await.unwrap().get(0);
    serde_json::from_str(&text).unwrap()
}

/// Numbers that are written in several ways are one number.
fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap()),
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), normal(field))).collect(),
        other => other.clone(),
    }
}

#[track_caller]
fn same(found: &Value, expected: &Value, after: &str) {
    for (report, rows) in expected.as_object().unwrap() {
        let (found, expected) = (normal(&found[report]), normal(rows));
        if found != expected {
            let mut text = String::new();
            for (one, other) in found.as_array().unwrap().iter().zip(expected.as_array().unwrap()).filter(|(one, other)| one != other) {
                writeln!(text, "  {one}\n  {other}").unwrap();
            }
            panic!(
                "{after}: {report} differs ({} and {} rows)\n{text}",
                found.as_array().unwrap().len(),
                expected.as_array().unwrap().len()
            );
        }
    }
}

#[tokio::test]
async fn the_figures_are_the_plain_sums_whatever_is_written() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let mut technicians = vec![];
    for company in [&ann.company_id, &bob.company_id] {
        technicians.push(server.member(company, "technician").await);
    }
    let superuser = server.db.superuser().await;
    superuser.batch_execute(ARBITRARY).await.unwrap();
    superuser.batch_execute("update public.companies set business_timezone = 'Europe/Berlin', currency = 'USD'").await.unwrap();
    let mut dice = Dice(20_261_122);
    for owner in [&ann, &bob] {
        for step in 0..6 {
            let insert = format!(
                "insert into public.customers (company_id, first_name, display_name, currency) values ('{}', 'F{step}', 'F{step}', '{}')",
                owner.company_id,
                CURRENCY[step % CURRENCY.len()]
            );
            superuser.batch_execute(&insert).await.unwrap();
        }
    }
    for step in 0..400 {
        let owner = if dice.below(4) == 0 { &bob } else { &ann };
        let sql = statement(&mut dice, &owner.company_id, step);
        if let Err(error) = superuser.batch_execute(&sql).await {
            // A row that others point at stays.
            let code = error.as_db_error().map_or("", |error| error.code().code());
            assert_eq!(code, "23503", "{sql}: {error:?}");
        }
        if step % 150 == 149 {
            superuser.batch_execute("select app.refresh_figures()").await.unwrap();
        }
        if step % 80 == 79 {
            let expected = plain(&server, &ann.company_id, "Europe/Berlin").await;
            same(&reported(&server, &ann, &expected).await, &expected, &format!("after {step}: {sql}"));
        }
    }
    for (owner, zone) in [(&ann, "Europe/Berlin"), (&bob, "Europe/Berlin"), (&ann, "Pacific/Kiritimati")] {
        let move_company = format!("update public.companies set business_timezone = '{zone}' where id = '{}'", owner.company_id);
        superuser.batch_execute(&move_company).await.unwrap();
        let expected = plain(&server, &owner.company_id, zone).await;
        assert!(expected["company_kpis"][0]["total_jobs"].as_i64().unwrap() > 10, "there is something to count: {expected}");
        for change in ["select 1", "select app.refresh_figures()", "select app.rebuild_figures()", "select app.refresh_figures()"] {
            superuser.batch_execute(change).await.unwrap();
            same(&reported(&server, owner, &expected).await, &expected, &format!("{change} in {zone}"));
        }
    }
    let left: i64 = superuser.query_one("select count(*) from app.figure_changes", &[]).await.unwrap().get(0);
    assert_eq!(left, 0, "everything is folded");
}

#[tokio::test]
async fn a_month_whose_payments_all_went_back_has_no_row_however_it_is_counted() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let ada = server.customer(&ann, "Ada").await;
    let superuser = server.db.superuser().await;
    superuser.batch_execute(ARBITRARY).await.unwrap();
    let payments = format!(
        "insert into public.payments (company_id, payment_number, customer_id, amount, payment_method, payment_type, status, currency, completed_at)
         values ('{company}', 'P1', '{ada}', 500, 'cash', 'payment', 'completed', 'USD', '2026-03-10 12:00Z'),
                ('{company}', 'P2', '{ada}', 700, 'cash', 'payment', 'completed', 'USD', '2026-04-10 12:00Z');
         insert into public.payments (company_id, payment_number, customer_id, amount, payment_method, payment_type, status, currency, completed_at,
                                      original_payment_id)
         select '{company}', 'P3', '{ada}', 500, 'cash', 'refund', 'completed', 'USD', '2026-03-20 12:00Z', id
           from public.payments where payment_number = 'P1'",
        company = ann.company_id
    );
    superuser.batch_execute(&payments).await.unwrap();
    let from_rows = format!("insert into app.month_recounts (company_id) values ('{}')", ann.company_id);
    for change in ["select 1", from_rows.as_str(), "select app.refresh_figures()"] {
        superuser.batch_execute(change).await.unwrap();
        let months = server.post(&ann, "rpc/mv_monthly_revenue?select=month,currency,collected", json!({}), "").await.ok();
        assert_eq!(months, json!([{ "month": "2026-04-01", "currency": "USD", "collected": 700 }]), "{change}");
    }
}

#[tokio::test]
async fn sixteen_who_write_while_it_is_folded() {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    let customer = server.customer(&owner, "Ada").await;
    let superuser = server.db.superuser().await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..16 {
        let client = server.db.superuser().await;
        let insert = format!(
            "insert into public.jobs (company_id, customer_id, title, total_amount) values ('{}', '{customer}', 'Job {writer}', 100)",
            owner.company_id
        );
        writers.spawn(async move {
            for round in 0..10 {
                client.batch_execute(&insert).await.unwrap();
                if round % 5 == 0 {
                    client.batch_execute("select app.refresh_figures()").await.unwrap();
                }
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    superuser.batch_execute("select app.refresh_figures()").await.unwrap();
    assert_eq!(server.post(&owner, "rpc/company_kpis", json!({}), "").await.ok()[0]["total_jobs"], 160);
    let row = server.get(&owner, &format!("customers?id=eq.{customer}&select=total_jobs,version")).await.ok();
    assert_eq!(row, json!([{ "total_jobs": 160, "version": 1 }]), "counting is no edit of the customer");
}

#[tokio::test]
async fn a_customer_shows_his_jobs() {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    let (ada, bea) = (server.customer(&owner, "Ada").await, server.customer(&owner, "Bea").await);
    let shown = async |id: &str| {
        server.get(&owner, &format!("customers?id=eq.{id}&select=total_jobs,average_job_value,last_job_date")).await.ok()[0].clone()
    };
    let nothing = json!({ "total_jobs": 0, "average_job_value": 0, "last_job_date": null });
    assert_eq!(shown(&ada).await, nothing);
    let service = server.service().working_in(&owner.company_id);
    let job = |number: &str, status: &str, amount: u32, currency: &str| {
        json!({ "job_number": number, "title": number, "customer_id": ada, "assigned_to": owner.user_id, "status": status, "total_amount": amount,
                "currency": currency, "scheduled_start": "2026-05-04T08:00:00Z", "scheduled_end": "2026-05-04T10:00:00Z",
                "actual_start": "2026-05-04T08:00:00Z", "actual_end": "2026-05-04T09:30:00Z" })
    };
    let rows = json!([
        job("A", "completed", 1000, "USD"),
        job("B", "completed", 501, "USD"),
        job("C", "completed", 9000, "EUR"),
        job("D", "scheduled", 70000, "USD")
    ]);
    assert_eq!(server.post(&service, "jobs", rows, "").await.status, 201);
    // (1000 + 501) / 2 = 750.5, and half goes up.
    let done = json!({ "total_jobs": 4, "average_job_value": 751, "last_job_date": "2026-05-04T09:30:00+00:00" });
    assert_eq!(shown(&ada).await, done);
    let moved = server.patch(&service, "jobs?job_number=eq.D", json!({ "customer_id": bea }), "").await;
    assert_eq!(moved.status, 204, "{}", moved.text);
    assert_eq!(shown(&ada).await["total_jobs"], 3);
    assert_eq!(shown(&bea).await, json!({ "total_jobs": 1, "average_job_value": 0, "last_job_date": null }));
    assert_eq!(server.patch(&owner, "jobs?job_number=eq.B", json!({ "deleted_at": "2026-06-01T00:00:00Z" }), "").await.status, 204);
    assert_eq!(shown(&ada).await["average_job_value"], 1000);
    assert_eq!(server.patch(&owner, "jobs?job_number=eq.B", json!({ "deleted_at": null }), "deleted=include").await.status, 204);
    assert_eq!(shown(&ada).await["average_job_value"], 751);
}

#[tokio::test]
async fn sixteen_new_jobs_of_one_customer_are_sixteen() {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    let ada = server.customer(&owner, "Ada").await;
    let calls = (0..16).map(|n| server.post(&owner, "jobs", json!({ "title": format!("Job {n}"), "customer_id": ada }), ""));
    for answer in futures(calls).await {
        assert_eq!(answer, 201);
    }
    assert_eq!(server.get(&owner, "customers?select=total_jobs").await.ok(), json!([{ "total_jobs": 16 }]));
}

/// Runs them all at once; returns their statuses.
async fn futures(calls: impl Iterator<Item = impl Future<Output = crate::server::Answer>>) -> Vec<u16> {
    let mut calls: Vec<_> = calls.map(|call| (Box::pin(call), None)).collect();
    std::future::poll_fn(|context| {
        let mut is_done = true;
        for (call, status) in &mut calls {
            if status.is_none() {
                match call.as_mut().poll(context) {
                    std::task::Poll::Ready(answer) => *status = Some(answer.status),
                    std::task::Poll::Pending => is_done = false,
                }
            }
        }
        if is_done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    calls.into_iter().map(|(_, status)| status.unwrap()).collect()
}

#[tokio::test]
async fn who_reads_the_figures() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let ada = server.customer(&ann, "Ada").await;
    server.customer(&bob, "Bea").await;
    for report in ["company_kpis", "mv_customer_lifetime_value", "mv_technician_performance", "mv_monthly_revenue"] {
        let path = format!("rpc/{report}");
        for role in ["admin", "manager", "dispatcher", "viewer"] {
            let member = if report == "company_kpis" { server.member(&ann.company_id, role).await } else { ann.clone() };
            assert_eq!(server.post(&member, &path, json!({}), "").await.status, 200, "{role} {report}");
        }
        if report == "company_kpis" {
            for role in ["technician", "csr", "member"] {
                let member = server.member(&ann.company_id, role).await;
                for report in ["company_kpis", "mv_customer_lifetime_value", "mv_technician_performance", "mv_monthly_revenue"] {
                    server.post(&member, &format!("rpc/{report}"), json!({}), "").await.refused(403, "permission_denied");
                }
                server.post(&member, "rpc/refresh_reporting_views", json!({}), "").await.refused(403, "42501");
            }
        }
        server.post(&Server::nobody(), &path, json!({}), "").await.refused(401, "42501");
        server.post(&server.service(), &path, json!({}), "").await.refused(403, "company_required");
        assert_eq!(server.post(&server.service().working_in(&ann.company_id), &path, json!({}), "").await.status, 200);
        assert_eq!(server.get(&ann, &path).await.status, 200);
    }
    let values = server
        .post(
            &ann,
            "rpc/mv_customer_lifetime_value?select=customer_id,customer_name,customer_status,currency,total_revenue,other_currencies",
            json!({}),
            "",
        )
        .await;
    let expected = json!([{ "customer_id": ada, "customer_name": "Ada X", "customer_status": "dormant", "currency": "USD", "total_revenue": 0, "other_currencies": {} }]);
    assert_eq!(values.ok(), expected);
    assert_eq!(server.post(&bob, "rpc/mv_customer_lifetime_value", json!({ "only_customer_id": ada }), "").await.ok(), json!([]));
    for rows in [0, 10_001] {
        server.post(&ann, "rpc/mv_customer_lifetime_value", json!({ "max_results": rows }), "").await.refused(422, "report_limit_invalid");
    }
    for table in ["figures", "figure_changes", "mv_monthly_revenue"] {
        assert_eq!(server.get(&ann, table).await.status, 404, "{table} is no table of the API");
    }
    server.post(&ann, "rpc/refresh_reporting_views", json!({}), "").await.refused(403, "42501");
    assert_eq!(server.post(&server.service(), "rpc/refresh_reporting_views", json!({}), "").await.status, 204);
    assert_eq!(
        server.post(&ann, "rpc/company_kpis?select=total_customers,currency", json!({}), "").await.ok(),
        json!([{ "total_customers": 1, "currency": "USD" }])
    );
}

#[tokio::test]
async fn a_company_that_goes_takes_its_figures_along() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.customer(&ann, "Ada").await;
    let superuser = server.db.superuser().await;
    superuser.batch_execute("select app.refresh_figures()").await.unwrap();
    let gone = format!(
        "set session_replication_role = replica; delete from public.team_members; set session_replication_role = origin;
                        delete from public.customers; delete from public.companies where id = '{}'; select app.refresh_figures();",
        ann.company_id
    );
    superuser.batch_execute(&gone).await.unwrap();
    let left: i64 = superuser
        .query_one("select (select count(*) from app.figures) + (select count(*) from app.figure_changes)", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 0);
}
