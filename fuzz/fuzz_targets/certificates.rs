//! Client certificates of service principals.

#![no_main]

fuzz_cost::target!(external_secrets::provider::azure::fuzzing::client_certificate, milliseconds: 2000, mebibytes: 64);
