//! The whole list of what is kept and for how long, and of what never is.

use std::time::{Duration, Instant};

use postgres::feed::FeedMode;
use serde_json::json;
use server::config::Settings;
use testkit::Db;

use crate::bare::know_tls;
use crate::cached::Nodes;

/// A long transaction in whichever database of the cluster keeps what is read from being kept.
const PATIENCE: Duration = Duration::from_mins(2);
/// What is kept: settings for a day, prices and what things are called for an hour, people a quarter of it, equipment and the company ten
/// minutes, lists five; statistics ten.
const TABLES: &[(&str, u64)] = &[
    ("company_settings", 24 * 60),
    ("price_book_items", 60),
    ("price_book_categories", 60),
    ("labor_rates", 60),
    ("service_packages", 60),
    ("tags", 60),
    ("team_members", 15),
    ("equipment", 10),
    ("companies", 10),
    ("customers", 5),
    ("inventory", 5),
    ("business_metrics", 10),
];
/// Figures of the moment five minutes, statistics ten, a report an hour.
const FUNCTIONS: &[(&str, u64)] = &[
    ("company_kpis", 5),
    ("metrics_today", 5),
    ("mv_technician_performance", 10),
    ("mv_customer_lifetime_value", 10),
    ("mv_monthly_revenue", 60),
];
/// What must be true at the moment: appointments, how jobs and tasks stand, money that moved, who did what, what opens doors.
const NEVER: &[&str] = &[
    "schedules",
    "jobs",
    "jobs_archive",
    "background_jobs",
    "job_queue",
    "payments",
    "payment_methods",
    "audit_logs",
    "audit_log",
    "api_keys",
    "invitations",
    "verification_tokens",
];

#[tokio::test]
async fn streamed_each_thing_is_kept_for_its_time_and_the_others_never() {
    Box::pin(for_its_time(FeedMode::Stream)).await;
}

#[tokio::test]
async fn polled_each_thing_is_kept_for_its_time_and_the_others_never() {
    Box::pin(for_its_time(FeedMode::Poll)).await;
}

async fn for_its_time(mode: FeedMode) {
    know_tls();
    let config = Settings::default().data_api.cache;
    let minutes = |life: Duration| life.as_secs() / 60;
    assert_eq!(config.lives().map(|(table, life)| (table, minutes(life))).collect::<Vec<_>>(), TABLES);
    assert_eq!(config.functions().map(|kept| (kept.name, minutes(kept.life))).collect::<Vec<_>>(), FUNCTIONS);

    let db = Db::new().await;
    let (servers, nodes) = Nodes::start(&db, mode, |_| ()).await;
    let node = &nodes[0];
    let ann = node.founder("ann", "Ada").await;
    for (table, _) in TABLES {
        let (how, body) = node.kept(&ann, &format!("/rest/v1/{table}?limit=3")).await;
        assert!(body.starts_with('['), "{table}: {how} {body}");
    }
    for (function, _) in FUNCTIONS {
        // As supabase-js calls it, and as a page that is loaded does.
        let path = format!("/rest/v1/rpc/{function}");
        let (how, body) = node.kept(&ann, &path).await;
        assert!(body.starts_with('['), "{function}: {how} {body}");
        let status = async || {
            let answer = node.send(&ann, ("POST", &path), Some(json!({})), Some("*")).await;
            assert_eq!(answer.status().as_u16(), 200, "{function}: nobody has the answer of a POST already");
            crate::cached::header(&answer, "cache-status")
        };
        let first = status().await;
        assert!(first.starts_with("thorbis; "), "{function}: {first}");
        let begun = Instant::now();
        while !status().await.starts_with("thorbis; hit") {
            assert!(begun.elapsed() < PATIENCE, "{function} is never kept");
        }
    }
    for table in NEVER {
        for _ in 0..3 {
            let (status, how, body) = node.get(&ann, &format!("/rest/v1/{table}?limit=3")).await;
            assert!(how.is_empty() && status < 500, "{table}: {status} {how} {body}");
        }
    }
    servers.end().await;
}

