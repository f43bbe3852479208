//! Requests that are under way at the same time.

use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinSet;

use crate::server::{Answer, Caller, Said, Server};

/// Sends all of them at once and returns their answers in the order of the requests.
pub(crate) async fn together(server: &Arc<Server>, who: &Caller, requests: Vec<(&'static str, String, Value)>) -> Vec<Answer> {
    let mut running = JoinSet::new();
    for (at, (method, path, body)) in requests.into_iter().enumerate() {
        let (server, who) = (Arc::clone(server), who.clone());
        running.spawn(async move { (at, server.call(&who, (method, &path), Some(body.to_string()), Said::default()).await) });
    }
    let mut answers = running.join_all().await;
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
