//! Sockets and channels, as clients speak to them, over a server that is wired like every other.

mod changes;
mod channels;
pub(crate) mod house;
mod limits;
mod listening;
mod nodes;
mod presence;
mod presence_rows;
mod private;
mod reader;
mod requests;
mod sequences;
mod sql;
mod wire;
