//! What a tenant changes all the time, in turn.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Client;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::core::Request;
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;

use super::{PlaceError, create, expansion, place_of};

/// A change that the tenant makes to one of `copies` objects after another, as long as the flood lasts. `${n}` is the
/// number of the object, `${round}` how often all were changed before.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Change {
    /// The pause between two changes, in milliseconds.
    pause: u64,
    /// The kind of the objects.
    kind: String,
    /// Their name.
    name: String,
    /// How many there are.
    #[serde(default = "one")]
    pub(super) copies: u64,
    /// What the tenant does.
    #[serde(flatten)]
    how: How,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum How {
    /// Merges this into the object.
    Patch(Value),
    /// Deletes the object, and creates this one.
    Recreate(Value),
    /// Deletes it.
    Delete {},
}

const fn one() -> u64 {
    1
}

/// A tenant at work. It stops when this is dropped.
#[must_use]
pub struct Changing(#[allow(dead_code, reason = "dropping it ends the tasks")] JoinSet<()>);

/// Makes all changes until the result is dropped.
pub(super) fn keep_making(
    changes: &[Change],
    namespace: &str,
    names: &BTreeMap<&'static str, String>,
    client: &Client,
) -> Changing {
    let mut tasks = JoinSet::new();
    for change in changes {
        let (change, namespace) = (change.clone(), namespace.to_owned());
        let (client, mut names) = (client.clone(), names.clone());
        tasks.spawn(async move {
            for turn in 0.. {
                names.insert("round", (turn / change.copies).to_string());
                // The object may not exist at the moment.
                let _ = change.make(turn % change.copies, &namespace, &names, &client).await;
                tokio::time::sleep(Duration::from_millis(change.pause)).await;
            }
        });
    }
    Changing(tasks)
}

impl Change {
    async fn make(
        &self,
        number: u64,
        namespace: &str,
        names: &BTreeMap<&'static str, String>,
        client: &Client,
    ) -> Result<(), PlaceError> {
        let name = expansion::named(&self.name, names, number);
        let object = |content: &Value| {
            let mut content = content.as_object().cloned().unwrap_or_default();
            content.insert("kind".to_owned(), self.kind.clone().into());
            expansion::filled(&expansion::completed(content, &name), names, number)
        };
        let bare = object(&Value::Null);
        let (_, url) = place_of(&bare, namespace);
        let request = Request::new(url);
        let unsent = |error: kube::core::request::Error| PlaceError::Vault(error.to_string());
        match &self.how {
            How::Patch(patch) => {
                let patch = expansion::filled(patch, names, number);
                let request = request.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).map_err(unsent)?;
                client.request_text(request).await?;
            }
            How::Delete {} => {
                client.request_text(request.delete(&name, &DeleteParams::default()).map_err(unsent)?).await?;
            }
            How::Recreate(content) => {
                let request = request.delete(&name, &DeleteParams::default()).map_err(unsent)?;
                let _ = client.request_text(request).await;
                create(client, namespace, object(content)).await?;
            }
        }
        Ok(())
    }
}
