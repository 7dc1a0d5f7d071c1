//! YAML as templates and values have it.

#![no_main]

fuzz_cost::target!(go_template::fuzzing::yaml, milliseconds: 1000, mebibytes: 64);
