//! `target.template` as the controller renders it.

#![no_main]

fuzz_cost::target!(external_secrets::controller::fuzzing::render, milliseconds: 5000, mebibytes: 128);
