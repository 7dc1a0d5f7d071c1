//! Keys, certificates and the files that contain them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{SMALL, render};

/// The templates that read them.
const TEMPLATES: [&str; 17] = [
    "{{ pkcs12key .v }}{{ pkcs12cert .v }}",
    "{{ pkcs12keyPass \"test-only\" .v }}{{ pkcs12certPass \"test-only\" .v }}",
    "{{ .v | b64dec | pkcs12key }}",
    "{{ pemToPkcs12 .v .v | pkcs12key }}",
    "{{ fullPemToPkcs12 .v .v | pkcs12cert }}",
    "{{ fullPemToPkcs12Pass .v .v \"x\" | len }}",
    "{{ pemTruststoreToPKCS12 .v | len }}",
    "{{ filterPEM \"CERTIFICATE\" .v }}{{ filterPEM \"PRIVATE KEY\" .v }}",
    "{{ filterCertChain \"leaf\" .v }}{{ filterCertChain \"intermediate\" .v }}",
    "{{ filterCertChain \"root\" .v }}",
    "{{ certSANs .v }}",
    "{{ jwkPublicKeyPem .v }}",
    "{{ jwkPrivateKeyPem .v }}",
    "{{ rsaDecrypt \"RSA-OAEP\" \"SHA256\" .v .v }}",
    "{{ $ca := buildCustomCert (b64enc .v) (b64enc .v) }}{{ genSignedCertWithKey \"a\" nil nil 1 $ca .v }}",
    "{{ genSelfSignedCertWithKey \"a\" nil nil 1 .v }}",
    "{{ genCAWithKey \"a\" 1 .v }}",
];

/// The types of PEM blocks.
const LABELS: [&str; 5] = ["CERTIFICATE", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "PUBLIC KEY"];

/// The input is a byte that chooses the template, a byte that chooses how the rest is wrapped, and the rest: DER, PEM,
/// PKCS#12 or JSON.
pub fn keys(input: &[u8]) {
    let [reader, how, content @ ..] = input else { return };
    let template = TEMPLATES[usize::from(*reader) % TEMPLATES.len()];
    render(&SMALL, template.as_bytes(), &[("v", &wrapped(*how, content))]);
}

/// Unchanged, as one PEM block, or as several, each preceded by its length in two bytes.
fn wrapped(how: u8, content: &[u8]) -> Vec<u8> {
    match usize::from(how) {
        0 => content.to_vec(),
        how if how <= LABELS.len() => block(LABELS[how - 1], content).into_bytes(),
        how => {
            let labels = LABELS.iter().cycle().skip(how % LABELS.len());
            let mut rest = content;
            let mut text = String::new();
            for label in labels {
                let [high, low, after @ ..] = rest else { break };
                let (der, after) = after.split_at(after.len().min(usize::from(u16::from_be_bytes([*high, *low]))));
                text.push_str(&block(label, der));
                rest = after;
            }
            text.into_bytes()
        }
    }
}

fn block(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}
