//! Templates for certificates, which Key Vault keeps as PEM or as PFX: nobody can tell which before the value is read.

/// The certificates of a bundle `NAME`, the server's first where it is a PFX.
pub(super) fn chain(name: &str) -> String {
    by_format(name, "filterPEM \"CERTIFICATE\"", "b64dec | pkcs12cert")
}

/// The private key of a bundle `NAME`.
pub(super) fn key(name: &str) -> String {
    by_format(name, "filterPEM \"PRIVATE KEY\"", "b64dec | pkcs12key")
}

fn by_format(name: &str, of_pem: &str, of_pfx: &str) -> String {
    format!(
        "{{{{ if contains \"-----BEGIN\" .{name} }}}}{{{{ .{name} | {of_pem} }}}}{{{{ else }}}}{{{{ .{name} | {of_pfx} }}}}{{{{ end }}}}"
    )
}

/// A certificate in DER as PEM.
pub(super) fn framed(name: &str) -> String {
    format!(
        "-----BEGIN CERTIFICATE-----\n{{{{ .{name} | b64enc | wrapWith 64 \"\\n\" }}}}\n-----END CERTIFICATE-----\n"
    )
}
