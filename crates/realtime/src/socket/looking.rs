//! Looking anew at what callers may: when something changed about one, when his token ends, and now and then.
//!
//! Invariant: whoever may not be in a channel any more is out of it, and told why. Where nobody can answer, it is asked again soon.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use kernel::Subject;
use tokio::time::Instant;

use super::Session;
use super::joining::may_not_read;

/// How soon it is asked again.
const AGAIN: Duration = Duration::from_millis(500);

impl Session {
    /// Looks at the clock: who was silent for too long, whose token is over, whose rights are old. Ends a socket that is idle.
    pub(super) async fn on_time(&mut self) -> ControlFlow<()> {
        let now = Instant::now();
        if self.heard + Duration::from_millis(self.realtime.config().idle_time_ms) <= now {
            return ControlFlow::Break(());
        }
        let seconds = jiff::Timestamp::now().as_second();
        let is_over = |expires: Option<i64>| expires.is_some_and(|expires| expires <= seconds);
        let over: Vec<Arc<str>> =
            self.channels.iter().filter(|(_, channel)| is_over(channel.caller.expires)).map(|(text, _)| Arc::clone(text)).collect();
        for topic in over {
            self.close_channel(&topic, Some("Token has expired: sign in again and join anew"));
        }
        let is_due = self.again.is_some_and(|again| again <= now);
        if is_due {
            self.look_anew(true).await;
        } else {
            self.look_anew(false).await;
        }
        ControlFlow::Continue(())
    }

    /// Returns when it is to look at the clock next.
    pub(super) fn next_alarm(&self) -> Instant {
        let config = self.realtime.config();
        let idle = self.heard + Duration::from_millis(config.idle_time_ms);
        let kept = Duration::from_secs(config.rights_kept_s);
        let now = (Instant::now(), jiff::Timestamp::now().as_second());
        let dues = self.channels.values().flat_map(|channel| {
            let expires = channel.caller.expires.map(|expires| {
                let seconds = u64::try_from(expires.saturating_sub(now.1)).unwrap_or(0).min(86_400);
                now.0 + Duration::from_secs(seconds) + Duration::from_millis(5)
            });
            expires.into_iter().chain([channel.asked + kept])
        });
        dues.chain(self.again).fold(idle, Instant::min)
    }

    /// Looks at all channels, or at those whose rights are old.
    pub(super) async fn look_anew(&mut self, at_all: bool) {
        let kept = Duration::from_secs(self.realtime.config().rights_kept_s);
        let topics: Vec<Arc<str>> = self
            .channels
            .iter()
            .filter(|(_, channel)| at_all || channel.asked.elapsed() >= kept)
            .map(|(text, _)| Arc::clone(text))
            .collect();
        self.again = None;
        self.look_at(&topics).await;
    }

    /// Looks at channels.
    pub(super) async fn look_at(&mut self, topics: &[Arc<str>]) {
        for text in topics {
            let Some(channel) = self.channels.get(text) else { continue };
            let (caller, topic, member) = (Arc::clone(&channel.caller), channel.topic.clone(), channel.member);
            let gate = &self.realtime.0.gate;
            let looked = if topic.is_private {
                gate.rights(&caller, &topic.name).await.map(Some)
            } else if matches!(caller.principal.subject(), Subject::Anonymous | Subject::Service) {
                Ok(None)
            } else {
                gate.greet(&caller).await.map(|()| None)
            };
            match looked {
                Ok(Some(rights)) if !rights.hears() => self.close_channel(text, Some(&may_not_read(&topic.name))),
                Ok(rights) => {
                    let Some(channel) = self.channels.get_mut(text) else { continue };
                    channel.asked = Instant::now();
                    if let Some(rights) = rights {
                        channel.rights = rights;
                        let hears = (rights.hears_broadcast, channel.hears_presence && rights.hears_presence);
                        self.realtime.0.hub.let_hear(&topic, member, hears);
                    }
                }
                Err(error) if matches!(error.status().as_u16(), 401 | 403 | 404) => {
                    self.close_channel(text, Some(&format!("Unauthorized: {}", error.message())));
                }
                Err(error) => {
                    tracing::debug!(code = error.code(), "it could not be asked what a caller may: {}", error.message());
                    self.again = Some(Instant::now() + AGAIN);
                }
            }
        }
    }
}
