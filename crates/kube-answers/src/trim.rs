//! Leaves out of lists and watches what nobody reads, while they arrive.
//!
//! Anybody who may write an object can make its metadata a megabyte large: by `managedFields`, annotations, labels. A
//! page of a hundred such objects would be held as text before anything of it is read. Lists and watches therefore
//! have `managedFields` only of the kinds for which somebody needs them, and only up to [`LARGEST_MANAGED_FIELDS`]. If
//! only metadata is asked for, labels and owners are cut off after [`MOST`], and annotations are left out unless
//! somebody needs them.

use bytes::Bytes;
use http::Request;
use http::header::ACCEPT;

/// The most labels or owners of an object of which only metadata is read.
const MOST: u32 = 200;
/// The most bytes of `managedFields` of an object. Those of one that a controller made and people changed have some
/// thousand.
const LARGEST_MANAGED_FIELDS: usize = 32 << 10;
/// A key that is compared; longer ones are no key of interest.
const LONGEST_KEY: usize = 20;
/// Containers of which the keys are known: a list, its items, an item, its metadata, and what is in that.
const KNOWN: usize = 5;

/// Of which kinds, by their plural names, lists and watches keep more than the rest.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// Annotations, if only metadata is asked for.
    pub annotations: &'static [&'static str],
    /// `managedFields`, unless they have more than 32 KiB.
    pub managed_fields: &'static [&'static str],
}

/// What to leave out of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trim {
    /// Nothing: it is neither a list nor a watch.
    Nothing,
    /// `managedFields`.
    ManagedFields,
    /// `managedFields` that are large.
    LargeManagedFields,
    /// What nobody needs of metadata.
    Metadata {
        /// Whether annotations are needed.
        annotations: bool,
    },
}

/// What to do with a container in the metadata of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// Leave it out.
    All,
    /// Leave it out if it has more than [`LARGEST_MANAGED_FIELDS`].
    Large,
    /// Leave out what comes after [`MOST`] members.
    Rest,
}

impl Trim {
    /// For the answer to a request.
    pub(crate) fn of<B>(request: &Request<B>, kept: Kept) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let is_watch = query.split('&').any(|part| part.starts_with("watch="));
        let accepted = request.headers().get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
        let is_metadata = accepted.contains("as=PartialObjectMetadata");
        let is_list = accepted.contains("as=PartialObjectMetadataList")
            || query.split('&').any(|part| part.starts_with("limit="));
        if !is_list && !is_watch {
            return Self::Nothing;
        }
        let plural = request.uri().path().rsplit('/').next().unwrap_or_default();
        if is_metadata {
            Self::Metadata { annotations: kept.annotations.contains(&plural) }
        } else if kept.managed_fields.contains(&plural) {
            Self::LargeManagedFields
        } else {
            Self::ManagedFields
        }
    }

    fn cut(self, key: &[u8]) -> Option<Cut> {
        match (self, key) {
            (Self::Nothing, _) => None,
            (Self::LargeManagedFields, b"managedFields") => Some(Cut::Large),
            (_, b"managedFields") | (Self::Metadata { annotations: false }, b"annotations") => Some(Cut::All),
            (Self::Metadata { .. }, b"labels" | b"ownerReferences" | b"finalizers") => Some(Cut::Rest),
            _ => None,
        }
    }
}

const fn ends_text(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\')
}

/// Where in an answer the next byte is.
#[derive(Debug)]
pub(crate) struct Trimmer {
    trim: Trim,
    depth: usize,
    /// The last key in each of the outer containers.
    keys: [Vec<u8>; KNOWN],
    in_string: bool,
    is_escaped: bool,
    /// Whether the string is one of `keys`, if it is followed by a colon.
    is_candidate: bool,
    /// A key is complete, and its value has not begun.
    value_of: Option<Cut>,
    /// The container from which something is left out, the members of it so far, and the depth outside of it.
    cutting: Option<(Cut, u32, usize)>,
    /// The beginning of a container that is left out if it turns out to be large.
    held: Vec<u8>,
}

impl Trimmer {
    pub(crate) fn new(trim: Trim) -> Self {
        Self {
            trim,
            depth: 0,
            keys: Default::default(),
            in_string: false,
            is_escaped: false,
            is_candidate: false,
            value_of: None,
            cutting: None,
            held: Vec::new(),
        }
    }

