//! Specs with their checks, and ExternalSecrets from the manifest to the values of the Secret.

#![no_main]

fuzz_cost::target!(external_secrets::controller::fuzzing::spec, milliseconds: 5000, mebibytes: 128);
