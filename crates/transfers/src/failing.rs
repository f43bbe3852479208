//! What becomes of a task whose work was refused.
//!
//! Invariant: what will be refused again is not tried again; what is our fault, or a disk's or a network's, is.

use kernel::{Error, Kind};
use queue::Failure;

/// Tells whether an error will be the same next time.
pub(crate) fn is_final(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::BadRequest
            | Kind::Unauthenticated
            | Kind::Forbidden
            | Kind::NotFound
            | Kind::TooLarge
            | Kind::Unprocessable
            | Kind::Status(402)
    ) || error.kind() == Kind::Conflict && error.code() != "task_lost"
}

/// Turns an error into how the attempt ended.
pub(crate) fn failure(error: Error) -> Failure {
    if is_final(&error) { Failure::never(format!("{} ({})", error.message(), error.code())) } else { Failure::from(error) }
}

/// The attempt ends because somebody said so.
pub(crate) fn stopped() -> Error {
    Error::new(Kind::Unavailable, "task_stopped", "The task was told to stop")
}
