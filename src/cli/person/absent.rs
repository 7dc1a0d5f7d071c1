//! What is said of an object that does not exist.

use super::Cluster;
use super::names::Named;
use crate::cli::nearest::nearest;

/// That an object does not exist, and which one may be meant.
pub(in crate::cli) async fn message(cluster: &Cluster, named: &Named) -> String {
    // Without the right to list them, nothing can be offered.
    let known = cluster.names(named.kind, &named.key.namespace).await.unwrap_or_default();
    in_words(named, &known)
}

fn in_words(named: &Named, known: &[String]) -> String {
    match nearest(&named.key.name, known.iter().map(String::as_str)) {
        Some(meant) => format!("no {named}; did you mean {meant:?}?"),
        None => format!("no {named}; `external-secrets get {}` lists those that exist", named.kind.plural()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::person::kind::Kind;

    #[test]
    fn the_nearest_name_is_offered_and_else_how_to_list_them() {
        let said = |name| in_words(&Named::new(Kind::ExternalSecret, "shop", name), &["mail".into(), "db".into()]);
        assert_eq!(said("mial"), "no ExternalSecret shop/mial; did you mean \"mail\"?");
        assert_eq!(
            said("cache"),
            "no ExternalSecret shop/cache; `external-secrets get externalsecrets` lists those that exist"
        );
    }
}
