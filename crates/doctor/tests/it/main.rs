//! The doctor at databases of its own: clean ones, one planted defect after the other, other logins, and our own schema.

#[cfg(test)]
mod asking;
#[cfg(test)]
mod clinic;
#[cfg(test)]
mod looking;
#[cfg(test)]
mod ours;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod plants;
