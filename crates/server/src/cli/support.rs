//! `thorbis support`.
//!
//! Invariant: support works in a company only through the route that asks for its consent, under the operator's name and with a reason.

use std::process::ExitCode;

use auth::keys::store;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use postgres::Sql;
use serde_json::{Value, json};
use uuid::Uuid;

use super::own::{Own, text};
use super::{CliError, place, say};
use crate::backend::{Backend, BackendOptions};
use crate::config::Settings;

/// Work in a company in the place of a member, where the company agreed; see who does, and end it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis support list
  thorbis support begin demo-plumbing owner@demo.thorbis.example --operator sam@support.example --reason \"ticket 4711\"")]
pub(super) struct Support {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the sessions of support, the newest first
    #[command(after_help = "\
Examples:
  thorbis support list
  thorbis support list --company demo-plumbing --open")]
    List {
        /// The slug of the one company
        #[arg(long)]
        company: Option<String>,
        /// Those that are not over
        #[arg(long)]
        open: bool,
        /// How many at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
    },
    /// Ask for a session in the place of a member, and print its token
    #[command(after_help = "\
Examples:
  thorbis support begin demo-plumbing owner@demo.thorbis.example --operator sam@support.example --reason \"ticket 4711\" --minutes 15")]
    Begin {
        /// The company's slug
        company: String,
        /// The member's address
        member: String,
        /// Who works there: an address of the operator's
        #[arg(long)]
        operator: String,
        /// Why, for the company to read
        #[arg(long)]
        reason: String,
        /// For how long
        #[arg(long)]
        minutes: Option<u32>,
    },
    /// End sessions of support in a company at once
    #[command(after_help = "\
Examples:
  thorbis support end demo-plumbing
  thorbis support end demo-plumbing --id 01900000-0000-7000-8000-00000000f001")]
    End {
        /// The company's slug
        company: String,
        /// One of them, and not all
        #[arg(long)]
        id: Option<Uuid>,
    },
}

impl Support {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let told = match &self.command {
            Command::List { company, open, limit } => {
                let own = Own::connect(settings).await?;
                let outcome = list(&own, company.as_deref(), *open, *limit).await;
                own.leave().await?;
                outcome?
            }
            Command::Begin { .. } => Box::pin(self.begin(settings)).await?,
            Command::End { company, id } => {
                let own = Own::connect(settings).await?;
                let outcome = end(&own, company, *id).await;
                own.leave().await?;
                format!("{} sessions of support in {company} are over", outcome?)
            }
        };
        say(&told)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn begin(&self, settings: &Settings) -> Result<String, CliError> {
        let Command::Begin { company, member, operator, reason, minutes } = &self.command else { return Ok(String::new()) };
        let file = settings.key_ring_file();
        let missing = || CliError::refused("keys_missing", format!("there are no keys at {} yet", file.display()));
        let keys = store::load(&file)?.ok_or_else(missing)?;
        let (server, place) = place::connect(settings).await?;
        let public_url = settings.public_url.as_deref().unwrap_or("http://localhost");
        let backend = Backend::new(BackendOptions { settings, server, keys: keys.clone(), public_url })?;
        let wish = json!({ "operator": operator, "reason": reason, "minutes": minutes });
        let outcome = Box::pin(backend.impersonate(&keys, company, member, wish)).await;
        backend.close();
        if let Some(place) = place {
            place.leave().await?;
        }
        let session = outcome?;
        let token = session.get("access_token").and_then(Value::as_str).unwrap_or_default();
        let ends_at = session.get("expires_at").and_then(Value::as_i64).and_then(|second| Timestamp::from_second(second).ok());
        let ends_at = ends_at.map(|moment| moment.to_string()).unwrap_or_default();
        Ok(format!("{operator} works in {company} as {member}\nends at  {ends_at}\ntoken    {token}"))
    }
}

async fn list(own: &Own, company: Option<&str>, open: bool, limit: i64) -> Result<String, CliError> {
    let mut sql = Sql::new(
        "select w.id::text as id, c.slug, u.email as member, w.operator, w.reason, w.created_at::text as begun,
                case when w.ended_at is not null then 'ended ' || w.ended_at::text
                     when w.expires_at <= now() then 'over since ' || w.expires_at::text else 'until ' || w.expires_at::text end as state
           from public.support_sessions w join public.companies c on c.id = w.company_id left join auth.users u on u.id = w.user_id where ",
    );
    match company {
        Some(slug) => sql.text("w.company_id = ").bind(own.company(slug).await?).text("::uuid"),
        None => sql.text("true"),
    };
    sql.text(" and (not ").bind(open).text("::boolean or w.ended_at is null and w.expires_at > now()) ");
    sql.text("order by w.created_at desc, w.id limit ").bind(limit).text("::bigint");
    let rows = own.run(None, "lists the sessions of support", sql).await?;
    if rows.is_empty() {
        return Ok("no sessions of support".to_owned());
    }
    let line = |row| {
        let word = |column| text(row, column);
        let (who, state) = (format!("{} as {}", word("operator")?, word("member")?), word("state")?);
        Ok(format!("{}  {}  {}  {}  {}  {}", word("begun")?, word("slug")?, who, state, word("id")?, word("reason")?))
    };
    Ok(rows.iter().map(line).collect::<Result<Vec<_>, CliError>>()?.join("\n"))
}

/// Ends sessions; a trigger notes it for the company.
async fn end(own: &Own, slug: &str, id: Option<Uuid>) -> Result<usize, CliError> {
    let company = own.company(slug).await?;
    let mut sql = Sql::new("update auth.sessions s set revoked_at = now() from public.support_sessions w where w.company_id = ");
    sql.bind(company).text("::uuid and w.id = coalesce(").bind(id).text("::uuid, w.id) and w.ended_at is null ");
    sql.text("and s.id = w.session_id and s.revoked_at is null returning s.id");
    Ok(own.run(None, "ends sessions of support", sql).await?.len())
}
