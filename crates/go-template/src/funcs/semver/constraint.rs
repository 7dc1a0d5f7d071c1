//! Constraints: `>=1.2, <2 || ^3.1`, `1.x`, `1.2 - 2.3`.

use std::cmp::Ordering;
use std::sync::LazyLock;

use regex::Regex;

use super::Error;
use super::version::{Version, compare_prereleases};

/// A version in a constraint. Its numbers may be wildcards or missing. It has eight groups, of which the first three
/// are the numbers; the second and third begin with a dot.
const VERSION: &str = r"v?([0-9|xX*]+)(\.[0-9|xX*]+)?(\.[0-9|xX*]+)?(-([0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?(\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?";

/// White space in Go's regular expressions.
const BLANK: &str = r"[\t\n\f\r ]";

/// `1.2 - 2.3`
static RANGE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!("{BLANK}*(?<low>{VERSION}){BLANK}+-{BLANK}+(?<high>{VERSION}){BLANK}*")).ok());

/// An operator and a version at the start of a text.
static PART: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!("^(?<operator>[=!<>~^]*){BLANK}*(?<version>{VERSION})")).ok());

/// What separates two parts, and may follow the last one.
static SEPARATOR: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!("^(?:{BLANK}*,{BLANK}*|{BLANK}+)")).ok());

/// Alternatives, each consisting of parts that must all hold.
pub(super) struct Constraints(Vec<Vec<Part>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// The first number that is a wildcard or missing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Major,
    Minor,
    Patch,
    None,
}

struct Part {
    operator: Operator,
    version: Version,
    open: Open,
}

impl Constraints {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let text = without_ranges(text);
        text.split("||").map(parse_parts).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a version satisfies the constraints.
    pub(super) fn allow(&self, version: &Version) -> bool {
        self.0.iter().any(|parts| {
            // Prereleases match only if the constraint names one.
            let may_be_prerelease = parts.iter().any(|part| !part.version.prerelease.is_empty());
            let is_considered = may_be_prerelease || version.prerelease.is_empty();
            is_considered && parts.iter().all(|part| part.allows(version))
        })
    }
}

/// `text` with ranges replaced by pairs of comparisons.
fn without_ranges(text: &str) -> String {
    let mut rewritten = text.to_owned();
    let Some(range) = &*RANGE else { return rewritten };
    for found in range.captures_iter(text) {
        let comparisons = format!(">= {}, <= {} ", &found["low"], &found["high"]);
        rewritten = rewritten.replacen(&found[0], &comparisons, 1);
    }
    rewritten
}

/// Parses parts that are separated by spaces or commas.
fn parse_parts(text: &str) -> Result<Vec<Part>, Error> {
    let (Some(part), Some(separator)) = (&*PART, &*SEPARATOR) else { return Err(Error::Constraint) };
    let is_blank = |c: char| matches!(c, '\t' | '\n' | '\x0c' | '\r' | ' ');
    let mut rest = text.trim_matches(is_blank);
    let mut parts = Vec::new();
    loop {
        let found = part.captures(rest).ok_or(Error::Constraint)?;
        let operator = Operator::parse(found.name("operator").map_or("", |operator| operator.as_str()))?;
        let group = |i: usize| found.get(i).map_or("", |group| group.as_str());
        // The operator and the whole version are the first two groups.
        parts.push(Part::parse(operator, group(2), [group(3), group(4), group(5)], group(6))?);
        rest = rest.get(found[0].len()..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(parts);
        }
        let len = separator.find(rest).ok_or(Error::Constraint)?.len();
        rest = rest.get(len..).unwrap_or_default();
    }
}

impl Operator {
    fn parse(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "" | "=" => Self::Equal,
            "!=" => Self::NotEqual,
            ">" => Self::Greater,
            "<" => Self::Less,
            ">=" | "=>" => Self::GreaterOrEqual,
            "<=" | "=<" => Self::LessOrEqual,
            "~" | "~>" => Self::Tilde,
            "^" => Self::Caret,
            _ => return Err(Error::Constraint),
        })
    }
}

fn is_open(number: &str) -> bool {
    matches!(number.strip_prefix('.').unwrap_or(number), "" | "x" | "X" | "*")
}

impl Part {
    fn parse(operator: Operator, whole: &str, numbers: [&str; 3], prerelease: &str) -> Result<Self, Error> {
        let [major, minor, patch] = numbers;
        let (open, version) = match () {
            () if is_open(major) => (Open::Major, format!("0.0.0{prerelease}")),
            () if is_open(minor) => (Open::Minor, format!("{major}.0.0{prerelease}")),
            () if is_open(patch) => (Open::Patch, format!("{major}{minor}.0{prerelease}")),
            () => (Open::None, whole.to_owned()),
        };
        let version = Version::parse(&version).map_err(|_| Error::ConstraintVersion)?;
        Ok(Self { operator, version, open })
    }

    /// Whether the part allows a version. Prereleases were considered before.
    fn allows(&self, version: &Version) -> bool {
        let own = &self.version;
        let order = version.compare(own);
        match self.operator {
            Operator::Equal if self.open == Open::None => order.is_eq(),
            Operator::Equal | Operator::Tilde => self.allows_tilde(version, order),
            Operator::NotEqual => self.allows_other(version, order),
            Operator::Greater => match self.open {
                _ if self.open != Open::None && version.major != own.major => version.major > own.major,
                Open::Minor => false,
                Open::Patch => version.minor > own.minor,
                Open::None | Open::Major => order.is_gt(),
            },
            Operator::Less => order.is_lt(),
            Operator::GreaterOrEqual => order.is_ge(),
            Operator::LessOrEqual => match self.open {
                Open::None => order.is_le(),
                Open::Minor => version.major <= own.major,
                Open::Major | Open::Patch => (version.major, version.minor) <= (own.major, own.minor),
            },
            Operator::Caret => self.allows_caret(version, order),
        }
    }

    /// All versions except this one, or except those with these numbers.
    fn allows_other(&self, version: &Version, order: Ordering) -> bool {
        let own = &self.version;
        match self.open {
            Open::None => order.is_ne(),
            _ if own.major != version.major => true,
            Open::Minor => false,
            _ if own.minor != version.minor => true,
            Open::Major => own.patch != version.patch || order.is_ne(),
            Open::Patch => compare_prereleases(&version.prerelease, &own.prerelease).is_ne(),
        }
    }

    /// This version or later, with the same minor version, or the same major version if the minor one is open.
    fn allows_tilde(&self, version: &Version, order: Ordering) -> bool {
        let own = &self.version;
        let is_any = (own.major, own.minor, own.patch) == (0, 0, 0) && matches!(self.open, Open::None | Open::Major);
        let has_minor = version.minor == own.minor || self.open == Open::Minor;
        order.is_ge() && (is_any || version.major == own.major && has_minor)
    }

    /// This version or later, with the same leftmost nonzero number.
    fn allows_caret(&self, version: &Version, order: Ordering) -> bool {
        let own = &self.version;
        if order.is_lt() || version.major != own.major {
            return false;
        }
        if own.major > 0 || self.open == Open::Minor {
            return true;
        }
        if own.minor > 0 || self.open == Open::Patch {
            return version.minor == own.minor;
        }
        version.minor == 0 && own.patch == version.patch
    }
}
