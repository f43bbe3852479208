//! Ports for programs that have to be told theirs before they begin to listen.
//!
//! Invariant: none of those that the kernel gives to whoever asks for any: between here and the program's start, one of these may become
//! somebody else's.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below what Linux gives away by itself, from 32768 on.
const FIRST: u16 = 12_000;
/// Each process looks among its own first, and at the others' only when these are taken.
const EACH: u16 = 10;
const PROCESSES: u16 = 2000;

/// Returns a port on which nobody listens, and another one each time.
pub fn free_port() -> u16 {
    static ASKED: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % u32::from(PROCESSES)).expect("it is smaller");
    (0..PROCESSES * EACH)
        .map(|_| FIRST + (process * EACH + ASKED.fetch_add(1, Ordering::SeqCst)) % (PROCESSES * EACH))
        // Wherever on this machine somebody listens on it, that is refused.
        .find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok())
        .expect("a port is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_passed_over_and_none_is_given_twice() {
        let first = free_port();
        let _taken = TcpListener::bind(("127.0.0.1", first + 1)).unwrap();
        let second = free_port();
        assert!(second != first && second != first + 1, "{first} {second}");
        assert!((FIRST..FIRST + PROCESSES * EACH).contains(&first) && (FIRST..FIRST + PROCESSES * EACH).contains(&second));
    }
}
