//! `secretObjects`: the Secrets that the driver makes of files.

use serde_json::{Value, json};

use super::parameters;
use super::vault_objects::{Encoding, ObjectKind, VaultObject};
use crate::cli::migrate::old::certificate;
use crate::cli::migrate::old::draft::{Draft, Entry, Remote};
use crate::cli::migrate::old::objects::{Object, text};
use crate::cli::migrate::old::report::{About, Conversion};
use crate::cli::migrate::old::vault::Store;

const TLS: &str = "kubernetes.io/tls";

/// Whether the class has any.
pub(super) fn are_there(class: &Object) -> bool {
    class.value["spec"]["secretObjects"].as_array().is_some_and(|objects| !objects.is_empty())
}

/// An ExternalSecret each.
pub(super) fn convert(class: &Object, objects: &[VaultObject], store: &Store, conversion: &mut Conversion) {
    let described = class.described();
    for (index, secret) in class.value["spec"]["secretObjects"].as_array().into_iter().flatten().enumerate() {
        let field = format!("spec.secretObjects[{index}]");
        let mut about = conversion.about(&described);
        let Some(draft) = draft(class, secret, objects, store, (&field, &mut about)) else { continue };
        let message = format!("ExternalSecret {}/{} writes the Secret {}", draft.namespace, draft.name, draft.target);
        about.done(&field, message);
        conversion.add(draft.manifest());
    }
}

fn draft(
    class: &Object,
    secret: &Value,
    objects: &[VaultObject],
    store: &Store,
    (field, about): (&str, &mut About<'_>),
) -> Option<Draft> {
    let (name, type_) = (text(secret, "/secretName"), text(secret, "/type").trim());
    if name.is_empty() || type_.is_empty() {
        about.impossible(field, "has no secretName or no type, and the driver makes no Secret of it");
        return None;
    }
    let mut draft = Draft::new(class.namespace(), name, store.clone(), name);
    type_.clone_into(&mut draft.type_);
    let fields = ["labels", "annotations"].into_iter().filter(|field| secret[*field].is_object());
    let metadata: serde_json::Map<_, _> = fields.map(|field| (field.to_owned(), secret[field].clone())).collect();
    draft.metadata = (!metadata.is_empty()).then(|| json!(metadata));
    for (index, entry) in secret["data"].as_array().into_iter().flatten().enumerate() {
        let field = format!("{field}.data[{index}]");
        let (file, key) = (text(entry, "/objectName").trim(), text(entry, "/key").trim());
        let Some((object, part)) = named(class, file, objects) else {
            let message =
                format!("{file:?} is none of the objects (an alias hides the name), and the driver makes no Secret");
            about.impossible(&format!("{field}.objectName"), message);
            return None;
        };
        if type_ == TLS && key != "tls.crt" && key != "tls.key" {
            about.impossible(
                &format!("{field}.key"),
                format!("{key:?} in a Secret of the type {TLS}: the driver makes no Secret"),
            );
            return None;
        }
        draft.entries.push(self::entry(object, part, key, type_, store, (&field, about)));
    }
    if draft.entries.is_empty() {
        about.impossible(&format!("{field}.data"), "is empty");
        return None;
    }
    Some(draft)
}

/// Which part of an object a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    All,
    Certificate,
    Key,
}

/// The object that a file is made of.
fn named<'o>(class: &Object, file: &str, objects: &'o [VaultObject]) -> Option<(&'o VaultObject, Part)> {
    let of = |file: &str| objects.iter().find(|object| object.file == file);
    if let Some(object) = of(file) {
        return Some((object, Part::All));
    }
    if let Some(object) = file.strip_suffix("/0").and_then(of).filter(|object| object.history > 1) {
        return Some((object, Part::All));
    }
    let is_split = parameters::truth(class, "writeCertAndKeyInSeparateFiles") == Some(true);
    let part = |suffix, part| file.strip_suffix(suffix).and_then(of).map(|object| (object, part));
    is_split.then(|| part(".crt", Part::Certificate).or_else(|| part(".key", Part::Key))).flatten()
}

fn entry(
    object: &VaultObject,
    part: Part,
    key: &str,
    type_: &str,
    store: &Store,
    (field, about): (&str, &mut About<'_>),
) -> Entry {
    if object.history > 1 {
        about.impossible(&format!("{field}.objectName"), "only the current version is read; earlier ones are not");
    }
    let version = object.version.as_str();
    let plain =
        |remote| Entry { key: key.to_owned(), remote, template: None, pipeline: Vec::new(), store: store.clone() };
    let with = |remote, template: fn(&str) -> String| Entry { template: Some(template), ..plain(remote) };
    match object.kind {
        ObjectKind::Key => with(Remote::new(format!("key/{}", object.name), version), |name| {
            format!("{{{{ .{name} | jwkPublicKeyPem }}}}")
        }),
        ObjectKind::Certificate => with(Remote::new(format!("cert/{}", object.name), version), certificate::framed),
        ObjectKind::Secret => {
            let remote = Remote::new(object.name.as_str(), version);
            let wants = |part_of_tls: &str, wanted: Part| (type_ == TLS && key == part_of_tls) || part == wanted;
            if wants("tls.crt", Part::Certificate) || wants("tls.key", Part::Key) {
                let is_key = wants("tls.key", Part::Key);
                if object.is_pfx {
                    let message = "the driver wrote no values of a PFX; now they are there";
                    about.by_hand(&format!("{field}.key"), message);
                } else if is_key {
                    let message = "the private key becomes PKCS#8 (it was PKCS#1, or SEC1): its bytes change once, and the key is the same";
                    about.by_hand(&format!("{field}.key"), message);
                }
                return with(remote, if is_key { certificate::key } else { certificate::chain });
            }
            match object.encoding {
                Encoding::Base64 => plain(Remote { decoding: "Base64", ..remote }),
                Encoding::Hex => Entry { pipeline: vec!["hexdec"], ..plain(remote) },
                Encoding::None => {
                    if !object.is_pfx {
                        let message = format!(
                            "if {} is the secret of a certificate that the vault keeps as PFX, the driver turned it into PEM: use the templates of a Secret of the type {TLS}; else it stays as it is",
                            object.name
                        );
                        about.done(&format!("{field}.objectName"), message);
                    }
                    plain(remote)
                }
            }
        }
    }
}
