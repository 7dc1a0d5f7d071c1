//! The generated pages of the documentation are current.

use rstest::rstest;

use crate::{printed, read};

#[rstest]
#[case("metrics")]
#[case("conditions")]
#[case("flags")]
fn a_page_is_what_the_program_prints(#[case] page: &str) {
    let fresh = printed(&["docs", page]);
    assert!(
        read(&format!("docs/{page}.md")) == fresh,
        "docs/{page}.md is stale: run `make generate` and commit the result"
    );
}
