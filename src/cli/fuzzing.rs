//! What the fuzz targets `manifests` and `lint` run.

use super::inputs::manifests::Manifests;
use super::lint;

/// Reads manifests as `render` and `plan` do.
pub fn manifests(text: &[u8]) {
    if let Ok(text) = std::str::from_utf8(text)
        && let Err(error) = Manifests::of_text(text, "team-a")
    {
        drop(error.to_string());
    }
}

/// Checks and fixes manifests as `lint --fix` does.
///
/// # Panics
/// If a second fix would change something again, or if a document can no longer be read.
pub fn lint(text: &[u8]) {
    if let Ok(text) = std::str::from_utf8(text) {
        let Some(once) = lint::fixed_text(text) else { return };
        assert_eq!(lint::fixed_text(&once), None, "a second time there is nothing left");
        let read = |text: &str| super::source::documents::documents(text).into_iter().flatten().count();
        assert_eq!(read(&once), read(text), "each document that could be read can be read");
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
