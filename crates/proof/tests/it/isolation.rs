//! The house as it stands.

use futures_util::future::join_all;
use proof::World;

/// Worlds at work at the same time.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_reaches_what_was_promised_and_nothing_else() {
    let worlds = join_all(std::iter::repeat_with(World::new).take(AT_ONCE)).await;
    let report = Box::pin(proof::run_everything(worlds)).await;
    println!("{}", report.summary());
    assert_eq!(report.findings, Vec::<String>::new());
    assert!(report.cells > 30_000, "only {} attempts", report.cells);
}

#[tokio::test]
async fn the_catalog_has_every_wall() {
    let world = World::new().await;
    assert_eq!(proof::examine(&world.superuser().await).await, Vec::<String>::new());
}
