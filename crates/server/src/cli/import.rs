//! `thorbis import`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use kernel::Secret;
use postgres::migrate::{Bring, Origin, Source};

use super::place::Place;
use super::{CliError, say};
use crate::config::Settings;
use crate::start::{database, variables};

/// Bring a project with its rows and accounts from where it runs
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis import supabase --help")]
pub(super) struct Import {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// From Supabase: schema, rows, accounts with the hashes of their passwords, and the records of files. What is brought once is
    /// brought again only where it differs
    #[command(after_help = "\
Examples:
  thorbis import supabase --help")]
    Supabase {
        /// The project's database, as `postgres://postgres:password@host:5432/postgres`: not the pooler of transactions
        #[arg(long, value_name = "URL", env = "SUPABASE_DB_URL", hide_env_values = true, value_parser = secret)]
        from: Secret<String>,
    },
}

impl Import {
    pub(super) async fn run(self, settings: &Settings) -> Result<ExitCode, CliError> {
        let Command::Supabase { from } = self.command;
        let (config, login) = database::named_database(from.expose(), "--from", settings)?;
        let program = settings.database.programs_directory.as_ref().map(|folder| folder.join("pg_dump"));
        let origin = Origin {
            login,
            dump_program: program.filter(|path| path.try_exists().unwrap_or(false)).unwrap_or_else(|| "pg_dump".into()),
            dump_environment: variables::of(settings, &config, from.expose()),
        };
        let place = Place::find(settings).await?;
        let result = Box::pin(import(&origin, &place, settings)).await;
        place.leave().await?;
        let (text, code) = result?;
        say(&text)?;
        Ok(code)
    }
}

async fn import(origin: &Origin, place: &Place, settings: &Settings) -> Result<(String, ExitCode), CliError> {
    let (migrator, options) = (place.migrator(), database::migrate_options(settings)?);
    migrator.up(&Source::Embedded, &options).await?;
    let bring = Bring { seed: false, force_row_security: settings.database.project_force_row_security };
    let report = Box::pin(migrator.import_supabase(origin, bring, &options)).await?;
    Ok((report.to_string(), if report.is_same() { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

#[expect(clippy::unnecessary_wraps, reason = "clap asks for a parser that can fail")]
fn secret(text: &str) -> Result<Secret<String>, std::convert::Infallible> {
    Ok(Secret::new(text.to_owned()))
}
