//! Prints a plan for people to read.

use std::fmt::{self, Write as _};

use super::action::Action;
use super::diff::Change;
use super::entry::{Entry, Findings, Summary, in_words};
use super::parents::Parent;
use super::push::{self, Object, PushEntry};
use crate::cli::redaction::Shown;
use crate::sync::refresh::Due;

/// How many equal lines to show around those that differ.
const CONTEXT: usize = 2;

/// Whether lines are colored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Colored,
}

/// The meaning of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Added,
    Changed,
    Removed,
    Refused,
    Same,
}

impl Mark {
    const fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Changed => '~',
            Self::Removed => '-',
            Self::Refused => '!',
            Self::Same => ' ',
        }
    }

    /// The ECMA-48 escape sequence of its color.
    const fn color(self) -> &'static str {
        match self {
            Self::Added => "\x1b[32m",
            Self::Changed => "\x1b[33m",
            Self::Removed => "\x1b[31m",
            Self::Refused => "\x1b[1;31m",
            Self::Same => "",
        }
    }

    const fn of(change: &Change) -> Self {
        match (&change.before, &change.after) {
            (None, _) => Self::Added,
            (Some(_), Some(_)) => Self::Changed,
            (Some(_), None) => Self::Removed,
        }
    }
}

/// The plan as text.
pub(super) fn print(all: &Findings, paint: Paint) -> String {
    let mut page = Page { text: String::new(), paint };
    for parent in &all.parents {
        page.parent(parent);
    }
    for entry in &all.entries {
        page.entry(entry);
    }
    for push in &all.pushes {
        page.push(push);
    }
    let Summary { create, update, delete, unchanged, refused } = Summary::of(all);
    if !page.text.is_empty() {
        page.text.push('\n');
    }
    let _ = writeln!(
        page.text,
        "Plan: {create} to create, {update} to change, {delete} to delete; {unchanged} unchanged, {refused} refused."
    );
    page.text
}

struct Page {
    text: String,
    paint: Paint,
}

impl Page {
    fn parent(&mut self, parent: &Parent) {
        let owner = format!("{} {}", parent.makes.parent(), parent.name);
        if let Some(fault) = &parent.fault {
            self.line(0, Mark::Refused, &format!("{owner}: {fault}"));
        }
        match parent.unchanged {
            0 => {}
            1 => self.line(0, Mark::Same, &format!("{owner}: 1 of its namespaces is up to date")),
            number => self.line(0, Mark::Same, &format!("{owner}: {number} of its namespaces are up to date")),
        }
        for child in &parent.children {
            let object = format!("{} {}", parent.makes.child(), child.object);
            let why = child.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            match child.action {
                Action::Create => self.line(0, Mark::Added, &format!("{object} would be created by {owner}{why}")),
                Action::Update => self.line(0, Mark::Changed, &format!("{object} would be changed by {owner}{why}")),
                Action::Delete => self.line(0, Mark::Removed, &format!("{object} would be deleted by {owner}{why}")),
                Action::Refuse => {
                    self.line(0, Mark::Refused, &format!("{owner}: {}{why}", child.object.namespace));
                }
                Action::None => {}
            }
        }
    }

    fn entry(&mut self, entry: &Entry) {
        let owner = format!("ExternalSecret {}", entry.external_secret);
        let secret = format!("{} {}", entry.kind, place(entry, &entry.target));
        let when = match entry.due {
            Some(due @ Due::At(_)) => format!(", {}", in_words(due)),
            _ => String::new(),
        };
        match entry.action {
            Action::Create => self.line(0, Mark::Added, &format!("{secret} would be created by {owner}{when}")),
            Action::Update => self.line(0, Mark::Changed, &format!("{secret} would be changed by {owner}{when}")),
            Action::Refuse => {
                let condition = entry.condition.as_ref();
                let said = condition.map(|condition| format!(": {}: {}", condition.reason, condition.message));
                self.line(0, Mark::Refused, &format!("{owner}{}", said.unwrap_or_default()));
            }
            Action::Delete => {}
            Action::None => self.line(0, Mark::Same, &format!("{owner}: {}", nothing(entry))),
        }
        for change in &entry.changes {
            self.change(change);
        }
        for deletion in &entry.deletions {
            let secret = format!("{} {}", deletion.kind, place(entry, &deletion.name));
            let text = format!("{secret} would be deleted by {owner}{when}: {}", deletion.reason);
            self.line(0, Mark::Removed, &text);
        }
    }

