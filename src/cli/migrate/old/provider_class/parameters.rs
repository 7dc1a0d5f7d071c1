//! Parameters of a class, all of which are text.

use crate::cli::migrate::old::objects::Object;

/// A parameter; empty where it is not given.
pub(super) fn text<'c>(class: &'c Object, name: &str) -> &'c str {
    class.value["spec"]["parameters"][name].as_str().unwrap_or_default().trim()
}

/// A parameter that is true or false, as Go's `strconv.ParseBool` reads it; nothing where it is neither.
pub(super) fn truth(class: &Object, name: &str) -> Option<bool> {
    match text(class, name) {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}
