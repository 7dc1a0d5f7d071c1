//! Templates of all functions.

#![no_main]

fuzz_cost::target!(go_template::fuzzing::template, milliseconds: 1000, mebibytes: 64);
