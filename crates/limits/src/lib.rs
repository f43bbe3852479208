//! How often somebody may ask: buckets that empty by use and fill evenly with time.
//!
//! Invariant: of several buckets that one request needs, all are looked at before anything is taken out of any, so that whoever is refused
//! has paid nothing; and a bucket's key is a keyed hash, so that it says of nobody that he was here.

mod buckets;
mod key;
mod local;
mod network;
mod rate;

pub use buckets::{Buckets, Demand, Taken};
pub use key::{Key, Keys};
pub use network::network;
pub use rate::{Left, Rate};
