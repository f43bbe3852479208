//! The house as it stands.

use proof::World;

#[tokio::test]
async fn every_caller_reaches_what_was_promised_and_nothing_else() {
    let world = World::new().await;
    let report = Box::pin(proof::run(&world, &[])).await;
    let counts: Vec<String> = report.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    println!("{} attempts: {}", report.cells, counts.join(", "));
    assert_eq!(report.findings, Vec::<String>::new());
    assert!(report.cells > 10_000, "only {} attempts", report.cells);
}

#[tokio::test]
async fn the_catalog_has_every_wall() {
    let world = World::new().await;
    assert_eq!(proof::examine(&world.superuser().await).await, Vec::<String>::new());
}
