//! Patterns on texts.

#![no_main]

fuzz_cost::target!(go_regexp::fuzzing::pattern, milliseconds: 2000, mebibytes: 64);
