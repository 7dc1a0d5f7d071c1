//! Everything that parses a server's bytes, for the fuzz target `answers` and the property tests below, and what parses
//! a client certificate, for `certificates`. No input may cause a panic.

use azure_core::Bytes;
use azure_core::http::headers::Headers;
use jiff::Timestamp;

use super::answer::Object;
use super::certificate::ClientCertificate;
use super::diagnose::{entra, vault};
use super::list::Page;
use super::metadata;
use super::object::{ObjectId, ObjectKind};
use crate::budget::Budget;

/// The input is a status in two bytes, then a body.
pub fn answer(input: &[u8]) {
    if let [high, low, body @ ..] = input {
        answers(u16::from_be_bytes([*high, *low]), body);
    }
}

/// Parses `content` as the client certificate of a service principal.
pub fn client_certificate(content: &[u8]) {
    let _ = ClientCertificate::read(content, Timestamp::UNIX_EPOCH);
}

/// Parses `body` as every possible answer: a refusal of Entra ID, of the machine's identity endpoint and of Key Vault,
/// an object of each kind with its tags, and a page of a list.
pub fn answers(status: u16, body: &[u8]) {
    let _ = entra::refusal("login.example", status, None, body);
    let _ = entra::machine_refusal(status, None, body);
    let _ = vault::refusal(status, None, body);
    let _ = Page::parse(body, None);
    for kind in [ObjectKind::Secret, ObjectKind::Key, ObjectKind::Certificate] {
        let id = ObjectId { kind, name: "x".to_owned(), version: None };
        if let Ok(object) = Object::parse(&id, &Headers::new(), Bytes::copy_from_slice(body)) {
            let _ = object.value();
            let _ = metadata::value(&object, None, "x", &Budget::default());
            let _ = metadata::map(&object, "x", "x", None, "x", &Budget::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_of_a_server_make_it_panic(status: u16, body: Vec<u8>) {
            answers(status, &body);
        }

        #[test]
        fn no_words_of_a_server_make_it_panic(
            status in 200u16..600,
            words in ".*",
            words_like_azures in "(Caller: oid=|Client address: |AADSTS|Trace ID: |20[0-9]{2}-01-01T| |[0-9:.;,'\r\n]|ä|😀){0,20}",
        ) {
            for words in [words, words_like_azures] {
                let refusal = json!({
                    "error": {"code": words, "message": words, "innererror": {"code": words}},
                });
                answers(status, refusal.to_string().as_bytes());
                let refusal = json!({"error": words, "error_description": words, "error_codes": [status]});
                answers(status, refusal.to_string().as_bytes());
            }
        }

        #[test]
        fn no_object_of_a_server_makes_it_panic(text in ".*", time: i64, at in 0usize..400, byte: u8) {
            let object = json!({
                "id": text, "value": text, "cer": text, "key": {"kty": text, "kid": text, "key_ops": [text]},
                "tags": {text.clone(): text, "json": format!("{{\"a\":\"{text}\"}}")},
                "attributes": {"enabled": true, "exp": time, "nbf": time, "created": time, "updated": time},
                "nextLink": text,
            });
            let mut body = object.to_string().into_bytes();
            answers(200, &body);
            let at = at % body.len();
            body[at] = byte;
            answers(200, &body);
        }
    }
}
