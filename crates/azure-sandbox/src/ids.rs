//! Identifiers in the forms that Azure uses.

/// A random GUID, such as an object ID or a trace ID.
pub(crate) fn guid() -> String {
    let hex = version();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A random version of a Key Vault object: 32 hexadecimal digits.
pub(crate) fn version() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Whether a text has the format of a GUID.
pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(index, character)| match index {
            8 | 13 | 18 | 23 => character == '-',
            _ => character.is_ascii_hexdigit(),
        })
}
