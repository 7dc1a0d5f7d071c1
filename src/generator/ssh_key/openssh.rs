//! OpenSSH's key formats: `PROTOCOL.key` in its sources, and RFC 4253, section 6.6.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The block size to which an unencrypted private key is padded.
const BLOCK: usize = 8;

/// A key's algorithm and numbers, each as SSH writes it into a blob.
pub(super) struct Fields {
    /// The algorithm, such as `ssh-ed25519`.
    pub(super) algorithm: &'static str,
    /// The fields that follow it.
    pub(super) fields: Vec<Zeroizing<Vec<u8>>>,
}

impl Fields {
    /// Each preceded by its length.
    fn blob(&self) -> Zeroizing<Vec<u8>> {
        let mut blob = Blob::default();
        blob.add(self.algorithm.as_bytes());
        self.fields.iter().for_each(|field| blob.add(field));
        blob.0
    }
}

/// Bytes that are wiped, also when they are reallocated.
#[derive(Default)]
struct Blob(Zeroizing<Vec<u8>>);

impl Blob {
    fn extend(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, number: usize) {
        self.extend(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    }

    /// Adds an SSH string: its length, then its bytes.
    fn add(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.extend(bytes);
    }
}

/// A number in SSH's format (RFC 4251, section 5): without leading zeros, except one that keeps it positive.
pub(super) fn mpint(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let number = &bytes[zeros..];
    let sign = usize::from(number.first().is_some_and(|byte| *byte >= 0x80));
    let mut mpint = Zeroizing::new(Vec::with_capacity(sign + number.len()));
    mpint.resize(sign, 0);
    mpint.extend_from_slice(number);
    mpint
}

/// A line of `authorized_keys`, including its line break.
pub(super) fn public_key(public: &Fields, comment: &str) -> Vec<u8> {
    let blob = STANDARD.encode(&*public.blob());
    let space = if comment.is_empty() { "" } else { " " };
    format!("{} {blob}{space}{comment}\n", public.algorithm).into_bytes()
}

/// The private key in PEM. `check` are four random bytes that appear twice, so that a wrong passphrase is noticed.
pub(super) fn private_key(public: &Fields, private: &Fields, comment: &str, check: [u8; 4]) -> Vec<u8> {
    let mut secret = Blob::default();
    secret.extend(&check);
    secret.extend(&check);
    secret.extend(&private.blob());
    secret.add(comment.as_bytes());
    for padding in 1..=(BLOCK - secret.0.len() % BLOCK) % BLOCK {
        secret.extend(&[u8::try_from(padding).unwrap_or_default()]);
    }
    let mut file = Blob::default();
    file.extend(b"openssh-key-v1\0");
    // Cipher, key derivation and its options.
    for none in ["none", "none", ""] {
        file.add(none.as_bytes());
    }
    file.number(1);
    file.add(&public.blob());
    file.add(&secret.0);
    pem(&file.0)
}

/// PEM with lines of 64 characters, as Go writes it.
fn pem(bytes: &[u8]) -> Vec<u8> {
    let text = Zeroizing::new(STANDARD.encode(bytes));
    let mut pem = Vec::with_capacity(text.len() + text.len() / 64 + 80);
    pem.extend_from_slice(b"-----BEGIN OPENSSH PRIVATE KEY-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.extend_from_slice(line);
        pem.push(b'\n');
    }
    pem.extend_from_slice(b"-----END OPENSSH PRIVATE KEY-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4251, section 5.
    #[test]
    fn numbers_are_written_as_the_rfc_says() {
        assert_eq!(&**mpint(&[0]), &[] as &[u8]);
        assert_eq!(&**mpint(&[0x09, 0xa3, 0x78]), [0x09, 0xa3, 0x78]);
        assert_eq!(&**mpint(&[0, 0, 0x80]), [0, 0x80]);
    }
}
