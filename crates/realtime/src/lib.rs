//! Realtime: changed rows, broadcast and presence, told over sockets.
//!
//! Invariant: nothing is lost in silence, and nobody hears of what he may not see.

pub mod changes;
