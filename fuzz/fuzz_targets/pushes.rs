//! The objects that a PushSecret asks for.

#![no_main]

fuzz_cost::target!(external_secrets::sync::fuzzing::wanted, milliseconds: 1000, mebibytes: 64);