    fn push(&mut self, entry: &PushEntry) {
        let owner = format!("PushSecret {}", entry.push_secret);
        if let Some(message) = &entry.error {
            self.line(0, Mark::Refused, &format!("{owner}: Errored: {message}"));
        }
        if let Some(why) = &entry.left_alone {
            self.line(0, Mark::Same, &format!("{owner}: {why}"));
        }
        let when = match entry.due {
            Some(due @ Due::At(_)) => format!(", {}", push::in_words(due)),
            _ => String::new(),
        };
        for object in &entry.objects {
            self.object(object, &owner, &when);
        }
        match entry.unchanged() {
            0 => {}
            1 => self.line(0, Mark::Same, &format!("{owner}: 1 of its objects is as it should be")),
            number => self.line(0, Mark::Same, &format!("{owner}: {number} of its objects are as they should be")),
        }
    }

    fn object(&mut self, object: &Object, owner: &str, when: &str) {
        let why = object.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let name = object.in_words();
        match object.action {
            Action::Create => self.line(0, Mark::Added, &format!("{name} would be created by {owner}{when}{why}")),
            Action::Update => {
                let done = object.done();
                self.line(0, Mark::Changed, &format!("{name} {done} {owner}{when}{why}"));
            }
            Action::Delete => self.line(0, Mark::Removed, &format!("{name} would be deleted by {owner}{when}{why}")),
            Action::Refuse => self.line(0, Mark::Refused, &format!("{owner}: {name}{why}")),
            Action::None if object.why.is_some() => self.line(0, Mark::Same, &format!("{owner}: {name}{why}")),
            Action::None => {}
        }
        for change in &object.changes {
            self.line(1, Mark::Changed, change);
        }
    }

    fn change(&mut self, change: &Change) {
        let path = path(change);
        let text = match (&change.before, &change.after) {
            (Some(Shown::Text(before)), Some(Shown::Text(after))) if before.contains('\n') || after.contains('\n') => {
                self.line(1, Mark::Changed, &path);
                return self.lines(before, after);
            }
            (Some(before), Some(after)) => format!("{path}: {} -> {}", before.in_line(), after.in_line()),
            // The key says everything.
            (Some(Shown::Text(text)), None) | (None, Some(Shown::Text(text))) if text.is_empty() => path,
            (Some(one), None) | (None, Some(one)) => format!("{path}: {}", one.in_line()),
            (None, None) => return,
        };
        self.line(1, Mark::of(change), &text);
    }

    /// The lines that differ, with some context.
    fn lines(&mut self, before: &str, after: &str) {
        let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
        let equal = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
        let head = equal(&mut before.iter().zip(&after));
        let tail = equal(&mut before[head..].iter().rev().zip(after[head..].iter().rev()));
        let (before_end, after_end) = (before.len() - tail, after.len() - tail);
        for line in &before[head.saturating_sub(CONTEXT)..head] {
            self.line(3, Mark::Same, line);
        }
        for line in &before[head..before_end] {
            self.line(3, Mark::Removed, line);
        }
        for line in &after[head..after_end] {
            self.line(3, Mark::Added, line);
        }
        for line in after[after_end..].iter().take(CONTEXT) {
            self.line(3, Mark::Same, line);
        }
    }

    fn line(&mut self, depth: usize, mark: Mark, text: &str) {
        let (color, end) = match self.paint {
            Paint::Colored if mark != Mark::Same => (mark.color(), "\x1b[0m"),
            _ => ("", ""),
        };
        let _ = writeln!(self.text, "{:depth$}{color}{} {}{end}", "", mark.sign(), Harmless(text), depth = depth * 4);
    }
}

/// A text that cannot control the terminal.
struct Harmless<'a>(&'a str);

impl fmt::Display for Harmless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            if c.is_control() && c != '\t' { write!(f, "{}", c.escape_default()) } else { f.write_char(c) }
        })
    }
}

fn place(entry: &Entry, name: &str) -> String {
    format!("{}/{name}", entry.external_secret.namespace)
}

/// The field and its key.
fn path(change: &Change) -> String {
    match &change.key {
        None => change.field.to_owned(),
        Some(key) if key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) => {
            format!("{}.{key}", change.field)
        }
        Some(key) => format!("{}[{key:?}]", change.field),
    }
}