#[tokio::test]
async fn streamed_figures_are_those_of_now_of_the_company_and_for_whoever_may_see_them() {
    Box::pin(figures(FeedMode::Stream)).await;
}

#[tokio::test]
async fn polled_figures_are_those_of_now_of_the_company_and_for_whoever_may_see_them() {
    Box::pin(figures(FeedMode::Poll)).await;
}

async fn figures(mode: FeedMode) {
    know_tls();
    let db = Db::new().await;
    let (servers, nodes) = Nodes::start(&db, mode, |_| ()).await;
    let (one, other) = (&nodes[0], &nodes[1]);
    let (ann, eve) = (one.founder("ann", "Ada").await, other.founder("eve", "Zoe").await);
    let path = "/rest/v1/rpc/company_kpis?select=total_customers,total_jobs";
    let figures = |customers: u32, jobs: u32| format!(r#"[{{"total_customers":{customers},"total_jobs":{jobs}}}]"#);
    assert_eq!(one.kept(&ann, path).await.1, figures(1, 0));

    // Whoever wrote sees it at once where he wrote, and soon elsewhere.
    assert_eq!(other.kept(&ann, path).await.1, figures(1, 0));
    let customers = one.change(&ann, ("GET", "/rest/v1/customers?select=id"), json!(null)).await;
    one.change(&ann, ("POST", "/rest/v1/jobs"), json!({ "customer_id": customers[0]["id"], "title": "Fix the boiler" })).await;
    assert_eq!(one.get(&ann, path).await.2, figures(1, 1));
    let written = Instant::now();
    while other.get(&ann, path).await.2 != figures(1, 1) {
        // Long before five minutes are over, for which they are kept.
        assert!(written.elapsed() < PATIENCE);
    }
    assert_eq!(one.kept(&ann, path).await.1, figures(1, 1));
    assert_eq!(one.kept(&eve, path).await.1, figures(1, 0), "another company has its own");

    // Nobody else's, and not of whoever lost the right.
    let stranger = crate::cached::Caller { company: ann.company.clone(), ..eve.clone() };
    for who in [stranger, crate::cached::Caller::default()] {
        let (status, how, body) = one.get(&who, path).await;
        assert!(status >= 400 && how.is_empty() && !body.contains("total_jobs"), "{status} {how} {body}");
    }
    let superuser = db.superuser().await;
    let member = |role: &str| {
        format!(
            "insert into public.team_members (company_id, user_id, role, status)
             select '{}', u.id, '{role}', 'active' from auth.users u where u.email = 'eve@example.com'
             on conflict (company_id, user_id) do update set role = excluded.role",
            ann.company
        )
    };
    superuser.batch_execute(&member("dispatcher")).await.unwrap();
    let eve_there = crate::cached::Caller { company: ann.company.clone(), ..eve.clone() };
    assert_eq!(one.kept(&eve_there, path).await.1, figures(1, 1));
    superuser.batch_execute(&member("technician")).await.unwrap();
    let (status, how, body) = one.get(&eve_there, path).await;
    assert_eq!((status, how.as_str()), (403, ""), "{body}");

    // What moves with the clock, and what an escape hides, is asked each time.
    for (path, body) in [
        ("/rest/v1/rpc/mv_customer_lifetime_value", json!({ "max_results": 5, "only_customer_id": null })),
        ("/rest/v1/rpc/mv_customer_lifetime_value?customer_name=neq.now", json!({})),
    ] {
        let answer = one.send(&eve, ("POST", path), Some(body), None).await;
        assert_eq!(
            (answer.status().as_u16(), crate::cached::header(&answer, "cache-status").is_empty()),
            (200, path.contains("now")),
            "{path}"
        );
    }
    servers.end().await;
}
