//! Keys, certificates and the files that hold them, read by the functions for them.

#![no_main]

fuzz_cost::target!(go_template::fuzzing::keys, milliseconds: 2000, mebibytes: 64);
