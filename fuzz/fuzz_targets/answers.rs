//! Answers of Entra ID and Key Vault: two bytes for the status, then the body.

#![no_main]

use external_secrets::provider::azure::fuzzing::answers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| answers(input.0, input.1));
