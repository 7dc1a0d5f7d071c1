//! How the status of a ClusterExternalSecret or ClusterPushSecret lists namespaces: within bounds, because there may be
//! thousands, and the texts may come from manifests or the API server.

use super::one_line::{on_one_line, shortened};

/// The most failed namespaces that a status lists.
pub const MOST_LISTED: usize = 1000;
/// The longest reason of a failed namespace.
const LONGEST_REASON: usize = 256;
/// How many namespaces a message names.
const NAMED: usize = 5;

/// Why a namespace failed, on one line and shortened.
#[must_use]
pub fn reason(text: &str) -> String {
    shortened(on_one_line(text), LONGEST_REASON)
}

/// The first items of a list, and how many more there are.
#[must_use]
pub fn first(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(NAMED);
    let shown = items.take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_a_few_and_counts_the_others() {
        let of = |count: usize| first((0..count).map(|at| format!("n{at}")));
        assert_eq!(of(2), "n0, n1");
        assert_eq!(of(7), "n0, n1, n2, n3, n4 and 2 more");
    }
}
