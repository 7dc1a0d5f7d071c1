//! As many findings as anybody reads.

use std::collections::BTreeMap;

use super::finding::{Check, Finding};

/// How many findings of one check with one outcome are kept.
const KEPT: usize = 20;

/// The first findings of each check. One more stands for those that are left out, where the first of them was.
pub(super) fn bounded(findings: Vec<Finding>) -> Vec<Finding> {
    let mut counts: BTreeMap<(&'static str, &'static str), (usize, Option<usize>)> = BTreeMap::new();
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings {
        let (count, rest) = counts.entry((finding.id, finding.outcome.word())).or_default();
        *count += 1;
        if *count <= KEPT {
            kept.push(finding);
            continue;
        }
        if let Some(others) = rest.and_then(|index| kept.get_mut(index)) {
            *others = others.clone().and_another();
        } else {
            *rest = Some(kept.len());
            kept.push(Check { id: finding.id, group: finding.group }.others(finding.outcome));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        const CHECK: Check = Check::new("stores", "store-ready");
        const OTHER: Check = Check::new("pushsecrets", "pushed");
        let mut findings: Vec<_> = (0..1_000).map(|number| CHECK.failed(number.to_string(), "", "")).collect();
        findings.push(OTHER.ok("fine"));
        let kept = bounded(findings);
        assert_eq!(kept.len(), KEPT + 2);
        assert_eq!((kept[KEPT].message.as_str(), kept[KEPT].stands_for), ("and 980 more", 980));
        assert_eq!(kept.iter().map(|finding| finding.stands_for).sum::<usize>(), 1_001);
    }
}
