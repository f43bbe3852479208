//! Companies are apart; and where a wall is taken away, the proof says so.

#[cfg(test)]
mod gone;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod walls;
