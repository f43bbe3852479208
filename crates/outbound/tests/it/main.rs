//! The outbox, the ways out of it and the mailbox, on a database.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod failover;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod post;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod pushes;
#[cfg(test)]
mod secured;
#[cfg(test)]
mod sent;
#[cfg(test)]
mod stand_ins;
