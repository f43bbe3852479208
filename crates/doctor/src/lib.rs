//! Checks of any PostgreSQL database.
