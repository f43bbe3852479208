//! Structural tests: the rules of the house that no compiler checks.
//!
//! Invariant: each rule is a pure function over paths and texts with a test that it finds what it is for, and a test over this tree.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod database;
#[cfg(test)]
mod deployment;
#[cfg(test)]
mod dialect;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod files;
#[cfg(test)]
mod floors;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod licences;
#[cfg(test)]
mod metrics;
