//! `thorbis companies`.
//!
//! Invariant: a company is changed through the functions of the service key alone; what they refuse, a command refuses.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use postgres::Sql;

use super::company_archives::{DeletionProof, Export, Import};
use super::own::{Own, text};
use super::{CliError, say};
use crate::config::Settings;

/// See the companies that there are, keep one out, delete it, bring it back, and say what it has subscribed to
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis companies list
  thorbis companies show demo-plumbing")]
pub(super) struct Companies {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the companies, the newest first
    #[command(after_help = "\
Examples:
  thorbis companies list
  thorbis companies list --search plumbing --limit 5
  thorbis companies list --deleted")]
    List {
        /// Part of the name or slug
        #[arg(long, default_value = "")]
        search: String,
        /// Those that were deleted and can still be brought back
        #[arg(long)]
        deleted: bool,
        /// How many at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
    },
    /// Print what is known of a company: owner, subscription, members, state
    #[command(after_help = "Examples:\n  thorbis companies show demo-plumbing")]
    Show {
        /// The company's slug
        slug: String,
    },
    /// Keep all members out from their next request on; they are told the reason
    #[command(after_help = "Examples:\n  thorbis companies suspend demo-plumbing --reason \"an unpaid invoice\"")]
    Suspend {
        /// The company's slug
        slug: String,
        /// What its members are told
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let the members of a suspended company in again
    #[command(after_help = "Examples:\n  thorbis companies resume demo-plumbing")]
    Resume {
        /// The company's slug
        slug: String,
    },
    /// Close a company at once; its rows go when the time of grace is over
    #[command(after_help = "Examples:\n  thorbis companies delete demo-plumbing --reason \"asked for by its owner\"")]
    Delete {
        /// The company's slug
        slug: String,
        /// Why, for the audit
        #[arg(long)]
        reason: String,
    },
    /// Bring a deleted company back, as long as it is there
    #[command(after_help = "Examples:\n  thorbis companies restore demo-plumbing")]
    Restore {
        /// The company's slug
        slug: String,
    },
    /// Write a company with its rows, files and accounts into an archive, as it is at one moment
    ///
    /// Secrets, tokens and work in flight stay behind; the answer says what has to be made again. docs/company-archives.md has the list.
    #[command(after_help = "\
Examples:
  thorbis companies export --help
  thorbis company export --help")]
    Export(Export),
    /// Bring a company in from an archive: all of it, compared with its manifest, or nothing
    #[command(after_help = "\
Examples:
  thorbis companies import --help")]
    Import(Import),
    /// Prove that nothing of a deleted company is left: its id is looked for in every column of every table, and among the files
    ///
    /// Ends with 1 if anything is left.
    #[command(after_help = "\
Examples:
  thorbis companies deletion-proof --help")]
    DeletionProof(DeletionProof),
    /// Set tier, status and seats of a company by hand; what is left out stays
    #[command(after_help = "\
Examples:
  thorbis companies subscribe demo-plumbing --tier pro --seats 25
  thorbis companies subscribe demo-plumbing --status active --reason \"agreed by telephone\"")]
    Subscribe {
        /// The company's slug
        slug: String,
        /// What it has
        #[arg(long, value_parser = ["free", "starter", "pro", "enterprise"])]
        tier: Option<String>,
        /// Whether it pays
        #[arg(long, value_parser = ["trialing", "active", "past_due", "incomplete", "cancelled"])]
        status: Option<String>,
        /// Members that it may have
        #[arg(long, value_parser = clap::value_parser!(i32).range(1..=999_999))]
        seats: Option<i32>,
        /// Why, to be found later
        #[arg(long)]
        reason: Option<String>,
    },
}

