//! The data API against a real PostgreSQL, through its router and behind the auth layer.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod activities;
#[cfg(test)]
mod aggregates;
#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod batch;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod channels;
#[cfg(test)]
mod companies;
#[cfg(test)]
mod control;
#[cfg(test)]
mod counts;
#[cfg(test)]
mod deletion;
#[cfg(test)]
mod documented_policies;
#[cfg(test)]
mod embedding;
#[cfg(test)]
mod embedding_refused;
#[cfg(test)]
mod embedding_walls;
#[cfg(test)]
mod embedding_writes;
#[cfg(test)]
mod explained;
#[cfg(test)]
mod field_work;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod filters;
mod html;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod injection;
#[cfg(test)]
mod job_teams;
#[cfg(test)]
mod joining;
#[cfg(test)]
mod leniency;
mod limits;
#[cfg(test)]
mod links;
#[cfg(test)]
mod masked;
mod media;
#[cfg(test)]
mod money;
#[cfg(test)]
mod money_at_once;
#[cfg(test)]
mod money_contracts;
#[cfg(test)]
mod money_estimates;
#[cfg(test)]
mod money_figures;
mod money_invoices;
#[cfg(test)]
mod money_lines;
#[cfg(test)]
mod money_payments;
#[cfg(test)]
mod money_repeats;
#[cfg(test)]
mod notifications;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod options;
#[cfg(test)]
mod owner_passwords;
#[cfg(test)]
mod paging;
#[cfg(test)]
mod partitions;
#[cfg(test)]
mod people_of_company;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod policy_conditions;
#[cfg(test)]
mod portal;
#[cfg(test)]
mod price_book;
#[cfg(test)]
mod project_import;
#[cfg(test)]
mod projects;
#[cfg(test)]
mod purchasing;
#[cfg(test)]
mod rates;
#[cfg(test)]
mod reach;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod representations;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod rpc;
#[cfg(test)]
mod scheduled;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod search;
#[cfg(test)]
mod server;
#[cfg(test)]
mod service;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod stock;
#[cfg(test)]
mod story;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod subscriptions;
#[cfg(test)]
mod tasks;
#[cfg(test)]
mod tenancy;
#[cfg(test)]
mod together;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod upserts;
#[cfg(test)]
mod values;
#[cfg(test)]
mod versions;
#[cfg(test)]
mod views;
#[cfg(test)]
mod warnings;
#[cfg(test)]
mod writes;
#[cfg(test)]
mod yard;
