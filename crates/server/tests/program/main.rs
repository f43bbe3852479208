//! The server as programs see it: over HTTP, and by its command line, each test with a folder and a PostgreSQL of its own.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod acme;
#[cfg(test)]
mod backups;
#[cfg(test)]
mod balanced;
#[cfg(test)]
#[path = "../it/bare.rs"]
mod bare;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod company_archives;
#[cfg(test)]
mod database;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod dumps;
#[cfg(test)]
mod dumps_made;
#[cfg(test)]
mod edge;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod health;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod large;
#[cfg(test)]
mod listened;
#[cfg(test)]
mod new_major;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod process;
#[cfg(test)]
mod quiet;
#[cfg(test)]
#[path = "../it/realtime/reader.rs"]
mod reader;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod running;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod seed;
#[cfg(test)]
mod service;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod smoke;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod stored;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod traced;
#[cfg(test)]
mod transfers;
#[cfg(test)]
mod upgrades;
#[cfg(test)]
mod worked;
#[cfg(test)]
mod written;
