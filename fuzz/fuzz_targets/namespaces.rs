//! What a ClusterExternalSecret does in a namespace.

#![no_main]

fuzz_cost::target!(external_secrets::sync::fuzzing::steps, milliseconds: 1000, mebibytes: 64);
