//! x
mod refresh_token;
