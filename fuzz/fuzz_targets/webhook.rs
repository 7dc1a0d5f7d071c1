//! Bodies of the webhook's requests.

#![no_main]

fuzz_cost::target!(external_secrets::webhook::fuzzing::body, milliseconds: 1000, mebibytes: 64);
