//! Paths on documents.

#![no_main]

fuzz_cost::target!(gjson_path::fuzzing::path, milliseconds: 500, mebibytes: 64);
