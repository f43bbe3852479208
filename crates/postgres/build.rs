//! Has this crate built again when a file of `db/` comes or goes: what is embedded is listed at compile time, and the compiler
//! itself notices only changes of files it already knows.

fn main() {
    println!("cargo::rerun-if-changed=../../db");
}
