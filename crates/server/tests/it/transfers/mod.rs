//! Work over many rows, asked for over HTTP and done by the server's own worker.

mod exports;
mod shop;
