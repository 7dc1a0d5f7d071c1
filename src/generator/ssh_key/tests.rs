#![allow(clippy::print_stderr, reason = "a test says why it is skipped")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use rstest::rstest;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::*;

fn spec(fields: &Value) -> SshKeySpec {
    serde_json::from_value(fields.clone()).unwrap()
}

fn pair(fields: &Value) -> (String, String) {
    let values = mint(&spec(fields), &mut rand::rng()).unwrap();
    let text = |key| String::from_utf8(values[key].expose_secret().to_vec()).unwrap();
    (text(PRIVATE_KEY), text(PUBLIC_KEY))
}

#[rstest]
#[case(json!({"keyType": "rsa", "keySize": 512}), "spec.keySize: RSA keys of 512 bits are not supported; use 2048, 3072, 4096 or 8192")]
#[case(json!({"keySize": 2049}), "spec.keySize: RSA keys of 2049 bits")]
#[case(json!({"keyType": "ecdsa", "keySize": 2048}), "spec.keySize: ECDSA keys of 2048 bits are not supported; use 256, 384 or 521")]
#[case(json!({"comment": "a\nssh-rsa AAAA"}), "spec.comment: has a line break")]
#[case(json!({"comment": "a".repeat(4097)}), "spec.comment: may have at most")]
fn an_unsupported_key_is_an_error_that_names_the_supported_ones(#[case] fields: Value, #[case] words: &str) {
    let error = mint(&spec(&fields), &mut rand::rng()).unwrap_err();
    assert!(error.to_string().starts_with(words), "{error}");
    assert_eq!(check(&spec(&fields)), Err(error));
}

#[test]
fn a_private_key_is_pem_with_lines_of_64_characters() {
    let (private, public) = pair(&json!({"keyType": "ed25519", "keySize": 4096, "comment": "a b"}));
    let lines: Vec<_> = private.lines().collect();
    assert_eq!(lines[0], "-----BEGIN OPENSSH PRIVATE KEY-----");
    assert!(private.ends_with("-----END OPENSSH PRIVATE KEY-----\n"));
    assert!(lines[1..lines.len() - 2].iter().all(|line| line.len() == 64), "{lines:?}");
    assert!(public.starts_with("ssh-ed25519 AAAA") && public.ends_with(" a b\n"), "{public}");
}

#[rstest]
#[case::rsa(json!({}), "ssh-rsa ")]
#[case::rsa_of_3072(json!({"keyType": "rsa", "keySize": 3072, "comment": "c"}), "ssh-rsa ")]
#[case::p256(json!({"keyType": "ecdsa"}), "ecdsa-sha2-nistp256 ")]
#[case::p384(json!({"keyType": "ecdsa", "keySize": 384}), "ecdsa-sha2-nistp384 ")]
#[case::p521(json!({"keyType": "ecdsa", "keySize": 521, "comment": "me@example.com"}), "ecdsa-sha2-nistp521 ")]
#[case::ed25519(json!({"keyType": "ed25519", "comment": "deploy"}), "ssh-ed25519 ")]
fn ssh_keygen_reads_the_private_key_and_finds_the_public_one(#[case] fields: Value, #[case] algorithm: &str) {
    let (private, public) = pair(&fields);
    assert!(public.starts_with(algorithm), "{public}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&file).unwrap().write_all(private.as_bytes()).unwrap();
    let keygen = Command::new("ssh-keygen").arg("-y").arg("-f").arg(&file).stdin(Stdio::null()).output();
    let Ok(keygen) = keygen else { return skipped() };
    assert!(keygen.status.success(), "{}", String::from_utf8_lossy(&keygen.stderr));
    assert_eq!(String::from_utf8(keygen.stdout).unwrap(), public);
}

#[test]
fn go_reads_all_kinds_of_keys_and_signs_with_them() {
    let kinds = [
        (json!({"comment": "c d"}), r#"ssh-rsa "c d""#),
        (json!({"keySize": 3072}), r#"ssh-rsa """#),
        (json!({"keyType": "ecdsa"}), r#"ecdsa-sha2-nistp256 """#),
        (json!({"keyType": "ecdsa", "keySize": 384}), r#"ecdsa-sha2-nistp384 """#),
        (
            json!({"keyType": "ecdsa", "keySize": 521, "comment": "me@example.com"}),
            r#"ecdsa-sha2-nistp521 "me@example.com""#,
        ),
        (json!({"keyType": "ed25519", "comment": "deploy"}), r#"ssh-ed25519 "deploy""#),
    ];
    let pairs = kinds.iter().map(|(fields, _)| {
        let (private, public) = pair(fields);
        json!({"private": private, "public": public})
    });
    let pairs = pairs.collect::<Value>().to_string().into_bytes();
    let read = go_oracle::Module::of(env!("CARGO_MANIFEST_DIR")).run_on("ssh", &[], pairs);
    assert_eq!(read.lines().collect::<Vec<_>>(), kinds.map(|(_, expected)| expected));
}

/// Reports that this machine cannot run the test, so that `.ci/run` repeats it at its end.
fn skipped() {
    eprintln!("skipped: this machine has no ssh-keygen");
    let Some(list) = std::env::var_os("SKIPPED") else { return };
    writeln!(std::fs::OpenOptions::new().append(true).open(list).unwrap(), "keys by ssh-keygen").unwrap();
}
