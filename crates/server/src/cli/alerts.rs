//! `thorbis alerts`.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use postgres::Sql;
use serde_json::json;

use super::own::{Own, text};
use super::{CliError, say};
use crate::config::Settings;

/// See what is wrong and when somebody is told of it, try the channels, keep them silent
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis alerts list
  thorbis alerts rules")]
pub(super) struct Alerts {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print alerts that are open and those of seven days, with what became of their messages
    #[command(after_help = "\
Examples:
  thorbis alerts list")]
    List,
    /// Print the rules, what they say now and how they stand
    #[command(after_help = "\
Examples:
  thorbis alerts rules")]
    Rules,
    /// Change a rule; what is not named stays
    #[command(after_help = "\
Examples:
  thorbis alerts set backup_age --threshold 172800
  thorbis alerts set slow_transactions --enabled false")]
    Set {
        /// The rule's name
        rule: String,
        /// How far its value may go
        #[arg(long, required_unless_present_any = ["enabled", "remind"])]
        threshold: Option<f64>,
        /// Whether anybody is told of it
        #[arg(long)]
        enabled: Option<bool>,
        /// Seconds after which an open alert is told again
        #[arg(long)]
        remind: Option<i32>,
    },
    /// Send a test by all channels of this configuration, and wait for what becomes of it
    #[command(after_help = "\
Examples:
  thorbis alerts test --wait 1")]
    Test {
        /// Seconds to wait for a running server to send it
        #[arg(long, default_value_t = 90)]
        wait: u64,
    },
    /// Tell nobody of a rule for some minutes; 0 ends that
    #[command(after_help = "\
Examples:
  thorbis alerts silence slow_transactions --minutes 60 --reason \"we migrate\"
  thorbis alerts silence slow_transactions --minutes 0")]
    Silence {
        /// The rule's name
        rule: String,
        /// For how long
        #[arg(long, value_parser = clap::value_parser!(i32).range(0..=43_200))]
        minutes: i32,
        /// Why, for whoever looks
        #[arg(long)]
        reason: Option<String>,
    },
}

impl Alerts {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let own = Own::connect(settings).await?;
        let said = match &self.command {
            Command::List => list(&own).await,
            Command::Rules => rules(&own).await,
            Command::Set { rule, threshold, enabled, remind } => set(&own, rule, *threshold, *enabled, *remind).await,
            Command::Test { wait } => test(&own, &settings.alerts.channels(), Duration::from_secs(*wait)).await,
            Command::Silence { rule, minutes, reason } => silence(&own, rule, *minutes, reason.as_deref()).await,
        };
        own.leave().await?;
        say(&said?)?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(own: &Own) -> Result<String, CliError> {
    let statement = Sql::new(
        "select case when a.resolved_at is null then 'open    ' else 'resolved' end as state,
                to_char(a.raised_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as raised_at, a.rule, a.body,
                coalesce((select string_agg(format(E'\\n          %s %s: %s', d ->> 'event', d ->> 'channel',
                            case when d ->> 'done_at' is not null then 'told' else coalesce(d ->> 'error', 'waits') end), '')
                   from jsonb_array_elements(a.deliveries) d), '') as told
           from public.alerts() a limit 200",
    );
    let rows = own.run(None, "lists alerts", statement).await?;
    let mut said = String::new();
    for row in &rows {
        let (state, raised, rule) = (text(row, "state")?, text(row, "raised_at")?, text(row, "rule")?);
        let _written = writeln!(said, "{state}  {raised}  {rule}: {}{}", text(row, "body")?, text(row, "told")?);
    }
    Ok(if said.is_empty() { "no alert in seven days".to_owned() } else { said })
}

async fn rules(own: &Own) -> Result<String, CliError> {
    let statement = Sql::new(
        "select rpad(r.name, 18) || '  ' || rpad(r.state, 8) || '  ' || rpad(r.severity, 8) || '  ' || r.description || ': '
                || coalesce(round(r.reading::numeric, 1)::text, '-') || case when r.is_above then ', up to ' else ', down to ' end
                || r.threshold::numeric || ' ' || r.unit || coalesce(' (' || r.about || ')', '')
                || coalesce('; silent until ' || to_char(r.silent_until at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || coalesce(': ' || r.silent_reason, ''), '')
                as line
           from public.alert_rules() r",
    );
    let rows = own.run(None, "lists rules of alerts", statement).await?;
    let lines: Vec<String> = rows.iter().map(|row| text(row, "line")).collect::<Result<_, _>>()?;
    Ok(lines.join("\n"))
}

async fn set(own: &Own, rule: &str, threshold: Option<f64>, enabled: Option<bool>, remind: Option<i32>) -> Result<String, CliError> {
    let mut sql = Sql::new("select public.set_alert_rule(");
    sql.bind(rule).text("::text, threshold => ").bind(threshold.map(|number| number.to_string()));
    sql.text("::double precision, enabled => ").bind(enabled.map(|is| is.to_string()));
    sql.text("::boolean, remind_s => ").bind(remind.map(|number| number.to_string())).text("::integer)");
    own.run(None, "changes a rule of alerts", sql).await?;
    Ok(format!("{rule} holds from the next look on"))
}

async fn silence(own: &Own, rule: &str, minutes: i32, reason: Option<&str>) -> Result<String, CliError> {
    let mut sql = Sql::new("select public.silence_alert(");
    sql.bind(rule).text("::text, case when ").bind(minutes).text("::integer > 0 then now() + make_interval(mins => ").bind(minutes);
    sql.text("::integer) end, ").bind(reason.map(str::to_owned)).text("::text)");
    own.run(None, "silences a rule of alerts", sql).await?;
    Ok(if minutes > 0 { format!("nobody is told of {rule} for {minutes} minutes") } else { format!("{rule} is told again") })
}

async fn test(own: &Own, channels: &[String], wait: Duration) -> Result<String, CliError> {
    if channels.is_empty() {
        return Ok("no channel is configured: set alerts.mail_to, alerts.webhook_urls or alerts.in_app_company".to_owned());
    }
    let mut sql = Sql::new("select app.test_alert(array(select jsonb_array_elements_text(");
    sql.bind(json!(channels).to_string()).text("::jsonb)))::text as id");
    let rows = own.run(None, "tries the channels of alerts", sql).await?;
    let id = rows.first().map(|row| text(row, "id")).transpose()?.unwrap_or_default();
    let deadline = Instant::now() + wait;
    loop {
        let mut sql = Sql::new(
            "select bool_and(d ->> 'done_at' is not null or d ->> 'error' is not null)::text as is_over,
                    string_agg((d ->> 'channel') || ': ' || case when d ->> 'done_at' is not null then 'told' else coalesce(d ->> 'error', 'waits') end,
                               E'\\n' order by d ->> 'channel') as said
               from public.alerts() a cross join lateral jsonb_array_elements(a.deliveries) d where a.id = ",
        );
        sql.bind(id.as_str()).text("::uuid");
        let rows = own.run(None, "looks what became of a test", sql).await?;
        let row = rows.first().ok_or_else(|| CliError::refused("alert_test_lost", "the test is not there any more"))?;
        if text(row, "is_over")? == "true" || Instant::now() >= deadline {
            return text(row, "said");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
