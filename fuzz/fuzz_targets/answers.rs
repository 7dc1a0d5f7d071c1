//! Answers of Entra ID and Key Vault.

#![no_main]

fuzz_cost::target!(external_secrets::provider::azure::fuzzing::answer, milliseconds: 500, mebibytes: 64);
