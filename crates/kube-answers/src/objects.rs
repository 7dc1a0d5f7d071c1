//! Reads and writes single objects.

use std::marker::PhantomData;

use kube::api::{DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::Request;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::read;
use crate::{MetadataOf, Unreadable};

/// The objects of a kind at the API server, in one namespace or in all. Like `kube::Api`, but answers are read as
/// described in this crate, and an answer that cannot be read is neither kept in memory nor logged.
pub struct Objects<K> {
    client: Client,
    requests: Request,
    kind: PhantomData<fn() -> K>,
}

/// A part of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// Its objects.
    pub items: Vec<T>,
    /// Where the list continues, if it does.
    pub next: Option<String>,
    /// The length of the answer.
    pub bytes: usize,
}

type Built = Result<http::Request<Vec<u8>>, kube::core::request::Error>;

impl<K: Resource> Objects<K> {
    /// Those in all namespaces, or of a cluster-scoped kind.
    #[must_use]
    pub fn all(client: Client, dyntype: &K::DynamicType) -> Self {
        Self::within(client, None, dyntype)
    }

    /// Those of a namespace.
    #[must_use]
    pub fn namespaced(client: Client, namespace: &str, dyntype: &K::DynamicType) -> Self {
        Self::within(client, Some(namespace), dyntype)
    }

    /// Those of a namespace, or of all namespaces if there is none.
    #[must_use]
    pub fn within(client: Client, namespace: Option<&str>, dyntype: &K::DynamicType) -> Self {
        Self { client, requests: Request::new(K::url_path(dyntype, namespace)), kind: PhantomData }
    }

    async fn text(&self, request: Built) -> kube::Result<Zeroizing<String>> {
        let request = request.map_err(kube::Error::BuildRequest)?;
        Ok(Zeroizing::new(self.client.request_text(request).await?))
    }

    async fn metadata(&self, request: Built) -> kube::Result<MetadataOf<K>> {
        let text = self.text(request).await?;
        Ok(read::object(&text)?)
    }

    /// The metadata of an object, if it exists.
    pub async fn get_metadata_opt(&self, name: &str) -> kube::Result<Option<MetadataOf<K>>> {
        found(self.metadata(self.requests.get_metadata(name, &GetParams::default())).await)
    }

    /// One page of the metadata of the selected objects. One that cannot be read is left out.
    pub async fn list_metadata_page(&self, params: &ListParams) -> kube::Result<Page<MetadataOf<K>>> {
        let text = self.text(self.requests.list_metadata(params)).await?;
        Ok(Page { items: items(&text)?, next: continue_token(&text)?, bytes: text.len() })
    }

    /// The metadata of the selected objects. One that cannot be read is left out.
    pub async fn list_metadata(&self, params: &ListParams) -> kube::Result<Vec<MetadataOf<K>>> {
        let text = self.text(self.requests.list_metadata(params)).await?;
        items(&text)
    }

    /// Changes metadata.
    pub async fn patch_metadata<P: Serialize>(
        &self,
        name: &str,
        params: &PatchParams,
        patch: &Patch<P>,
    ) -> kube::Result<MetadataOf<K>> {
        self.metadata(self.requests.patch_metadata(name, params, patch)).await
    }

    /// Changes an object.
    pub async fn patch<P: Serialize>(
        &self,
        name: &str,
        params: &PatchParams,
        patch: &Patch<P>,
    ) -> kube::Result<MetadataOf<K>> {
        self.metadata(self.requests.patch(name, params, patch)).await
    }

    /// Changes the status of an object. `A` reads what it needs of the stored object.
    pub async fn patch_status<P: Serialize, A: DeserializeOwned>(
        &self,
        name: &str,
        params: &PatchParams,
        patch: &Patch<P>,
    ) -> kube::Result<A> {
        let text = self.text(self.requests.patch_subresource("status", name, params, patch)).await?;
        Ok(serde_json::from_str(&text).map_err(Unreadable::from)?)
    }

