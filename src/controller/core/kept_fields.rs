//! Learns which status fields the API server stores.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;

/// The status fields of a kind that the API server stores. A CRD that does not know a field drops it, as ESO's CRDs
/// drop some of ours. A dropped field does not count as a difference, or the same status would be written at every
/// reconcile. Every answer to a write updates this knowledge, since a CRD may be replaced at any time.
#[derive(Debug, Default)]
pub(crate) struct KeptFields {
    /// The paths that were dropped by the last write, for example `.conditions[].observedGeneration`.
    dropped: Mutex<BTreeSet<String>>,
}

impl KeptFields {
    /// Whether `wanted` differs from the stored status in a field that the API server stores.
    #[must_use]
    pub(crate) fn differs<S: Serialize + PartialEq>(&self, stored: Option<&S>, wanted: &S) -> bool {
        if stored == Some(wanted) {
            return false;
        }
        let (Ok(stored), Ok(wanted)) = (serde_json::to_value(stored), serde_json::to_value(wanted)) else {
            return true;
        };
        let dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        !same("", &stored, &wanted, &dropped)
    }

    /// Whether this field is stored, as far as is known.
    #[must_use]
    pub(crate) fn keeps(&self, path: &str) -> bool {
        !self.dropped.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    /// Learns from a status that was sent and what was stored of it. Anything that is not a status is ignored.
    pub(super) fn learn(&self, sent: &Value, stored: &Value) {
        learn("", sent, stored, &mut self.dropped.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn same(path: &str, stored: &Value, wanted: &Value, dropped: &BTreeSet<String>) -> bool {
    match (stored, wanted) {
        (Value::Object(stored), Value::Object(wanted)) => {
            let names: BTreeSet<_> = stored.keys().chain(wanted.keys()).collect();
            names.into_iter().all(|name| {
                let path = format!("{path}.{name}");
                dropped.contains(&path)
                    || match (stored.get(name), wanted.get(name)) {
                        (Some(stored), Some(wanted)) => same(&path, stored, wanted, dropped),
                        _ => false,
                    }
            })
        }
        (Value::Array(stored), Value::Array(wanted)) => {
            let path = format!("{path}[]");
            stored.len() == wanted.len()
                && stored.iter().zip(wanted).all(|(stored, wanted)| same(&path, stored, wanted, dropped))
        }
        _ => stored == wanted,
    }
}

fn learn(path: &str, sent: &Value, stored: &Value, dropped: &mut BTreeSet<String>) {
    match (sent, stored) {
        (Value::Object(sent), Value::Object(stored)) => {
            for (name, sent) in sent.iter().filter(|(_, sent)| !sent.is_null()) {
                let path = format!("{path}.{name}");
                match stored.get(name) {
                    Some(stored) => {
                        dropped.remove(&path);
                        learn(&path, sent, stored, dropped);
                    }
                    None => {
                        dropped.insert(path);
                    }
                }
            }
        }
        (Value::Array(sent), Value::Array(stored)) => {
            let path = format!("{path}[]");
            for (sent, stored) in sent.iter().zip(stored) {
                learn(&path, sent, stored, dropped);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_that_the_api_server_dropped_makes_no_difference_until_it_is_kept() {
        let kept = KeptFields::default();
        let wanted = json!({"cause": "x", "conditions": [{"type": "Ready", "observedGeneration": 2}]});
        let stored = json!({"conditions": [{"type": "Ready"}]});
        assert!(kept.differs(Some(&stored), &wanted), "nobody knows yet that it is not kept");
        kept.learn(&wanted, &stored);
        assert!(!kept.differs(Some(&stored), &wanted) && !kept.keeps(".cause"));
        let failed = json!({"cause": "y", "conditions": [{"type": "Ready", "status": "False"}]});
        assert!(kept.differs(Some(&stored), &failed), "what is kept still counts");
        // Our CRDs replace ESO's.
        kept.learn(&wanted, &wanted);
        assert!(kept.differs(Some(&stored), &wanted));
    }

    #[test]
    fn an_answer_without_a_status_teaches_nothing() {
        let kept = KeptFields::default();
        let wanted = json!({"cause": "x", "conditions": [{"type": "Ready", "status": "False"}]});
        for answer in [json!(null), json!("a text"), json!(["a list"]), json!(1)] {
            kept.learn(&wanted, &answer);
            assert!(kept.keeps(".cause") && kept.differs(Some(&json!({})), &wanted), "{answer}");
        }
    }

    #[test]
    fn what_is_removed_by_a_patch_teaches_nothing() {
        let kept = KeptFields::default();
        kept.learn(&json!({"cause": null, "conditions": []}), &json!({}));
        assert!(kept.keeps(".cause"));
        assert!(kept.differs(Some(&json!({"cause": "x"})), &json!({})));
    }
}
