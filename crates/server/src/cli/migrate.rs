//! `thorbis migrate`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use postgres::migrate::{self, Back, Bring, Change, NewMigration, Options, Project, Source};

use super::place::Place;
use super::{CliError, say};
use crate::config::Settings;
use crate::start::database;

/// The folder of a checkout that `new` writes to and `lint` reads.
const FOLDER: &str = "db";

/// Bring the schema up to date, back, or look at it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis migrate status
  thorbis migrate up")]
pub(super) struct Migrate {
    /// A folder laid out like db/, instead of what is built in
    #[arg(long, global = true, value_name = "DIR")]
    source: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Apply what is pending
    #[command(after_help = "\
Examples:
  thorbis migrate up
  thorbis migrate up --dir ./shop --seed")]
    Up {
        /// Then apply a project made for Supabase: its folder, or its folder of migrations
        #[arg(long, value_name = "PATH", conflicts_with = "to")]
        dir: Option<PathBuf>,
        /// Run the project's seeds, too, once each
        #[arg(long, requires = "dir")]
        seed: bool,
        /// Stop after this version
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
    },
    /// Take migrations back, newest first
    #[command(after_help = "Examples:\n  thorbis migrate down --steps 1")]
    Down {
        /// How many
        #[arg(long, value_name = "COUNT", required_unless_present = "to", conflicts_with = "to")]
        steps: Option<usize>,
        /// Until this version is the last one; 0 takes all back
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
    },
    /// Compare the database with the files
    #[command(after_help = "Examples:\n  thorbis migrate status")]
    Status,
    /// Write the files of a new migration
    #[command(after_help = "\
Examples:
  thorbis migrate new add_customer_rating --source ./db
  thorbis migrate new rating --source ./db --expand add --table public.customers --column rating --type bigint --fill 0
  thorbis migrate new label --source ./db --expand rename --table public.customers --column source --to origin --type text")]
    New(New),
    /// Refuse what would lock a busy table or open a hole between companies
    #[command(after_help = "Examples:\n  thorbis migrate lint")]
    Lint,
    /// Prove on a fresh database that every migration goes up, down and up again
    #[command(after_help = "Examples:\n  thorbis migrate test")]
    Test,
    /// Drop everything and apply it again; in development only
    #[command(after_help = "Examples:\n  thorbis migrate reset --env development --yes")]
    Reset {
        /// Yes, all data may go
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct New {
    /// `verb_name`, such as `add_customer_rating`
    name: String,
    /// Who writes it
    #[arg(long, default_value = "unnamed", env = "USER", hide_env = true)]
    author: String,
    /// Write a change of a column in three steps: expand, backfill, contract
    #[arg(long, value_enum, requires_all = ["table", "column", "sql_type"])]
    expand: Option<Expand>,
    /// The table, `schema.table`
    #[arg(long)]
    table: Option<String>,
    /// The column
    #[arg(long)]
    column: Option<String>,
    /// Its type, as SQL
    #[arg(long = "type", value_name = "TYPE")]
    sql_type: Option<String>,
    /// For `add`: the value of old rows and the default of new ones, as SQL
    #[arg(long)]
    fill: Option<String>,
    /// For `rename`: the new name
    #[arg(long)]
    to: Option<String>,
    /// For `rename`: every row has a value
    #[arg(long)]
    not_null: bool,
    /// The columns of the primary key
    #[arg(long, value_delimiter = ',', default_value = "company_id,id")]
    key: Vec<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Expand {
    Add,
    Rename,
}

impl Migrate {
    pub(super) async fn run(self, settings: &Settings) -> Result<ExitCode, CliError> {
        let source = source(self.source.as_deref());
        match self.command {
            Command::New(new) => return new.run(&folder_source(self.source.as_deref())),
            Command::Lint => return lint(&folder_source(self.source.as_deref())),
            Command::Reset { yes } => allow_reset(settings, yes)?,
            Command::Up { .. } | Command::Down { .. } | Command::Status | Command::Test => {}
        }
        let place = Place::find(settings).await?;
        let result = Box::pin(in_database(self.command, &place, &source, settings)).await;
        place.leave().await?;
        let (text, code) = result?;
        say(&text)?;
        Ok(code)
    }
}

/// Returns the files to work with.
pub(super) fn source(folder: Option<&Path>) -> Source {
    folder.map_or(Source::Embedded, |folder| Source::Folder(folder.to_owned()))
}

async fn in_database(command: Command, place: &Place, source: &Source, settings: &Settings) -> Result<(String, ExitCode), CliError> {
    let (migrator, mut options) = (place.migrator(), database::migrate_options(settings)?);
    let done = |text: String| Ok((text, ExitCode::SUCCESS));
    match command {
        Command::Up { to, dir, seed } => {
            options.to = to;
            let Some(dir) = dir else { return done(migrator.up(source, &options).await?.to_string()) };
            // A folder that holds nothing is told before anything is changed.
            let project = Project::open(&dir)?;
            migrator.up(source, &options).await?;
            let bring = Bring { seed, force_row_security: settings.database.project_force_row_security };
            done(Box::pin(migrator.bring(&project, bring, &options)).await?.to_string())
        }
        Command::Down { steps, to } => {
            let back = to.map_or_else(|| Back::Steps(steps.unwrap_or(1)), Back::To);
            done(migrator.down(source, &back, &options).await?.to_string())
        }
        Command::Status => {
            let status = migrator.status(source).await?;
            Ok((status.to_string(), if status.is_current() { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
        }
        Command::Test => done(migrator.prove(source, &Options { server_login: None, ..options }).await?.to_string()),
        Command::Reset { .. } => done(migrator.reset(source, &options).await?.to_string()),
        // Answered before a database was looked for.
        Command::New(_) | Command::Lint => done(String::new()),
    }
}

fn allow_reset(settings: &Settings, yes: bool) -> Result<(), CliError> {
    if !settings.is_development() {
        let message = "reset drops all data and works with --env development only";
        return Err(CliError::refused("reset_not_allowed", message));
    }
    if !yes {
        return Err(CliError::refused("reset_not_confirmed", "reset drops all data; say --yes"));
    }
    Ok(())
}

fn folder_source(folder: Option<&Path>) -> Source {
    match folder {
        Some(folder) => Source::Folder(folder.to_owned()),
        None if Path::new(FOLDER).is_dir() => Source::Folder(PathBuf::from(FOLDER)),
        None => Source::Embedded,
    }
}

fn lint(source: &Source) -> Result<ExitCode, CliError> {
    let findings = migrate::lint(source)?;
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    say(&if lines.is_empty() { "clean".to_owned() } else { lines.join("\n") })?;
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl New {
    fn run(self, source: &Source) -> Result<ExitCode, CliError> {
        if source.folder().is_none() {
            return Err(CliError::refused("source_missing", "there is no folder db here; name one with --source"));
        }
        let (name, author) = (self.name.clone(), self.author.clone());
        let wanted = NewMigration { name, author, now: jiff::Timestamp::now(), change: self.change()? };
        let paths = migrate::new(source, &wanted)?;
        let lines: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        say(&lines.join("\n"))?;
        Ok(ExitCode::SUCCESS)
    }

    fn change(self) -> Result<Change, CliError> {
        let Some(expand) = self.expand else { return Ok(Change::Empty) };
        let missing = |option: &str| CliError::refused("argument_missing", format!("--expand needs {option}"));
        let table = self.table.ok_or_else(|| missing("--table"))?;
        let column = self.column.ok_or_else(|| missing("--column"))?;
        let sql_type = self.sql_type.ok_or_else(|| missing("--type"))?;
        let key = self.key;
        Ok(match expand {
            Expand::Add => {
                let fill = self.fill.ok_or_else(|| missing("--fill"))?;
                Change::AddColumn { table, column, sql_type, fill, key }
            }
            Expand::Rename => {
                let to = self.to.ok_or_else(|| missing("--to"))?;
                Change::RenameColumn { table, from: column, to, sql_type, not_null: self.not_null, key }
            }
        })
    }
}