    /// The next part of the answer, without what is left out. Whatever is no JSON comes out as it is.
    pub(crate) fn next(&mut self, bytes: Bytes) -> Bytes {
        if self.trim == Trim::Nothing {
            return bytes;
        }
        let mut out = Vec::new();
        // From where on everything is kept that was not copied yet.
        let mut kept = (!self.leaves_out()).then_some(0);
        // From where on everything is held.
        let mut held = self.is_cutting(Cut::Large).then_some(0);
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            // Most of an answer is text.
            if self.in_string && !self.is_candidate && !self.is_escaped && !ends_text(byte) {
                at += bytes[at..].iter().position(|byte| ends_text(*byte)).unwrap_or(bytes.len() - at);
                continue;
            }
            let before = self.leaves_out();
            let closes = self.step(byte);
            match (before, self.leaves_out()) {
                (false, true) => {
                    out.extend_from_slice(&bytes[kept.take().unwrap_or(at)..at]);
                    held = self.is_cutting(Cut::Large).then_some(at);
                    if self.is_cutting(Cut::All) {
                        out.extend_from_slice(b"null");
                    }
                }
                (true, false) => {
                    if let Some(from) = held.take() {
                        self.hold(&bytes[from..=at]);
                        self.release(&mut out);
                    }
                    // The bracket that ends a container of which only the rest is left out is kept.
                    kept = Some(if closes { at } else { at + 1 });
                }
                _ => {}
            }
            at += 1;
        }
        if let Some(from) = held {
            self.hold(&bytes[from..]);
        }
        match kept {
            Some(0) => bytes,
            Some(from) => {
                out.extend_from_slice(&bytes[from..]);
                Bytes::from(out)
            }
            None => Bytes::from(out),
        }
    }

    /// Adds to what is held, as far as needed to know that it is too large.
    fn hold(&mut self, bytes: &[u8]) {
        let room = (LARGEST_MANAGED_FIELDS + 1).saturating_sub(self.held.len());
        self.held.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Puts out what is held, if it is not too large.
    fn release(&mut self, out: &mut Vec<u8>) {
        let is_large = self.held.len() > LARGEST_MANAGED_FIELDS;
        out.extend_from_slice(if is_large { b"null" } else { &self.held });
        self.held.clear();
    }

    fn is_cutting(&self, wanted: Cut) -> bool {
        self.cutting.is_some_and(|(cut, _, _)| cut == wanted)
    }

    fn leaves_out(&self) -> bool {
        match self.cutting {
            Some((Cut::All | Cut::Large, _, _)) => true,
            Some((Cut::Rest, members, _)) => members >= MOST,
            None => false,
        }
    }

    /// Takes one byte. Returns whether it ends a container of which the rest was left out.
    fn step(&mut self, byte: u8) -> bool {
        if self.in_string {
            self.step_in_string(byte);
            return false;
        }
        match byte {
            b'"' => {
                (self.in_string, self.value_of) = (true, None);
                self.is_candidate = self.cutting.is_none() && (1..=KNOWN).contains(&self.depth);
                if self.is_candidate {
                    self.keys[self.depth - 1].clear();
                }
            }
            b':' => self.value_of = self.cut_of_value(),
            b'{' | b'[' => {
                if let Some(cut) = self.value_of.take() {
                    self.cutting = Some((cut, 0, self.depth));
                }
                self.depth += 1;
            }
            b'}' | b']' => return self.close(),
            b',' => {
                self.value_of = None;
                let depth = self.depth;
                if let Some((_, members, outside)) = &mut self.cutting
                    && depth == *outside + 1
                {
                    *members = members.saturating_add(1);
                }
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => self.value_of = None,
        }
        false
    }

    fn step_in_string(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = true,
            b'"' => {
                self.in_string = false;
                return;
            }
            _ => {}
        }
        if self.is_candidate {
            let key = &mut self.keys[self.depth - 1];
            if key.len() < LONGEST_KEY {
                key.push(byte);
            }
        }
    }

    fn close(&mut self) -> bool {
        self.depth = self.depth.saturating_sub(1);
        self.value_of = None;
        if let Some((cut, members, outside)) = self.cutting
            && self.depth == outside
        {
            self.cutting = None;
            return cut == Cut::Rest && members >= MOST;
        }
        if let Some(key) = self.keys.get_mut(self.depth) {
            key.clear();
        }
        false
    }

    /// What to do with the value of the key that has just ended.
    fn cut_of_value(&self) -> Option<Cut> {
        let path: [&[u8]; KNOWN] = std::array::from_fn(|depth| self.keys[depth].as_slice());
        // An item has no key, so the keys of its fields follow that of the list.
        let ((4, [b"items", _, b"metadata", key, _]) | (3, [b"object", b"metadata", key, _, _])) = (self.depth, path)
        else {
            return None;
        };
        self.cutting.is_none().then(|| self.trim.cut(key)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const METADATA: Trim = Trim::Metadata { annotations: false };

    /// The answer, given in parts of this many bytes.
    fn trimmed(trim: Trim, answer: &str, part: usize) -> String {
        let mut trimmer = Trimmer::new(trim);
        let parts = answer.as_bytes().chunks(part).map(|part| trimmer.next(Bytes::copy_from_slice(part)));
        String::from_utf8(parts.collect::<Vec<_>>().concat()).unwrap()
    }

    fn object(labels: usize) -> Value {
        let labels: serde_json::Map<_, _> = (0..labels).map(|number| (format!("l{number:04}"), "x".into())).collect();
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {
                "annotations": {"a": "}]\"\\", "items": "[{"}, "labels": labels, "name": "a",
                "managedFields": [{"manager": "m", "fieldsV1": {"f:data": {"f:\"a]": {}}}}],
                "ownerReferences": [{"uid": "u", "metadata": {"managedFields": [1]}}],
            },
            "spec": {"metadata": {"managedFields": [1], "annotations": {"b": "c"}}, "managedFields": [2]},
        })
    }

    fn expected(mut object: Value, trim: Trim) -> Value {
        let metadata = &mut object["metadata"];
        let is_large = metadata["managedFields"].to_string().len() > LARGEST_MANAGED_FIELDS;
        if trim != Trim::LargeManagedFields || is_large {
            metadata["managedFields"] = Value::Null;
        }
        if let Trim::Metadata { annotations } = trim {
            if !annotations {
                metadata["annotations"] = Value::Null;
            }
            let labels = metadata["labels"].as_object().unwrap();
            metadata["labels"] =
                labels.clone().into_iter().take(MOST as usize).collect::<serde_json::Map<_, _>>().into();
        }
        object
    }

    #[test]
    fn lists_and_watches_come_without_what_nobody_reads_wherever_they_are_parted() {
        for trim in [Trim::ManagedFields, Trim::LargeManagedFields, METADATA, Trim::Metadata { annotations: true }] {
            for labels in [0, 1, 199, 200, 201, 500] {
                let list = json!({"kind": "List", "metadata": {"continue": "c"}, "items": [object(labels), object(2)]});
                let expected_items = [expected(object(labels), trim), expected(object(2), trim)];
                let events = format!(
                    "{}\n{}\n",
                    json!({"type": "ADDED", "object": object(labels)}),
                    json!({"type": "X", "object": object(0)})
                );
                for part in [1, 2, 3, 7, 64, 100_000] {
                    for text in [list.to_string(), serde_json::to_string_pretty(&list).unwrap()] {
                        let read: Value = serde_json::from_str(&trimmed(trim, &text, part)).unwrap();
                        assert_eq!(read["items"], json!(expected_items), "{trim:?} {labels} {part}");
                        assert_eq!(read["metadata"], list["metadata"]);
                    }
                    let read = trimmed(trim, &events, part);
                    let read: Vec<Value> = read.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                    assert_eq!(read[0]["object"], expected(object(labels), trim));
                    assert_eq!(read[1]["object"], expected(object(0), trim));
                }
            }
        }
    }

    #[test]
    fn managed_fields_that_are_needed_stay_up_to_a_size() {
        let with_manager = |length: usize| {
            let mut object = object(1);
            object["metadata"]["managedFields"] = json!([{ "manager": "m".repeat(length) }]);
            object
        };
        let around = LARGEST_MANAGED_FIELDS - json!([{"manager": ""}]).to_string().len();
        for length in [0, around, around + 1, 10 * around] {
            let list = json!({"kind": "List", "items": [with_manager(length), with_manager(1)]});
            let expected_items =
                [with_manager(length), with_manager(1)].map(|object| expected(object, Trim::LargeManagedFields));
            assert_eq!(expected_items[0]["metadata"]["managedFields"].is_null(), length > around);
            for part in [1, 1000, 1_000_000] {
                let read: Value =
                    serde_json::from_str(&trimmed(Trim::LargeManagedFields, &list.to_string(), part)).unwrap();
                assert_eq!(read["items"], json!(expected_items), "{length} {part}");
            }
        }
    }

    #[test]
    fn what_is_no_list_or_is_no_json_is_not_touched() {
        let single = object(500).to_string();
        for text in
            [single.as_str(), "", "no JSON", "]]]}}}", "{\"items\": [{\"metadata\"", "\"\\\"managedFields\": [1]"]
        {
            for trim in [Trim::Nothing, Trim::ManagedFields, Trim::LargeManagedFields, METADATA] {
                assert_eq!(trimmed(trim, text, 5), text);
            }
        }
    }

    #[test]
    fn only_lists_and_watches_are_trimmed_and_annotations_stay_where_they_are_needed() {
        let of = |uri: &str, accepted: &str| {
            let kept = Kept { annotations: &["serviceaccounts"], managed_fields: &["externalsecrets"] };
            Trim::of(&Request::get(uri).header(ACCEPT, accepted).body(()).unwrap(), kept)
        };
        let list = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        let one = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        assert_eq!(of("/api/v1/secrets?limit=100", list), METADATA);
        assert_eq!(of("/api/v1/namespaces/a/secrets?", list), METADATA);
        assert_eq!(of("/api/v1/secrets?watch=true", one), METADATA);
        assert_eq!(of("/api/v1/namespaces/a/secrets/limit", one), Trim::Nothing);
        assert_eq!(of("/api/v1/serviceaccounts?limit=100", list), Trim::Metadata { annotations: true });
        assert_eq!(of("/apis/e/v1/externalsecrets?limit=100&", "application/json"), Trim::LargeManagedFields);
        assert_eq!(of("/apis/e/v1/secretstores?limit=100&", "application/json"), Trim::ManagedFields);
        assert_eq!(of("/api/v1/namespaces/a/secrets/b", "application/json"), Trim::Nothing);
    }
}
