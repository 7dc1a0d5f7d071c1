//! What the fuzz target `manifests` runs.

use super::inputs::manifests::Manifests;

/// Reads manifests as `render` and `plan` do.
pub fn manifests(text: &[u8]) {
    if let Ok(text) = std::str::from_utf8(text)
        && let Err(error) = Manifests::of_text(text, "team-a")
    {
        drop(error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::manifests;

    proptest! {
        #[test]
        fn no_manifest_panics(
            text in "(kind: |apiVersion: |Secret|ExternalSecret|v1|external-secrets.io/v1|\n|- |items:|metadata: \\{name: a\\}|---\n|\\{|\\}|  |spec: |data: |: ){0,20}",
        ) {
            manifests(text.as_bytes());
        }
    }
}
