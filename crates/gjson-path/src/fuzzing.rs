//! What the fuzz target `gjson` and the property test below run. No input may cause a panic.

use crate::get;

/// The input is a path, a zero byte, and a document to search.
pub fn path(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (path, document) = input.split_at(end);
    if let Ok(Some(value)) = get(document.get(1..).unwrap_or_default(), path) {
        let _ = value.text();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_path_on_no_document_panics(path_of_words in "(@|#|a|\\.|\\||\\(|\\)|\\[|\\]|\\{|\\}|:|\"|[0-9]|%|!|~|=){0,20}", document in ".*") {
            path(format!("{path_of_words}\0{document}").as_bytes());
            path(document.as_bytes());
        }
    }
}
