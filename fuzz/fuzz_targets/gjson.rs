//! Paths on documents, as `remoteRef.property` has them: first the path, then a zero byte, then the document.

#![no_main]

use external_secrets::provider::gjson;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (path, document) = input.split_at(end);
    if let Ok(Some(value)) = gjson::get(document.get(1..).unwrap_or_default(), path) {
        let _ = value.text();
    }
});
