//! The memory for passes over large ExternalSecrets. Each pass parses the text of the spec, and its templates from that.
//! Anybody may write many ExternalSecrets of a megabyte that are due every second.

use std::sync::Arc;
use std::time::Duration;

use crate::api::v1::ExternalSecret;
use crate::provider::shares::{Share, Shares};

/// The memory for all passes, of which one namespace may have half.
const IN_ALL: usize = 24 << 20;

/// A spec up to this size needs none of it.
const SMALL: usize = 64 << 10;

/// How many times as much memory as its text a spec takes: as JSON, as types, and as parsed templates.
const PARSED: usize = 3;

/// How long a pass waits until others of its namespace have ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// The memory for passes over large ExternalSecrets, shared by namespaces.
pub(crate) struct LargeSpecs(Arc<Shares>);

/// Others of the namespace take all the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crowded;

impl Default for LargeSpecs {
    fn default() -> Self {
        Self(Shares::new(IN_ALL))
    }
}

impl LargeSpecs {
    /// Waits for the memory that a pass over an ExternalSecret needs, to be held until it ends.
    ///
    /// # Errors
    /// [`Crowded`], after some seconds.
    pub(crate) async fn room(&self, namespace: &str, object: &ExternalSecret) -> Result<Option<Share>, Crowded> {
        let size = object.spec.text().map(str::len).unwrap_or_default();
        if size <= SMALL {
            return Ok(None);
        }
        self.0.take_within(&namespace.into(), size * PARSED, PATIENCE).await.map(Some).ok_or(Crowded)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use serde_json::json;

    use super::*;

    /// With a template of this many bytes.
    fn object(bytes: usize) -> ExternalSecret {
        let object = json!({
            "metadata": {"name": "a", "namespace": "b"},
            "spec": {"target": {"template": {"data": {"a": "x".repeat(bytes)}}}},
        });
        serde_json::from_value(object).unwrap()
    }

    #[tokio::test]
    async fn passes_over_large_objects_wait_for_each_other_and_not_for_those_of_other_namespaces() {
        let (specs, large) = (LargeSpecs::default(), object(1 << 20));
        let now = |namespace| specs.room(namespace, &large).now_or_never().and_then(Result::ok).flatten();
        let held: Vec<_> = std::iter::from_fn(|| now("attacker")).collect();
        assert!(held.len() > 1 && held.len() < 6, "{}", held.len());
        assert!(now("victim").is_some());
        assert!(matches!(specs.room("attacker", &object(1000)).now_or_never(), Some(Ok(None))), "a small one");
        drop(held);
        assert!(now("attacker").is_some());
    }
}