    /// Deletes an object.
    pub async fn delete(&self, name: &str, params: &DeleteParams) -> kube::Result<()> {
        self.text(self.requests.delete(name, params)).await.map(drop)
    }
}

impl<K: Resource + DeserializeOwned> Objects<K> {
    async fn object(&self, request: Built) -> kube::Result<K> {
        let text = self.text(request).await?;
        Ok(read::object(&text)?)
    }

    /// An object, which must exist.
    pub async fn get(&self, name: &str) -> kube::Result<K> {
        self.object(self.requests.get(name, &GetParams::default())).await
    }

    /// An object, if it exists.
    pub async fn get_opt(&self, name: &str) -> kube::Result<Option<K>> {
        found(self.get(name).await)
    }

    /// The selected objects. One that cannot be read is left out.
    pub async fn list(&self, params: &ListParams) -> kube::Result<Vec<K>> {
        let text = self.text(self.requests.list(params)).await?;
        items(&text)
    }

    /// The same, in pages of this size, so that neither the API server nor this process holds a long list as text as a
    /// whole.
    pub async fn list_in_pages(&self, params: &ListParams, page: u32) -> kube::Result<Vec<K>> {
        let mut params = ListParams { limit: Some(page), ..params.clone() };
        let mut objects = Vec::new();
        loop {
            let text = self.text(self.requests.list(&params)).await?;
            objects.extend(items(&text)?);
            params.continue_token = continue_token(&text)?;
            if params.continue_token.is_none() {
                return Ok(objects);
            }
        }
    }
}

impl<K: Resource + DeserializeOwned + Serialize> Objects<K> {
    /// Creates an object. Returns what was stored.
    pub async fn create(&self, params: &PostParams, object: &K) -> kube::Result<K> {
        self.object(self.requests.create(params, written(object)?)).await
    }

    /// Replaces an object. Returns what was stored. What is left out of its `managedFields` stays as it is.
    pub async fn replace(&self, name: &str, params: &PostParams, object: &K) -> kube::Result<K> {
        self.object(self.requests.replace(name, params, written(object)?)).await
    }
}

impl<K: Resource> Objects<K> {
    /// Sends a request about an object whose answer has another form, such as a token. `A` reads what it needs.
    pub async fn ask<A: DeserializeOwned>(
        &self,
        name: &str,
        subresource: &str,
        question: &impl Serialize,
    ) -> kube::Result<A> {
        let request = self.requests.create_subresource(subresource, name, &PostParams::default(), written(question)?);
        let text = self.text(request).await?;
        Ok(serde_json::from_str(&text).map_err(Unreadable::from)?)
    }
}

fn items<K: Resource + DeserializeOwned>(text: &str) -> kube::Result<Vec<K>> {
    #[derive(Deserialize)]
    struct List<'a> {
        /// Go writes `null` for a list without items.
        #[serde(borrow)]
        items: Option<Vec<&'a RawValue>>,
    }
    let list: List<'_> = serde_json::from_str(text).map_err(Unreadable::from)?;
    Ok(list.items.into_iter().flatten().filter_map(|item| read::object(item.get()).ok()).collect())
}

/// Where a list continues, if it does.
fn continue_token(text: &str) -> kube::Result<Option<String>> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        metadata: Option<ListMeta>,
    }
    #[derive(Deserialize)]
    struct ListMeta {
        #[serde(default, rename = "continue")]
        token: Option<String>,
    }
    let list: List = serde_json::from_str(text).map_err(Unreadable::from)?;
    Ok(list.metadata.and_then(|meta| meta.token).filter(|token| !token.is_empty()))
}

fn written(object: &impl Serialize) -> kube::Result<Vec<u8>> {
    serde_json::to_vec(object).map_err(kube::Error::SerdeError)
}

fn found<T>(read: kube::Result<T>) -> kube::Result<Option<T>> {
    match read {
        Ok(object) => Ok(Some(object)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error),
    }
}
