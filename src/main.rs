//! The program `external-secrets`.

fn main() {}
