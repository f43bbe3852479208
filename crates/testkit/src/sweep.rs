//! Drops the databases of tests that have ended while others still run: all of them together would fill a disk.
//!
//! Invariant: a database whose test's process lives is never touched.

use std::path::Path;
use std::time::Duration;

use crate::throw_away::{Addresses, MAINTENANCE};

const PAUSE: Duration = Duration::from_secs(1);

/// Sweeps until it is dropped.
pub async fn sweep(addresses: &Addresses) {
    let client = crate::connect(&addresses.superuser(MAINTENANCE)).await;
    loop {
        tokio::time::sleep(PAUSE).await;
        let known = client.query("select datname::text from pg_database where datname ~ '^test_[0-9]+_(doctor_)?[0-9]+$'", &[]).await;
        for row in known.unwrap_or_default() {
            let name: String = row.get(0);
            let process = name.split('_').nth(1).unwrap_or_default();
            if !Path::new("/proc").join(process).try_exists().unwrap_or(true) {
                // Somebody may still be connected who is just going; the next round takes it then.
                let _later = client.batch_execute(&format!(r#"drop database if exists "{name}" with (force)"#)).await;
            }
        }
    }
}
