//! Starts a throw-away cluster with a migrated template, runs a command that finds it in its environment, and stops the cluster.
//!
//! Invariant: it ends as the command ended, and the cluster does not outlive it.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use testkit::{Install, ThrowAway, VARIABLE};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let usage = "usage: test-cluster --install superuser|plain -- COMMAND [ARGUMENTS]";
    let install = match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(flag), Some(install), Some(rest)) if flag == "--install" && rest == "--" => match install.to_str() {
            Some("superuser") => Install::Superuser,
            Some("plain") => Install::Plain,
            _ => bail!("{usage}"),
        },
        _ => bail!("{usage}"),
    };
    let program = arguments.next().context(usage)?;
    let cluster = ThrowAway::start(install).await?;
    let addresses = serde_json::to_string(cluster.addresses())?;
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).env(VARIABLE, addresses);
    let outcome = tokio::select! {
        outcome = command.status() => outcome,
        () = testkit::sweep(cluster.addresses()) => bail!("the sweeper ended"),
    };
    cluster.stop().await?;
    let code = outcome?.code().unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
