//! Calls of functions with large arguments, many times.

#![no_main]

fuzz_cost::target!(go_template::fuzzing::costs, milliseconds: 5000, mebibytes: 128);
