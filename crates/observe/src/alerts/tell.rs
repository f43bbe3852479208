//! An alert, told by its channels: mail, a webhook as Slack takes it, the application.
//!
//! Invariant: channels are told at the same time and each for itself; what one says of its failure names no address of it.

use std::time::Duration;

use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, header};
use kernel::{Error, Result};
use outbound::http::{Bounds, Call, NamedBy};
use outbound::{Channel, Dispatch, Dispatched, Message, To};
use serde_json::{Value, json};
use url::Url;

use super::queries::Due;
use super::{ANSWER_BYTES_MAX, Alerts};

impl Alerts {
    /// Tells what is due.
    pub(super) async fn tell(&self) -> Result<()> {
        let due = self.take().await?;
        let told = join_all(due.iter().map(|due| Box::pin(self.tell_one(due)))).await;
        told.into_iter().collect()
    }

    async fn tell_one(&self, due: &Due) -> Result<()> {
        let (channel, rest) = due.channel.split_once(':').unwrap_or((due.channel.as_str(), ""));
        let told = match channel {
            "mail" => self.mail(rest, due).await,
            "webhook" => self.webhook(rest, due).await,
            "in_app" => self.in_app(due).await,
            _ => Err("there is no such channel".to_owned()),
        };
        let name = ["mail", "webhook", "in_app"].into_iter().find(|name| *name == channel).unwrap_or("other");
        let result = if told.is_ok() { "told" } else { "failed" };
        metrics::counter!("alert_messages_total", "channel" => name, "result" => result).increment(1);
        if let Err(reason) = &told {
            tracing::warn!(channel = due.channel, rule = due.rule, "an alert could not be told: {reason}");
        }
        self.settle(due.id, told.err().as_deref()).await
    }

    async fn mail(&self, address: &str, due: &Due) -> std::result::Result<(), String> {
        let outbound = &self.options.outbound;
        if !outbound.sends(Channel::Mail) && !outbound.captures() {
            return Err("no way to send mail is configured".to_owned());
        }
        let message = Message {
            sender_name: "Thorbis".to_owned(),
            subject: due.headline(),
            text: format!(
                "{}\n\nSince {} UTC. Rule {}, alert {}, server {}.\n",
                due.body, due.raised_at, due.rule, due.alert_id, self.options.node
            ),
            html: String::new(),
            payload: None,
        };
        let dispatch = Dispatch {
            company_id: None,
            channel: Channel::Mail,
            purpose: "alert",
            to: To::Address(address),
            topic: None,
            message: &message,
            push: None,
        };
        let put = async {
            let seal = (self.options.seal)()?;
            let tx = self.begin(None, "writes mail about an alert").await?;
            let put = outbound.dispatch(&tx, &seal, dispatch).await?;
            tx.commit().await?;
            outbound.wake();
            Ok::<_, Error>(put)
        };
        match Box::pin(put).await {
            Ok(Dispatched::Taken(_)) => Ok(()),
            Ok(Dispatched::Suppressed(_)) => Err("the address is not written to: mail to it came back".to_owned()),
            Ok(Dispatched::Unreachable | Dispatched::TooMany) => Err("the outbox did not take it".to_owned()),
            Err(error) => Err(format!("the outbox did not take it: {}", error.code())),
        }
    }

    async fn webhook(&self, place: &str, due: &Due) -> std::result::Result<(), String> {
        let config = &self.options.config;
        let secret = place.parse::<usize>().ok().and_then(|place| config.webhook_urls.get(place.checked_sub(1)?));
        let url = secret.and_then(|secret| Url::parse(secret.expose()).ok()).ok_or("it is configured no more")?;
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let bounds = Bounds { bytes_max: ANSWER_BYTES_MAX, time: Duration::from_millis(config.webhook_time_ms) };
        let body = due.as_slack(&self.options.node).to_string().into_bytes();
        let call = Call::post(&url, NamedBy::Client, headers, body).within(bounds);
        match self.http.send_and_cut(call).await {
            Ok(answer) if answer.status.is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status.as_u16())),
            Err(fault) => Err(fault.to_string()),
        }
    }

    async fn in_app(&self, due: &Due) -> std::result::Result<(), String> {
        let company = self.options.config.in_app_company.ok_or("it is configured no more")?;
        let params = json!({ "subject": due.headline(), "body": due.body });
        self.notify(company, due, &params).await.map_err(|error| format!("{}: {}", error.code(), error.message()))
    }
}

impl Due {
    /// Returns one line: what is the matter with what.
    fn headline(&self) -> String {
        let event = match self.event.as_str() {
            "raised" => "Alert",
            "reminded" => "Still an alert",
            "resolved" => "Resolved",
            _ => "Test",
        };
        let body: String = self.body.lines().next().unwrap_or_default().chars().take(120).collect();
        format!("{event}: {body}")
    }

    /// Returns the message as Slack and what imitates it take it. Its words are text and no markup: `<`, `>` and `&` are written so.
    fn as_slack(&self, node: &str) -> Value {
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let sign = match (self.event.as_str(), self.severity.as_str()) {
            ("resolved", _) => ":white_check_mark:",
            ("test", _) => ":information_source:",
            (_, "critical") => ":rotating_light:",
            _ => ":warning:",
        };
        let about = format!("rule {} · since {} UTC · {}", self.rule, self.raised_at, node);
        json!({ "text": format!("{sign} {}\n{}", escaped(&self.headline()), escaped(&about)) })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_message_says_what_is_the_matter_and_is_no_markup() {
        let due = Due {
            id: Uuid::nil(),
            alert_id: Uuid::nil(),
            event: "raised".to_owned(),
            channel: "webhook:1".to_owned(),
            rule: "connections".to_owned(),
            severity: "critical".to_owned(),
            body: "Connections <@U1>: 90%, allowed up to 80%\nand more".to_owned(),
            raised_at: "2026-11-26 10:00:00".to_owned(),
        };
        let text = due.as_slack("one")["text"].as_str().unwrap().to_owned();
        let expected = ":rotating_light: Alert: Connections &lt;@U1&gt;: 90%, allowed up to 80%\nrule connections · since 2026-11-26 10:00:00 UTC · one";
        assert_eq!(text, expected);
        let resolved = Due { event: "resolved".to_owned(), ..due };
        assert!(resolved.as_slack("one")["text"].as_str().unwrap().starts_with(":white_check_mark: Resolved: "));
    }
}
