//! One planted defect after the other, each in a copy of the shop: it is found exactly once, and nothing else is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use doctor::{DoctorConfig, Report, Thresholds};

use crate::asking::told;
use crate::clinic::Clinic;
use crate::plants::{self, Plant};

/// How long what PostgreSQL counts may take to be told.
const DEADLINE: Duration = Duration::from_mins(1);

async fn found_once(shop: &Clinic, plant: &Plant) {
    let mut clinic = shop.copy().await;
    if plant.has_own_caller {
        clinic.wanted.asked.api_roles = vec![format!("{}_caller", clinic.name())];
    }
    clinic.config.thresholds = tuned(plant.tuned);
    let client = clinic.superuser().await;
    for statement in plant.sql {
        let statement = statement.replace("{name}", clinic.name());
        client.batch_execute(&statement).await.unwrap_or_else(|error| panic!("{}: {error:?}\n{statement}", plant.code));
    }
    // What is counted for others is told when the session ends.
    drop(client);
    let began = Instant::now();
    let report = loop {
        let report = clinic.examine().await;
        if report.counted().any(|finding| finding.code == plant.code) || began.elapsed() > DEADLINE {
            break report;
        }
    };
    judge(plant, &report);
}

fn judge(plant: &Plant, report: &Report) {
    let found: Vec<&str> = report.counted().filter(|finding| finding.code == plant.code).map(|finding| finding.object.as_str()).collect();
    let fits = |object: &str| plant.object.strip_suffix('*').map_or(object == plant.object, |begin| object.starts_with(begin));
    assert!(found.len() == 1 && fits(found[0]), "{} at {}: {:#?}", plant.code, plant.object, told(report));
    // Roles are the cluster's, and tests of other crates have theirs there at the same time.
    let others = report.counted().filter(|finding| finding.code != plant.code && !finding.object.starts_with("role "));
    let mut others: Vec<&str> = others.map(|finding| finding.code.as_str()).collect();
    others.sort_unstable();
    assert_eq!(others, plant.beside, "{}: {:#?}", plant.code, told(report));
}

fn tuned(changes: &[(&str, u64)]) -> Thresholds {
    let mut value = serde_json::to_value(DoctorConfig::default().thresholds).unwrap();
    for (name, number) in changes {
        assert!(value[name].is_number(), "there is no threshold {name}");
        value[name] = (*number).into();
    }
    serde_json::from_value(value).unwrap()
}

async fn each_is_found_once(plants: &[Plant]) {
    let shop = Clinic::shop().await;
    for plant in plants {
        found_once(&shop, plant).await;
    }
}

#[tokio::test]
async fn nothing_is_found_in_the_shop() {
    let report = Clinic::shop().await.examine().await;
    assert_eq!(told(&report), Vec::<String>::new());
    assert!(report.score.passed == report.score.of && report.score.of > 100, "{:?}", report.score);
}

#[tokio::test]
async fn what_is_planted_in_row_security_is_found_once() {
    each_is_found_once(plants::ROW_SECURITY).await;
}

#[tokio::test]
async fn what_is_planted_in_access_is_found_once() {
    each_is_found_once(plants::ACCESS).await;
}

#[tokio::test]
async fn what_is_planted_in_functions_is_found_once() {
    each_is_found_once(plants::FUNCTIONS).await;
}

#[tokio::test]
async fn what_is_planted_between_tenants_is_found_once() {
    each_is_found_once(plants::TENANTS).await;
}

#[tokio::test]
async fn what_is_planted_of_secrets_is_found_once() {
    each_is_found_once(plants::SECRETS).await;
}

#[tokio::test]
async fn what_is_planted_of_costly_policies_is_found_once() {
    each_is_found_once(plants::POLICY_COST).await;
}

#[tokio::test]
async fn what_is_planted_in_indexes_is_found_once() {
    each_is_found_once(plants::INDEXES).await;
}

#[tokio::test]
async fn what_is_planted_in_tables_is_found_once() {
    each_is_found_once(plants::TABLES).await;
}

#[tokio::test]
async fn what_is_planted_in_the_model_is_found_once() {
    each_is_found_once(plants::MODEL).await;
}

#[tokio::test]
async fn what_is_planted_in_settings_and_files_is_found_once() {
    each_is_found_once(plants::SERVER).await;
    each_is_found_once(plants::SAFETY).await;
}

#[test]
fn every_check_has_a_planted_defect() {
    let here = plants::ALL.iter().flat_map(|plants| plants.iter()).map(|plant| plant.code);
    let planted: BTreeSet<&str> = here.chain(plants::ELSEWHERE.iter().copied()).collect();
    assert_eq!(planted, doctor::all().map(|check| check.code).collect());
    let elsewhere = include_str!("../cluster/main.rs");
    for code in plants::ELSEWHERE {
        assert!(elsewhere.contains(&format!("\"{code}")), "{code}");
    }
}
