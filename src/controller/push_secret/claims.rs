//! Claims on objects, because two PushSecrets may name the same one.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::remote_object::{ObjectId, RemoteObject};
use crate::controller::core::key::ObjectKey;

/// The claim of one PushSecret on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// When the PushSecret was created.
    pub(super) since: Timestamp,
    /// A hash of the desired form, under a key of this process.
    pub(super) digest: u64,
}

/// All claims, by object.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Few want the same object.
    by_object: HashMap<ObjectId, Vec<(ObjectKey, Claim)>>,
    by_claimant: HashMap<ObjectKey, BTreeSet<ObjectId>>,
}

impl Claims {
    /// Sets the claim of a PushSecret on an object. Returns the PushSecrets that this affects.
    pub(super) fn set(&mut self, claimant: &ObjectKey, object: &RemoteObject, claim: Claim) -> BTreeSet<ObjectKey> {
        let object = ObjectId::of(object);
        self.by_claimant.entry(claimant.clone()).or_default().insert(object);
        let claims = self.by_object.entry(object).or_default();
        match claims.iter_mut().find(|(other, _)| other == claimant) {
            Some((_, before)) if *before == claim => return BTreeSet::new(),
            Some((_, before)) => *before = claim,
            None => {
                // Most objects have one claim. Beyond that it grows by more than one, so that many are not copied for each.
                if claims.is_empty() {
                    claims.reserve_exact(1);
                }
                claims.push((claimant.clone(), claim));
            }
        }
        claims.iter().map(|(other, _)| other).filter(|other| *other != claimant).cloned().collect()
    }

    /// Drops the claims of a PushSecret except some. Returns the PushSecrets that this affects.
    pub(super) fn retain(&mut self, claimant: &ObjectKey, keeps: impl Fn(ObjectId) -> bool) -> BTreeSet<ObjectKey> {
        let mut concerned = BTreeSet::new();
        let Some(mut objects) = self.by_claimant.remove(claimant) else { return concerned };
        objects.retain(|object| {
            let is_kept = keeps(*object);
            if !is_kept {
                self.remove(*object, claimant, &mut concerned);
            }
            is_kept
        });
        if !objects.is_empty() {
            self.by_claimant.insert(claimant.clone(), objects);
        }
        concerned
    }

    fn remove(&mut self, object: ObjectId, claimant: &ObjectKey, concerned: &mut BTreeSet<ObjectKey>) {
        let Some(claims) = self.by_object.get_mut(&object) else { return };
        claims.retain(|(other, _)| other != claimant);
        concerned.extend(claims.iter().map(|(other, _)| other.clone()));
        if claims.is_empty() {
            self.by_object.remove(&object);
        }
    }

    /// The oldest other PushSecret that takes precedence over `claim` and wants something else of the object.
    pub(super) fn older(&self, object: &RemoteObject, claimant: &ObjectKey, claim: Claim) -> Option<&ObjectKey> {
        let others = self.by_object.get(&ObjectId::of(object))?.iter();
        let differing = others.filter(|(other, wanted)| {
            other != claimant && wanted.digest != claim.digest && (wanted.since, other) < (claim.since, claimant)
        });
        differing.min_by_key(|(other, wanted)| (wanted.since, other)).map(|(other, _)| other)
    }

    /// The others that want an object.
    pub(super) fn others(&self, object: &RemoteObject, claimant: &ObjectKey) -> impl Iterator<Item = &ObjectKey> {
        let claims = self.by_object.get(&ObjectId::of(object)).into_iter().flatten();
        claims.map(|(other, _)| other).filter(move |other| *other != claimant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::ObjectName;

    fn object() -> RemoteObject {
        RemoteObject { vault: "v".to_owned(), name: ObjectName::new("secret/x") }
    }

    fn claim(since: i64, digest: u64) -> Claim {
        Claim { since: Timestamp::from_second(since).unwrap(), digest }
    }

    #[test]
    fn the_older_of_two_that_want_different_things_pushes_and_equal_wants_are_no_conflict() {
        let (old, new) = (ObjectKey::new("b", "old"), ObjectKey::new("a", "new"));
        let mut claims = Claims::default();
        claims.set(&new, &object(), claim(20, 1));
        assert_eq!(claims.set(&old, &object(), claim(10, 2)), BTreeSet::from([new.clone()]));
        assert_eq!(claims.older(&object(), &new, claim(20, 1)), Some(&old));
        assert_eq!(claims.older(&object(), &old, claim(10, 2)), None);
        let oldest = ObjectKey::new("c", "oldest");
        claims.set(&oldest, &object(), claim(5, 3));
        assert_eq!(claims.older(&object(), &new, claim(20, 1)), Some(&oldest));
        claims.retain(&oldest, |_| false);
        claims.set(&old, &object(), claim(10, 1));
        assert_eq!(claims.older(&object(), &new, claim(20, 1)), None);
    }

    #[test]
    fn who_leaves_an_object_wakes_who_waits_for_it_and_nothing_is_kept() {
        let (old, new) = (ObjectKey::new("a", "old"), ObjectKey::new("b", "new"));
        let mut claims = Claims::default();
        claims.set(&old, &object(), claim(10, 1));
        claims.set(&new, &object(), claim(20, 2));
        assert_eq!(claims.others(&object(), &old).collect::<Vec<_>>(), [&new]);
        assert_eq!(claims.retain(&old, |_| false), BTreeSet::from([new.clone()]));
        assert_eq!(claims.others(&object(), &new).count(), 0);
        claims.retain(&new, |_| false);
        assert!(claims.by_object.is_empty() && claims.by_claimant.is_empty());
    }
}
