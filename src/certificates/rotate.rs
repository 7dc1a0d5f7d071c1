//! Decides which certificates are needed next, without a client or a clock.
//!
//! A new authority is announced before it is used. First it joins the old one in the bundle that clients trust, while
//! the old serving certificate stays. A certificate of the new authority is served only when all clients have the
//! bundle. The old authority leaves the bundle when it expires. Thus the served certificate is trusted at any time.

use std::time::Duration;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::issue::{self, IssueError, Issued, Known};
use crate::runtime::tls::{Certificate, verify};

/// The lifetimes of certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetimes {
    /// The authority's.
    pub(crate) authority: Duration,
    /// The serving certificate's, at most the authority's.
    pub(crate) serving: Duration,
    /// How long before its expiry each is replaced; at most a third of its lifetime.
    pub(crate) lookahead: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            authority: Duration::from_secs(3650 * DAY),
            serving: Duration::from_secs(365 * DAY),
            lookahead: Duration::from_secs(90 * DAY),
        }
    }
}

/// The content of the Secret, under ESO's keys: `ca.crt`, `ca.key`, `tls.crt`, `tls.key`.
#[derive(Clone, Default)]
pub(crate) struct Stored {
    /// The authority's certificate, and those of older authorities until they expire.
    pub(crate) ca_certificate: Vec<u8>,
    pub(crate) ca_key: Zeroizing<Vec<u8>>,
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Zeroizing<Vec<u8>>,
}

/// Which clients have the stored bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announced {
    /// All, for long enough.
    Everywhere,
    /// Uncertain.
    NotYet,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The name by which the webhook is called.
    pub(crate) name: String,
    /// The lifetimes of certificates.
    pub(crate) lifetimes: Lifetimes,
}

impl Wanted {
    /// What to store next, or `None` if nothing is due.
    ///
    /// # Errors
    /// [`IssueError`]
    pub(crate) fn next(
        &self,
        stored: &Stored,
        announced: Announced,
        now: Timestamp,
    ) -> Result<Option<Stored>, IssueError> {
        let known = Known::all_in(&stored.ca_certificate);
        let current = known.first().filter(|current| {
            current.end() > self.later(now, self.lookahead(self.lifetimes.authority))
                && current.certifies(&stored.ca_key)
        });
        let Some(current) = current else { return self.new_authority(stored, &known, now).map(Some) };
        let alone = current.to_pem()?;
        let lookahead = self.later(now, self.lookahead(self.lifetimes.serving));
        if !self.serves(&alone, stored, lookahead) {
            let still_good = self.serves(&stored.ca_certificate, stored, now);
            if !still_good || announced == Announced::Everywhere {
                return self.new_serving(stored, current.end(), now).map(Some);
            }
        }
        let live = bundle(known.iter().filter(|authority| authority.end() > now))?;
        let is_pruned = known.iter().any(|authority| authority.end() <= now);
        Ok(is_pruned.then(|| Stored { ca_certificate: live, ..stored.clone() }))
    }

    /// Whether clients that trust `authority` accept the stored certificate at this time.
    fn serves(&self, authority: &[u8], stored: &Stored, at: Timestamp) -> bool {
        let pair = Certificate::from_pem(stored.certificate.clone(), stored.key.to_vec(), None);
        pair.is_ok() && verify(authority, &stored.certificate, &self.name, at).is_ok()
    }

    /// Puts a new authority before those that are still valid. Keeps the serving certificate if one of them issued it.
    fn new_authority(&self, stored: &Stored, known: &[Known], now: Timestamp) -> Result<Stored, IssueError> {
        let end = self.later(now, self.lifetimes.authority);
        let Issued { certificate, key } = issue::authority(now, end)?;
        let older = bundle(known.iter().filter(|authority| authority.end() > now))?;
        let next = Stored { ca_certificate: [certificate, older].concat(), ca_key: key, ..stored.clone() };
        if self.serves(&next.ca_certificate, &next, now) { Ok(next) } else { self.new_serving(&next, end, now) }
    }

    fn new_serving(&self, stored: &Stored, authority_ends: Timestamp, now: Timestamp) -> Result<Stored, IssueError> {
        let end = self.later(now, self.lifetimes.serving).min(authority_ends);
        let Issued { certificate, key } = issue::serving(&stored.ca_key, &self.name, now, end)?;
        Ok(Stored { certificate, key, ..stored.clone() })
    }

    /// How long before it expires a certificate of this lifetime is replaced.
    fn lookahead(&self, lifetime: Duration) -> Duration {
        self.lifetimes.lookahead.min(lifetime / 3)
    }

    #[allow(clippy::unused_self, reason = "reads as a part of what is wanted")]
    fn later(&self, now: Timestamp, by: Duration) -> Timestamp {
        now.saturating_add(by).unwrap_or(Timestamp::MAX)
    }
}

