//! The data API alone, on a database that knows nothing of us.

mod guide;
mod large;
mod operation;
mod program;
mod requests;
