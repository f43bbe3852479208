//! The server as programs see it: over HTTP, and by its command line.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod audit;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod database;
#[cfg(test)]
mod edge;
#[cfg(test)]
mod health;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod program;
#[cfg(test)]
mod running;
#[cfg(test)]
mod seed;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod upkeep;
#[cfg(test)]
mod written;
