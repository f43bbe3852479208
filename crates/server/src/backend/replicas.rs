//! Copies of the database that answer reads: looked at all the time, and told of where they do not.

use tokio_util::sync::CancellationToken;

use super::Backend;

impl Backend {
    /// Looks how far replicas are, until told to stop.
    pub(crate) async fn follow_replicas(self, stop: CancellationToken) {
        stop.run_until_cancelled(Box::pin(self.0.database.follow_replicas())).await;
    }

    /// Returns which replicas nothing is read from, and why. The primary stands in for them.
    pub(crate) fn replicas_out(&self) -> Vec<String> {
        let out = self.0.database.replica_status().into_iter().filter(|replica| !replica.is_used);
        let sentences = out.map(|replica| match replica.lag {
            Ok(_) => format!("the replica {} is further behind than database.replicas.lag_max_ms: nothing is read from it", replica.name),
            Err(why) => format!("the replica {} is {}: nothing is read from it", replica.name, why.name()),
        });
        sentences.collect()
    }
}
