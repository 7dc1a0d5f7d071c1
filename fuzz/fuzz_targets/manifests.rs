//! Manifests as `render` and `plan` read them.

#![no_main]

fuzz_cost::target!(external_secrets::cli::fuzzing::manifests, milliseconds: 1000, mebibytes: 64);
