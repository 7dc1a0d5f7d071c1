//! Which of some names was meant by one that is none of them.

/// The name that differs least, if it is near: in case alone, or by at most two letters of a name that is long enough.
pub(in crate::cli) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = match name.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    let lower = name.to_lowercase();
    let distances = known.map(|known| (distance(&lower, &known.to_lowercase()), known));
    distances.filter(|(distance, _)| *distance <= allowed).min().map(|(_, known)| known)
}

/// How many letters are put in, left out, changed, or exchanged with the next, to make one word of another.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().take(100).collect(), other.chars().take(100).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let changed = above[j] + usize::from(a != b);
            let mut least = changed.min(above[j + 1] + 1).min(row[j] + 1);
            let is_exchanged = i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b;
            if is_exchanged {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("remoteref", Some("remoteRef"))]
    #[case("secertKey", Some("secretKey"))]
    #[case("keyy", Some("key"))]
    #[case("kye", Some("key"))]
    #[case("ky", None)]
    #[case("value", None)]
    fn a_slip_is_known_and_another_word_is_not(#[case] name: &str, #[case] meant: Option<&str>) {
        assert_eq!(nearest(name, ["key", "remoteRef", "secretKey", "version"].into_iter()), meant);
    }
}
