//! The house as it stands.

use proof::{Scope, World};

#[tokio::test]
async fn every_caller_reaches_what_was_promised_and_nothing_else() {
    let world = World::new().await;
    let report = Box::pin(proof::run(&world, Scope::Everything)).await;
    println!("{}", report.summary());
    assert_eq!(report.findings, Vec::<String>::new());
    assert!(report.cells > 30_000, "only {} attempts", report.cells);
}

#[tokio::test]
async fn the_catalog_has_every_wall() {
    let world = World::new().await;
    assert_eq!(proof::examine(&world.superuser().await).await, Vec::<String>::new());
}
