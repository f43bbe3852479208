//! `thorbis realtime`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{CliError, say};
use crate::config::Settings;
use crate::start::State;

/// See sockets, channels and who takes how much of them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis realtime status
  thorbis realtime status --json")]
pub(super) struct Realtime {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print how it is at the server that runs on this machine, as of a moment ago
    #[command(after_help = "\
Examples:
  thorbis realtime status
  thorbis realtime status --json")]
    Status {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

impl Realtime {
    pub(super) fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let Command::Status { json } = self.command;
        let state = State::of_running(&settings.data_directory)?;
        let Some(status) = state.and_then(|state| state.realtime) else {
            return Err(CliError::refused("server_not_running", "no server runs in this data folder"));
        };
        say(&if json { status.to_string() } else { for_people(&status) })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn for_people(status: &Value) -> String {
    let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64).unwrap_or(0);
    let word = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let list = |name: &str| status.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let feed = status.get("change_feed").map(|feed| word(feed, "way")).unwrap_or_default();
    let mut lines = vec![
        format!("sockets   {}", number(status, "sockets")),
        format!("channels  {}, joined {} times", number(status, "channels"), number(status, "joined")),
        format!("changes   {feed}"),
    ];
    for company in list("companies") {
        let (kind, id) = (word(&company, "kind"), word(&company, "id"));
        let (sockets, messages, refused) = (number(&company, "sockets"), number(&company, "messages"), number(&company, "refused"));
        lines.push(format!("{kind} {id}: {sockets} sockets, {messages} messages, {refused} refused"));
    }
    for topic in list("topics") {
        let (name, sockets, present) = (word(&topic, "topic"), number(&topic, "sockets"), number(&topic, "present"));
        lines.push(format!("channel {name}: {sockets} sockets, {present} present"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::for_people;

    #[test]
    fn it_is_said_in_lines() {
        let status = json!({
            "sockets": 2, "channels": 1, "joined": 2, "change_feed": { "way": "streamed" },
            "companies": [{ "kind": "service", "id": null, "sockets": 2, "messages": 5, "refused": 0 }],
            "topics": [{ "topic": "room", "sockets": 2, "present": 1 }],
        });
        let said = "sockets   2\nchannels  1, joined 2 times\nchanges   streamed\nservice -: 2 sockets, 5 messages, 0 refused\nchannel room: 2 sockets, 1 present";
        assert_eq!(for_people(&status), said);
    }
}
