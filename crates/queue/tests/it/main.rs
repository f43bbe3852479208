//! Tasks on a database: put in, taken, done, ended, lost and found.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod cron;
#[cfg(test)]
mod ends;
mod fair;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod put;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod turns;