/// Authorities, in PEM.
pub(super) fn bundle<'a>(authorities: impl Iterator<Item = &'a Known>) -> Result<Vec<u8>, IssueError> {
    Ok(authorities.map(Known::to_pem).collect::<Result<Vec<_>, _>>()?.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "webhook.operators.svc";

    fn wanted() -> Wanted {
        let seconds = Duration::from_secs;
        Wanted {
            name: NAME.to_owned(),
            lifetimes: Lifetimes { authority: seconds(9000), serving: seconds(3000), lookahead: seconds(1000) },
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn first() -> Stored {
        wanted().next(&Stored::default(), Announced::NotYet, at(0)).unwrap().expect("nothing is there yet")
    }

    fn is_trusted(bundle: &[u8], stored: &Stored, second: i64) -> bool {
        verify(bundle, &stored.certificate, NAME, at(second)).is_ok()
    }

    #[test]
    fn what_is_made_first_is_served_until_it_is_due() {
        let stored = first();
        assert!(is_trusted(&stored.ca_certificate, &stored, 0));
        assert!(!is_trusted(&stored.ca_certificate, &stored, 3001), "it ends");
        assert!(verify(&stored.ca_certificate, &stored.certificate, "other.operators.svc", at(0)).is_err());
        assert!(wanted().next(&stored, Announced::Everywhere, at(1900)).unwrap().is_none());
        let renewed = wanted().next(&stored, Announced::Everywhere, at(2100)).unwrap().unwrap();
        assert_eq!(renewed.ca_certificate, stored.ca_certificate);
        assert!(is_trusted(&stored.ca_certificate, &renewed, 5000));
    }

    #[test]
    fn keys_are_encoded_as_eso_reads_them() {
        let stored = first();
        for key in [&stored.ca_key, &stored.key] {
            assert!(key.starts_with(b"-----BEGIN RSA PRIVATE KEY-----"));
        }
    }

    #[test]
    fn a_new_authority_is_announced_before_it_is_used_and_the_old_one_leaves_at_its_end() {
        let wanted = wanted();
        let mut stored = first();
        // The serving certificate is renewed several times under the same authority.
        for second in [2100, 4200, 6300] {
            stored = wanted.next(&stored, Announced::Everywhere, at(second)).unwrap().unwrap();
        }
        let old = stored.clone();
        let announced = wanted.next(&stored, Announced::Everywhere, at(8050)).unwrap().unwrap();
        assert_eq!(announced.certificate, old.certificate, "what is served stays");
        assert!(announced.ca_certificate.ends_with(&old.ca_certificate), "the old one is still trusted");
        assert_ne!(announced.ca_key, old.ca_key);

        assert!(
            wanted.next(&announced, Announced::NotYet, at(8060)).unwrap().is_none(),
            "it waits for the bundle to be known"
        );
        let used = wanted.next(&announced, Announced::Everywhere, at(8060)).unwrap().unwrap();
        assert!(!is_trusted(&old.ca_certificate, &used, 8060));
        for served in [&old, &used] {
            assert!(is_trusted(&announced.ca_certificate, served, 8060), "both are trusted meanwhile");
        }
        let pruned = wanted.next(&used, Announced::Everywhere, at(9001)).unwrap().unwrap();
        assert_eq!(Known::all_in(&pruned.ca_certificate).len(), 1);
        assert!(is_trusted(&pruned.ca_certificate, &pruned, 9001));
        assert!(wanted.next(&pruned, Announced::Everywhere, at(9002)).unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_used_is_replaced_at_once() {
        let good = first();
        let broken = [
            Stored { ca_key: Zeroizing::new(b"bogus".to_vec()), ..good.clone() },
            Stored { ca_key: good.key.clone(), ..good.clone() },
            Stored { ca_certificate: Vec::new(), ..good.clone() },
            Stored { certificate: b"bogus".to_vec(), ..good.clone() },
            Stored { key: good.ca_key.clone(), ..good.clone() },
        ];
        for stored in broken {
            let mended = wanted().next(&stored, Announced::NotYet, at(1)).unwrap().expect("it is replaced");
            assert!(is_trusted(&mended.ca_certificate, &mended, 1));
            assert!(wanted().next(&mended, Announced::Everywhere, at(2)).unwrap().is_none_or(|next| is_trusted(
                &mended.ca_certificate,
                &next,
                2
            )));
        }
        let renamed = Wanted { name: "other.operators.svc".to_owned(), ..wanted() };
        let mended = renamed.next(&good, Announced::NotYet, at(1)).unwrap().unwrap();
        assert!(verify(&mended.ca_certificate, &mended.certificate, &renamed.name, at(1)).is_ok());
    }

    #[test]
    fn lifetimes_shorter_than_the_lookahead_do_not_make_a_new_certificate_at_every_look() {
        let seconds = Duration::from_secs;
        let lifetimes = Lifetimes { authority: seconds(60), serving: seconds(30), lookahead: seconds(7_776_000) };
        let wanted = Wanted { lifetimes, ..wanted() };
        let stored = wanted.next(&Stored::default(), Announced::NotYet, at(0)).unwrap().unwrap();
        assert!(wanted.next(&stored, Announced::Everywhere, at(10)).unwrap().is_none());
        assert!(wanted.next(&stored, Announced::Everywhere, at(21)).unwrap().is_some());
    }
}
