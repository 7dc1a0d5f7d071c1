//! Calls of functions with odd arguments.

#![no_main]

fuzz_cost::target!(go_template::fuzzing::calls, milliseconds: 1000, mebibytes: 64);
