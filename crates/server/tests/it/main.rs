//! The server as programs see it: over HTTP, and by its command line.

mod cli;
mod edge;
mod health;
mod running;
mod tls;
