//! The images of a registry: lists of manifests, which a pull requests first.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::json;
use sha2::{Digest as _, Sha256};

/// An image, as far as it is served.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) manifest: String,
    pub(super) media_type: &'static str,
    pub(super) digest: String,
}

/// The images of a registry, by repository and by tag or digest.
#[derive(Clone, Debug, Default)]
pub(super) struct Images(HashMap<(String, String), Image>);

impl Images {
    /// Adds an image for two platforms, under a tag.
    pub(super) fn add(&mut self, repository: &str, tag: &str) -> String {
        let of = |architecture: &str| {
            let manifest =
                json!({"schemaVersion": 2, "repository": repository, "architecture": architecture}).to_string();
            json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": digest(&manifest), "size": manifest.len(),
                "platform": {"architecture": architecture, "os": "linux"},
            })
        };
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": [of("amd64"), of("arm64")]});
        let manifest = index.to_string();
        let image = Image { digest: digest(&manifest), manifest, media_type };
        let digest = image.digest.clone();
        self.0.insert((repository.to_owned(), digest.clone()), image.clone());
        self.0.insert((repository.to_owned(), tag.to_owned()), image);
        digest
    }

    pub(super) fn find(&self, repository: &str, reference: &str) -> Option<Image> {
        self.0.get(&(repository.to_owned(), reference.to_owned())).cloned()
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold("sha256:".to_owned(), |mut digest, byte| {
        // Writing to a String cannot fail.
        let _ = write!(digest, "{byte:02x}");
        digest
    })
}
