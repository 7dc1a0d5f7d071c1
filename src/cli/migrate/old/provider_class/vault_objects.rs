//! `parameters.objects`: a YAML text with a list of YAML texts.

use serde_json::Value;

use super::parameters;
use crate::cli::migrate::old::objects::Object;
use crate::template::yaml;

/// An object of the vault that the driver reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VaultObject {
    pub(super) name: String,
    /// Its file; the name where no alias is given.
    pub(super) file: String,
    pub(super) kind: ObjectKind,
    /// Empty of the current one.
    pub(super) version: String,
    pub(super) encoding: Encoding,
    /// Whether a certificate's PFX stays one; else it was turned into PEM.
    pub(super) is_pfx: bool,
    /// How many versions are files.
    pub(super) history: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectKind {
    Secret,
    Key,
    Certificate,
}

/// How a secret's value is decoded before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    None,
    Hex,
    Base64,
}

/// The objects of a class, and what is wrong with those that the driver would not read.
pub(super) fn read(class: &Object) -> (Vec<VaultObject>, Vec<String>) {
    let (mut objects, mut problems) = (Vec::new(), Vec::new());
    let text = parameters::text(class, "objects");
    let Ok(list) = yaml::read_manifest(text.as_bytes()) else {
        return (objects, vec!["is not YAML, and the driver mounts nothing".to_owned()]);
    };
    for (index, item) in list["array"].as_array().into_iter().flatten().enumerate() {
        let Some(item) = item.as_str() else {
            problems.push(format!("item {index} is not text: write it as a block with |, as the driver wants it"));
            continue;
        };
        match yaml::read_manifest(item.as_bytes()).map_err(|_| "is not YAML".to_owned()).and_then(|v| object(&v)) {
            Ok(object) => objects.push(object),
            Err(problem) => problems.push(format!("item {index} {problem}")),
        }
    }
    if objects.is_empty() && problems.is_empty() {
        problems.push("has no objects".to_owned());
    }
    (objects, problems)
}

fn object(item: &Value) -> Result<VaultObject, String> {
    let text = |field: &str| match &item[field] {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let name = text("objectName");
    if name.is_empty() {
        return Err("has no objectName".to_owned());
    }
    let kind = match text("objectType").as_str() {
        "secret" => ObjectKind::Secret,
        "key" => ObjectKind::Key,
        "cert" => ObjectKind::Certificate,
        other => {
            return Err(format!("({name}) has the objectType {other:?}: it is secret, key or cert, in lower case"));
        }
    };
    let encoding = match text("objectEncoding").to_ascii_lowercase().as_str() {
        "" | "utf-8" => Encoding::None,
        "hex" => Encoding::Hex,
        "base64" => Encoding::Base64,
        other => return Err(format!("({name}) has the objectEncoding {other:?}: it is utf-8, hex or base64")),
    };
    let version = text("objectVersion");
    let alias = text("objectAlias");
    Ok(VaultObject {
        file: if alias.is_empty() { name.clone() } else { alias },
        name,
        kind,
        // The provider sends the word as a version, which no vault has.
        version: if version == "latest" { String::new() } else { version },
        encoding,
        is_pfx: text("objectFormat").eq_ignore_ascii_case("pfx"),
        history: item["objectVersionHistory"].as_u64().unwrap_or_default(),
    })
}