impl Companies {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        match &self.command {
            Command::Export(export) => return Box::pin(export.run(settings)).await,
            Command::Import(import) => return Box::pin(import.run(settings)).await,
            Command::DeletionProof(proof) => return Box::pin(proof.run(settings)).await,
            _ => {}
        }
        let own = Own::connect(settings).await?;
        let outcome = Box::pin(self.work(&own)).await;
        own.leave().await?;
        say(&outcome?)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn work(&self, own: &Own) -> Result<String, CliError> {
        match &self.command {
            Command::List { search, deleted, limit } => list(own, search, *deleted, *limit).await,
            Command::Show { slug } => show(own, slug).await,
            Command::Suspend { slug, reason } => {
                let mut sql = Sql::new("select from public.suspend_company(");
                sql.bind(own.company(slug).await?).text("::uuid, ").bind(reason.clone()).text("::text)");
                own.run(None, "suspends a company", sql).await?;
                Ok(format!("{slug} is suspended: its members are kept out from their next request on"))
            }
            Command::Resume { slug } => {
                let mut sql = Sql::new("select from public.resume_company(");
                sql.bind(own.company(slug).await?).text("::uuid)");
                own.run(None, "lets the members of a company in again", sql).await?;
                Ok(format!("{slug} is open to its members"))
            }
            Command::Delete { slug, reason } => {
                let mut sql = Sql::new("select c.permanent_delete_scheduled_at::text as goes_at from public.delete_company(");
                sql.bind(slug.as_str()).text("::text, ").bind(reason.as_str()).text("::text) c");
                let rows = own.run(Some(own.company(slug).await?), "deletes a company", sql).await?;
                let goes_at = rows.first().map(|row| text(row, "goes_at")).transpose()?.unwrap_or_default();
                Ok(format!("{slug} is closed; it can be brought back until {goes_at}"))
            }
            Command::Restore { slug } => {
                let mut sql = Sql::new("select from public.restore_company(");
                sql.bind(own.company(slug).await?).text("::uuid)");
                own.run(None, "brings a company back", sql).await?;
                Ok(format!("{slug} is back"))
            }
            Command::Subscribe { slug, tier, status, seats, reason } => {
                let mut sql = Sql::new("select s ->> 'tier' as tier, s ->> 'status' as status, s ->> 'seats' as seats ");
                sql.text("from public.set_company_subscription(").bind(own.company(slug).await?).text("::uuid, ").bind(tier.clone());
                sql.text("::text, ").bind(status.clone()).text("::text, ").bind(*seats).text("::integer, null, ").bind(reason.clone());
                sql.text("::text) s");
                let rows = own.run(None, "sets a company's subscription", sql).await?;
                let row = rows.first().ok_or_else(|| CliError::refused("company_not_found", "the company is gone"))?;
                Ok(format!("{slug}  {}  {}  {} seats", text(row, "tier")?, text(row, "status")?, text(row, "seats")?))
            }
            // Done above, as the owner of the tables.
            Command::Export(_) | Command::Import(_) | Command::DeletionProof(_) => Ok(String::new()),
        }
    }
}

async fn list(own: &Own, search: &str, deleted: bool, limit: i64) -> Result<String, CliError> {
    let mut sql = Sql::new(
        "select c.slug, c.name, c.subscription_tier, c.id::text as id,
                case when c.deleted_at is not null then 'deleted, until ' || c.permanent_delete_scheduled_at::text
                     when c.suspended_at is not null then 'suspended' else c.subscription_status end as state
           from public.companies c where (c.deleted_at is not null) = ",
    );
    sql.bind(deleted).text("::boolean and position(lower(").bind(search).text("::text) in lower(c.name || ' ' || c.slug)) > 0 ");
    sql.text("order by c.created_at desc, c.id limit ").bind(limit).text("::bigint");
    let rows = own.run(None, "lists companies", sql).await?;
    if rows.is_empty() {
        return Ok("no such companies".to_owned());
    }
    let line = |row| {
        let word = |column| text(row, column);
        Ok(format!("{}  {}  {}  {}  {}", word("slug")?, word("id")?, word("subscription_tier")?, word("state")?, word("name")?))
    };
    Ok(rows.iter().map(line).collect::<Result<Vec<_>, CliError>>()?.join("\n"))
}

async fn show(own: &Own, slug: &str) -> Result<String, CliError> {
    let mut sql = Sql::new(
        "select c.id::text as id, c.name, u.email as owner, c.industry, c.subscription_tier, c.subscription_status, c.created_at::text as founded,
                (select count(*) from public.team_members m
                  where m.company_id = c.id and m.status = 'active' and m.archived_at is null)::text || ' of ' || c.max_seats::text as members,
                case when c.deleted_at is not null then 'deleted, until ' || c.permanent_delete_scheduled_at::text
                     when c.suspended_at is not null then 'suspended: ' || coalesce(c.suspension_reason, 'no reason')
                     else 'open' end as state,
                coalesce(c.writes_until::text, 'always') as writes
           from public.companies c left join auth.users u on u.id = c.owner_id where c.id = ",
    );
    sql.bind(own.company(slug).await?).text("::uuid");
    let rows = own.run(None, "shows a company", sql).await?;
    let row = rows.first().ok_or_else(|| CliError::refused("company_not_found", format!("there is no company {slug}")))?;
    let lines = [
        ("name", "name"),
        ("id", "id"),
        ("state", "state"),
        ("owner", "owner"),
        ("industry", "industry"),
        ("tier", "subscription_tier"),
        ("status", "subscription_status"),
        ("writes until", "writes"),
        ("members", "members"),
        ("founded", "founded"),
    ];
    let line = |(name, column): (&str, &str)| Ok(format!("{name:<13} {}", text(row, column)?));
    Ok(lines.into_iter().map(line).collect::<Result<Vec<_>, CliError>>()?.join("\n"))
}
