//! Templates with all functions: first the template, then a zero byte, then the value of the key `v`.

#![no_main]

use std::collections::BTreeMap;

use external_secrets::template::{Engine, Limits, Map, Text, Type, Value, funcs};
use libfuzzer_sys::fuzz_target;

/// Small, so that a template takes no long time.
const LIMITS: Limits = Limits { steps: 20_000, bytes: 1 << 20, output: 1 << 16, depth: 100 };

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (template, value) = input.split_at(end);
    let value = value.get(1..).unwrap_or_default();
    let engine = Engine::new(funcs::all()).with_limits(LIMITS);
    if let Ok(template) = engine.parse("t", template) {
        let entries = BTreeMap::from([(Text::from("v"), Value::String(Text::from(value)))]);
        let _ = template.render(&Value::Map(Map::from_entries(&Type::String, entries)));
    }
});
