//! Manifests as `lint --fix` checks them and puts them right.

#![no_main]

fuzz_cost::target!(external_secrets::cli::fuzzing::lint, milliseconds: 2000, mebibytes: 128);
