//! Generators, and whether their values stay.

#![no_main]

fuzz_cost::target!(external_secrets::controller::fuzzing::minting, milliseconds: 1000, mebibytes: 64);
