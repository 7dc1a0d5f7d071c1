//! Names of Kubernetes objects.

/// The longest name.
pub const LONGEST: usize = 253;

/// Whether a Kubernetes object can have this name: a DNS subdomain (RFC 1123), as for Secrets, ConfigMaps, service
/// accounts and namespaces. The Kubernetes client puts names into URLs unchanged, so `../` would lead to another
/// namespace.
#[must_use]
pub fn is_object_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= LONGEST && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_lead_elsewhere_in_a_url_is_invalid() {
        for name in ["a", "db-password", "sh.helm.release.v1.x", "0", &"a".repeat(253)] {
            assert!(is_object_name(name), "{name}");
        }
        for name in
            ["", ".", "..", "../a", "a/b", "a?b", "a%2fb", "A", "-a", "a-", "a..b", "a b", "ä", &"a".repeat(254)]
        {
            assert!(!is_object_name(name), "{name}");
        }
    }
}
