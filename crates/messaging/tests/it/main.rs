//! Webhooks and notifications against a real PostgreSQL, and receivers that fail.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod deliveries;
#[cfg(test)]
mod events;
#[cfg(test)]
mod inbound;
#[cfg(test)]
mod notification_ways;
#[cfg(test)]
mod notifications;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod unsubscribe;
