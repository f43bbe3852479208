//! What the proof finds is the same however the database was installed: these run once.

#[cfg(test)]
mod planted;
