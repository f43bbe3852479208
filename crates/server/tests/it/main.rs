//! What the server does by itself, in databases that were installed by either sort of login.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod alerts;
#[cfg(test)]
mod alone;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod bare;
#[cfg(test)]
mod cached;
#[cfg(test)]
mod http_requests;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod kept_things;
#[cfg(test)]
mod kept_together;
#[cfg(test)]
mod letters;
#[cfg(test)]
mod media;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod rates;
#[cfg(test)]
mod realtime;
#[cfg(test)]
mod recurring;
#[cfg(test)]
mod storage;
#[cfg(test)]
mod texts;
#[cfg(test)]
mod transfers;
#[cfg(test)]
mod upkeep;
#[cfg(test)]
mod webhook_tasks;
