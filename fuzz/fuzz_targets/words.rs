//! The small languages in fields: schedules, durations, paths, places.

#![no_main]

fuzz_cost::target!(external_secrets::api::fuzzing::words, milliseconds: 500, mebibytes: 64);
