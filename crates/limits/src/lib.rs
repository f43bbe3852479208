//! How often somebody may ask: buckets that empty by use and fill evenly with time, classes of requests with their rates, and what holds
//! for a company or a tier instead.
//!
//! Invariant: of several buckets that one request needs, all are looked at before anything is taken out of any, so that whoever is refused
//! has paid nothing; and a bucket's key is a keyed hash, so that it says of nobody that he was here.
//!
//! [`Buckets`] is the mechanism, for whoever has rates of his own; [`Limiter`] is what the edge asks about each request, and [`Meter`]
//! what a handler finds beside one that turns out to cost more.

mod buckets;
mod class;
mod config;
mod fields;
mod key;
mod limiter;
mod local;
mod meter;
mod network;
mod rate;
mod rules;
mod shared;

pub use buckets::{Buckets, Demand, Taken};
pub use class::Class;
pub use config::{Mode, RatesConfig};
pub use key::{Key, Keys};
pub use limiter::{Asker, Decision, Limiter, Whom};
pub use meter::Meter;
pub use network::network;
pub use rate::{Left, Rate};
pub use rules::{Counted, Rule, Tier};
