//! `thorbis mail`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use kernel::{Authority, Grant, RequestContext};
use outbound::mailbox::{self, Captured};
use outbound::templates::{Brand, Template, Templates, Values};
use postgres::{Access, Database, PoolOptions, Tx};

use super::{CliError, place, say};
use crate::config::Settings;

/// Read the messages that a development server kept instead of sending them, and see what messages look like
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis mail list
  thorbis mail preview recovery")]
pub(super) struct Mail {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the messages that were kept, the newest first
    #[command(after_help = "\
Examples:
  thorbis mail list
  thorbis mail list --search to:ann@example.com --limit 1")]
    List {
        /// Words, or `to:`, `from:`, `subject:`, `tag:`, `is:unread`, as in Mailpit
        #[arg(long, default_value = "")]
        search: String,
        /// How many at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
    },
    /// Print a message as it would be sent, with made-up values
    #[command(after_help = "\
Examples:
  thorbis mail preview confirmation
  thorbis mail preview recovery --locale es --html
  thorbis mail preview company_invitation --company demo-plumbing")]
    Preview {
        /// What the message is for
        #[arg(value_parser = Template::ALL.map(Template::name))]
        template: String,
        /// Its language
        #[arg(long, default_value = "")]
        locale: String,
        /// The name that stands above it
        #[arg(long)]
        brand: Option<String>,
        /// The slug of a company in whose name and language it is, as its row says
        #[arg(long, conflicts_with = "brand")]
        company: Option<String>,
        /// The HTML instead of the text
        #[arg(long)]
        html: bool,
    },
}

impl Mail {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        match &self.command {
            Command::List { search, limit } => list(settings, search, *limit).await,
            Command::Preview { template, locale, brand, company, html } => {
                let templates = Templates::load(&settings.outbound.mail)?;
                let Some(template) = Template::ALL.into_iter().find(|known| known.name() == template) else {
                    return Err(CliError::refused("template_unknown", "there is no such template"));
                };
                let brand = match company {
                    Some(slug) => of_company(settings, slug).await?,
                    None => Brand { name: brand.clone(), ..Brand::default() },
                };
                let message = templates.render(template, locale, &brand, &example())?;
                if *html {
                    say(&message.html)?;
                } else if template == Template::Sms {
                    say(&message.text)?;
                } else {
                    say(&format!("Subject: {}\n\n{}", message.subject, message.text))?;
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn example() -> Values {
    Values {
        email: "ann@example.com".to_owned(),
        new_email: "ann.lee@example.com".to_owned(),
        code: "123456".to_owned(),
        link: "https://api.example.com/auth/v1/verify?token=example".to_owned(),
        minutes: 60,
        inviter: "Ann Lee".to_owned(),
    }
}

async fn list(settings: &Settings, search: &str, limit: i64) -> Result<ExitCode, CliError> {
    let messages = ask(settings, "lists kept messages", async |tx| mailbox::newest(tx, search, limit, 0).await).await?;
    if messages.is_empty() {
        say("no messages were kept")?;
    }
    for message in messages {
        let Captured { id, channel, recipient, subject, text, created_at, .. } = message;
        say(&format!("{created_at}  {channel}  {recipient}  {id}\n{subject}\n\n{}\n", text.trim_end()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn of_company(settings: &Settings, slug: &str) -> Result<Brand, CliError> {
    let found = ask(settings, "reads a company's brand", async |tx| Brand::of_company(tx, slug).await).await?;
    found.ok_or_else(|| CliError::refused("company_not_found", "there is no company with this slug"))
}

/// Asks the database for something, wherever it is.
async fn ask<T>(settings: &Settings, reason: &'static str, question: impl AsyncFnOnce(&Tx) -> kernel::Result<T>) -> Result<T, CliError> {
    let (config, place) = place::connect(settings).await?;
    let options =
        PoolOptions { root_certificate_file: settings.database.root_certificate_file.clone(), size_max: 1, ..PoolOptions::new(config) };
    let outcome = Box::pin(read(options, reason, question)).await;
    if let Some(place) = place {
        place.leave().await?;
    }
    Ok(outcome?)
}

async fn read<T>(options: PoolOptions, reason: &'static str, question: impl AsyncFnOnce(&Tx) -> kernel::Result<T>) -> kernel::Result<T> {
    let database = Database::new(options)?;
    #[expect(clippy::disallowed_methods, reason = "the command is a process of its own, run by whoever has the database's login")]
    let grant = Grant::system(&Authority::establish(), None, reason);
    let tx = database.begin(&grant, &RequestContext::default(), Access::Read).await?;
    let answer = question(&tx).await?;
    tx.rollback().await?;
    database.close();
    Ok(answer)
}
