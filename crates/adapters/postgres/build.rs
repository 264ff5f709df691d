//! Embedded migrations are part of the crate: a new step must make it build again.

fn main() {
    println!("cargo:rerun-if-changed=../../../migrations");
}
