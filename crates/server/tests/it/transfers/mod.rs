//! Work over many rows, asked for over HTTP and done by the server's own worker.

mod bulk;
mod exports;
mod imports;
pub(crate) mod shop;