/// Why nothing is done with a target.
fn nothing(entry: &Entry) -> String {
    let due = entry.due.map(|due| match due {
        Due::Now(_) => String::new(),
        due => format!("; next refresh {}", in_words(due)),
    });
    let said = match (entry.left_alone, &entry.condition) {
        (Some(why), _) => why.to_owned(),
        (None, None) => "nothing is due".to_owned(),
        (None, Some(condition)) if condition.message == "secret synced" => {
            format!("its {} is up to date", entry.kind)
        }
        (None, Some(condition)) => condition.message.clone(),
    };
    format!("{said}{}", due.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::plan::entry::{Condition, Deletion};
    use crate::controller::core::key::ObjectKey;

    fn entry(name: &str, action: Action) -> Entry {
        Entry {
            external_secret: ObjectKey::new("team-a", name),
            kind: "Secret".to_owned(),
            target: name.to_owned(),
            action,
            condition: None,
            left_alone: None,
            due: None,
            changes: Vec::new(),
            deletions: Vec::new(),
        }
    }

    fn text(text: &str) -> Shown {
        Shown::Text(text.to_owned())
    }

    fn redacted(bytes: usize, hash: &str) -> Shown {
        Shown::Redacted { bytes, hash: hash.to_owned() }
    }

    fn of(entries: Vec<Entry>) -> Findings {
        Findings { entries, ..Findings::default() }
    }

    fn entries() -> Vec<Entry> {
        let change = |key: &str, before, after| Change { field: "data", key: Some(key.to_owned()), before, after };
        let changed = Entry {
            changes: vec![
                change("password", Some(redacted(4, "00aa11bb")), Some(redacted(6, "22cc33dd"))),
                change("tls.crt", None, Some(redacted(9, "44ee55ff"))),
                Change { field: "labels", key: Some("team".to_owned()), before: Some(text("a")), after: None },
            ],
            deletions: vec![Deletion {
                kind: "Secret".to_owned(),
                name: "old".to_owned(),
                reason: "it has an earlier name",
            }],
            ..entry("changed", Action::Update)
        };
        let refused = Entry {
            condition: Some(Condition {
                status: "False",
                reason: "SecretSyncedError",
                message: "could not\x1b[2J".to_owned(),
            }),
            ..entry("refused", Action::Refuse)
        };
        let same = Entry {
            condition: Some(Condition { status: "True", reason: "SecretSynced", message: "secret synced".to_owned() }),
            due: Some(Due::At("2026-01-01T00:00:00Z".parse().unwrap())),
            ..entry("same", Action::None)
        };
        vec![entry("new", Action::Create), changed, refused, same]
    }

    #[test]
    fn each_object_and_each_field_has_a_line_and_the_last_sums_up() {
        let expected = [
            "+ Secret team-a/new would be created by ExternalSecret team-a/new",
            "~ Secret team-a/changed would be changed by ExternalSecret team-a/changed",
            "    ~ data.password: (4 bytes, hash 00aa11bb) -> (6 bytes, hash 22cc33dd)",
            "    + data[\"tls.crt\"]: (9 bytes, hash 44ee55ff)",
            "    - labels.team: \"a\"",
            "- Secret team-a/old would be deleted by ExternalSecret team-a/changed: it has an earlier name",
            "! ExternalSecret team-a/refused: SecretSyncedError: could not\\u{1b}[2J",
            "  ExternalSecret team-a/same: its Secret is up to date; next refresh at 2026-01-01T00:00:00Z",
            "",
            "Plan: 1 to create, 1 to change, 1 to delete; 1 unchanged, 1 refused.",
            "",
        ];
        assert_eq!(print(&of(entries()), Paint::Plain), expected.join("\n"));
    }

    #[test]
    fn colors_are_all_that_differs() {
        let colored = print(&of(entries()), Paint::Colored);
        assert!(colored.starts_with("\x1b[32m+ Secret team-a/new "), "{colored}");
        assert!(colored.contains("    \x1b[31m- labels.team: \"a\"\x1b[0m\n"), "{colored}");
        let plain = ["\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[1;31m", "\x1b[0m"]
            .into_iter()
            .fold(colored, |text, sequence| text.replace(sequence, ""));
        assert_eq!(plain, print(&of(entries()), Paint::Plain));
    }

    #[test]
    fn of_a_value_of_many_lines_those_that_differ_are_shown_with_their_neighbors() {
        let change = Change {
            field: "data",
            key: Some("conf".to_owned()),
            before: Some(text("a\nb\nc\nd\ne\nf")),
            after: Some(text("a\nb\nc\nD\nD2\ne\nf")),
        };
        let page = print(&of(vec![Entry { changes: vec![change], ..entry("x", Action::Update) }]), Paint::Plain);
        let lines: Vec<_> = page.lines().skip(1).take(7).map(str::trim_start).collect();
        assert_eq!(lines, ["~ data.conf", "b", "c", "- d", "+ D", "+ D2", "e"]);
    }
}
