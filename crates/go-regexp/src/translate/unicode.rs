//! Unicode categories and scripts.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::RegexBuilder;

use super::ANY_SIZE;
use super::class::{EVERYTHING, NOTHING};

/// The general categories, by their short names and the long names that Go accepts.
const CATEGORIES: &str = "\
    c cc cf cn co cs l lc ll lm lo lt lu m mc me mn n nd nl no p pc pd pe pf pi po ps s sc sk sm so z zl zp \
    zs casedletter closepunctuation combiningmark connectorpunctuation control currencysymbol dashpunctuation \
    decimalnumber enclosingmark finalpunctuation format initialpunctuation letter letternumber lineseparator \
    lowercaseletter mark mathsymbol modifierletter modifiersymbol nonspacingmark number openpunctuation other \
    otherletter othernumber otherpunctuation othersymbol paragraphseparator privateuse punctuation separator \
    spaceseparator spacingmark surrogate symbol titlecaseletter unassigned uppercaseletter cntrl digit punct";

/// A category or script, as a class.
#[derive(Clone)]
pub(super) struct Class {
    /// The class in the syntax of the crate `regex`.
    pub(super) text: String,
    /// Roughly the number of states.
    pub(super) size: usize,
}

/// The class of a category or script.
pub(super) fn class(name: &str, negated: bool) -> Option<Class> {
    let separators = [' ', '_', '-'];
    let canonical: String = name.chars().filter(|c| !separators.contains(c)).map(|c| c.to_ascii_lowercase()).collect();
    if canonical.is_empty() || !canonical.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let text = match canonical.as_str() {
        "any" => EVERYTHING.to_owned(),
        "cs" | "surrogate" => NOTHING.to_owned(),
        "ascii" => r"[\x{0}-\x{7F}]".to_owned(),
        "assigned" => r"[\P{gc=cn}]".to_owned(),
        category if CATEGORIES.split(' ').any(|known| known == category) => format!(r"[\p{{gc={category}}}]"),
        // The crate would ignore the prefix.
        script if script.starts_with("is") => return None,
        script => format!(r"[\p{{sc={script}}}]"),
    };
    let size = size(&text)?;
    let text = if negated { format!("[^{text}]") } else { text };
    Some(Class { text, size: size + if negated { ANY_SIZE } else { 0 } })
}

/// Roughly the number of states of a class; `None` if it is unknown. There are a few hundred classes, and their sizes
/// are cached, because determining one takes up to several milliseconds.
fn size(class: &str) -> Option<usize> {
    static SIZES: LazyLock<Mutex<BTreeMap<String, usize>>> = LazyLock::new(Mutex::default);
    let known = SIZES.lock().unwrap_or_else(PoisonError::into_inner).get(class).copied();
    if known.is_some() {
        return known;
    }
    regex::Regex::new(class).ok()?;
    let size = compiled_size(class);
    SIZES.lock().unwrap_or_else(PoisonError::into_inner).insert(class.to_owned(), size);
    Some(size)
}

/// Bytes of a state.
const STATE: usize = 41;
/// More states than any class has.
const LARGEST: usize = 4000;

/// The first of several sizes in which a class can be compiled.
fn compiled_size(class: &str) -> usize {
    let sizes = std::iter::successors(Some(ANY_SIZE), |size| Some(size + size / 4));
    let fits = |size: &usize| RegexBuilder::new(class).size_limit(size * STATE).build().is_ok();
    sizes.take_while(|size| *size < LARGEST).find(fits).unwrap_or(LARGEST)
}
