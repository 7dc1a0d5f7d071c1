//! What may follow the words that have been typed.

use clap::{Arg, Command};

use crate::api::v1::StoreKind;
use crate::cli::person::kind::Kind;

/// What may stand in the place of the last word.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// Each with what it is.
    pub(super) candidates: Vec<(String, String)>,
    /// Names of the cluster that may stand there, too.
    pub(super) names: Option<Names>,
    /// Whether names of files may.
    pub(super) files: bool,
}

/// Names of a cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) of: Of,
    /// What stands before each.
    pub(super) begin: String,
    pub(super) target: Target,
}

/// Of what the names are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// Objects of these kinds, and what is typed before the name of each.
    Objects(Vec<(Kind, String)>),
    Namespaces,
    Contexts,
}

impl Of {
    /// Objects of kinds as they are typed: `NAME` of an ExternalSecret, and `KIND/NAME`. Once a kind is typed, only those
    /// of that kind.
    fn objects(kinds: &[Kind], typed: &str) -> Self {
        if let Some((word, _)) = typed.split_once('/') {
            let kind = Kind::of(word).filter(|kind| kinds.contains(kind));
            return Self::Objects(kind.into_iter().map(|kind| (kind, format!("{word}/"))).collect());
        }
        let begin =
            |kind: Kind| if kind == Kind::ExternalSecret { String::new() } else { format!("{}/", kind.short()) };
        Self::Objects(kinds.iter().map(|&kind| (kind, begin(kind))).collect())
    }
}

/// The kinds that can be explained.
const EXPLAINED: [Kind; 4] =
    [Kind::ExternalSecret, Kind::ClusterExternalSecret, Kind::PushSecret, Kind::ClusterPushSecret];
const STORES: [Kind; 2] = [Kind::Store(StoreKind::SecretStore), Kind::Store(StoreKind::ClusterSecretStore)];

/// Which cluster and namespace the words name so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kubeconfig: Option<String>,
    pub(super) context: Option<String>,
    pub(super) namespace: Option<String>,
}

impl Target {
    fn set(&mut self, flag: &str, value: &str) {
        let place = match flag {
            "kubeconfig" => &mut self.kubeconfig,
            "context" => &mut self.context,
            "namespace" => &mut self.namespace,
            _ => return,
        };
        *place = Some(value.to_owned());
    }
}

/// What may stand in the place of the last of these words.
pub(super) fn answer(program: &Command, words: &[String]) -> Answer {
    let Some((last, before)) = words.split_last() else { return Answer::default() };
    let Typed { command, path, open, positionals, target } = Typed::of(program, before);
    if let Some(flag) = open {
        return of_value(flag, "", last, target);
    }
    if let Some((name, value)) = last.strip_prefix("--").and_then(|last| last.split_once('=')) {
        return match long(command, name) {
            Some(flag) => of_value(flag, &format!("--{name}="), value, target),
            None => Answer::default(),
        };
    }
    if last.starts_with('-') {
        return flags(command, last);
    }
    let subcommands = command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name().starts_with(last));
    let candidates: Vec<_> = subcommands.map(|sub| (sub.get_name().to_owned(), about(sub.get_about()))).collect();
    if positionals == 0 && !candidates.is_empty() {
        return Answer { candidates, ..Answer::default() };
    }
    positional(command, &path, positionals, last, target)
}

/// What has been typed before the last word.
struct Typed<'a> {
    command: &'a Command,
    /// The names of the subcommands.
    path: Vec<&'a str>,
    /// The flag whose value comes next.
    open: Option<&'a Arg>,
    positionals: usize,
    target: Target,
}

impl<'a> Typed<'a> {
    fn of(program: &'a Command, words: &[String]) -> Self {
        let mut typed =
            Self { command: program, path: Vec::new(), open: None, positionals: 0, target: Target::default() };
        for word in words {
            typed.take(word);
        }
        typed
    }

    fn take(&mut self, word: &str) {
        if let Some(flag) = self.open.take() {
            self.target.set(flag.get_id().as_str(), word);
        } else if let Some(name) = word.strip_prefix("--") {
            match name.split_once('=') {
                Some((name, value)) => self.target.set(name, value),
                None => self.open = long(self.command, name).filter(|flag| takes_next(flag)),
            }
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            let flag = letters.chars().next().and_then(|letter| short(self.command, letter));
            let value = letters.get(1..).filter(|value| !value.is_empty());
            match (flag, value) {
                (Some(flag), Some(value)) => self.target.set(flag.get_id().as_str(), value),
                (Some(flag), None) => self.open = Some(flag).filter(|flag| takes_next(flag)),
                (None, _) => {}
            }
        } else if let Some(command) = self.command.find_subcommand(word).filter(|_| self.positionals == 0) {
            self.path.push(command.get_name());
            self.command = command;
        } else {
            self.positionals += 1;
        }
    }
}

fn long<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|argument| argument.get_long() == Some(name))
}

fn short(command: &Command, letter: char) -> Option<&Arg> {
    command.get_arguments().find(|argument| argument.get_short() == Some(letter))
}

/// Whether the next word is the flag's value.
fn takes_next(flag: &Arg) -> bool {
    flag.get_action().takes_values() && !flag.is_require_equals_set()
}

fn of_value(flag: &Arg, begin: &str, typed: &str, target: Target) -> Answer {
    let values = values(flag, begin, typed);
    if !values.is_empty() {
        return Answer { candidates: values, ..Answer::default() };
    }
    let of = match flag.get_id().as_str() {
        "namespace" => Of::Namespaces,
        "context" => Of::Contexts,
        "store" => Of::objects(&STORES, typed),
        _ => return Answer { files: takes_files(flag), ..Answer::default() },
    };
    Answer { names: Some(Names { of, begin: begin.to_owned(), target }), ..Answer::default() }
}

/// The values that an argument may have.
fn values(argument: &Arg, begin: &str, typed: &str) -> Vec<(String, String)> {
    let values = argument.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
    let values = values.filter(|value| value.get_name().starts_with(typed));
    values.map(|value| (format!("{begin}{}", value.get_name()), about(value.get_help()))).collect()
}

fn flags(command: &Command, typed: &str) -> Answer {
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let named = shown.filter_map(|argument| Some((format!("--{}", argument.get_long()?), about(argument.get_help()))));
    Answer { candidates: named.filter(|(name, _)| name.starts_with(typed)).collect(), ..Answer::default() }
}

fn positional(command: &Command, path: &[&str], index: usize, typed: &str, target: Target) -> Answer {
    let mut positionals = command.get_positionals();
    let Some(argument) = positionals.nth(index).or_else(|| command.get_positionals().last()) else {
        return Answer::default();
    };
    let values = values(argument, "", typed);
    if !values.is_empty() {
        return Answer { candidates: values, ..Answer::default() };
    }
    let of = match path {
        ["get" | "refresh"] => Of::objects(&Kind::ALL, typed),
        ["why"] => Of::objects(&EXPLAINED, typed),
        // Names alone: an ExternalSecret and a PushSecret of the same name are both meant.
        ["plan"] => Of::Objects([Kind::ExternalSecret, Kind::PushSecret].map(|kind| (kind, String::new())).into()),
        _ => return Answer { files: takes_files(argument), ..Answer::default() },
    };
    let takes_kinds = matches!(path, ["get" | "refresh"]);
    let plurals = takes_kinds.then(|| Kind::ALL.map(Kind::plural).into_iter().chain(["stores"])).into_iter().flatten();
    let candidates =
        plurals.filter(|plural| plural.starts_with(typed)).map(|plural| (plural.to_owned(), String::new()));
    Answer {
        candidates: candidates.collect(),
        names: Some(Names { of, begin: String::new(), target }),
        ..Answer::default()
    }
}

/// Whether a value is the name of a file or folder.
fn takes_files(argument: &Arg) -> bool {
    let names = argument.get_value_names().unwrap_or_default();
    names.iter().any(|name| ["PATH", "FILE", "FOLDER"].contains(&name.as_str()))
}

/// The first line of a description.
fn about(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    /// Like ours.
    #[derive(Parser)]
    enum Program {
        /// Shows them
        Get(Get),
        /// Checks them
        Lint { paths: Vec<std::path::PathBuf> },
        #[command(hide = true)]
        Secret,
    }

    #[derive(clap::Args)]
    struct Get {
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// The namespace
        #[arg(short, long)]
        namespace: Option<String>,
        #[arg(short, long, value_parser = ["json", "yaml"])]
        output: Option<String>,
        #[arg(long, value_name = "FILE")]
        kubeconfig: Option<String>,
        #[arg(short, long)]
        watch: bool,
    }

    fn answer_to(words: &[&str]) -> Answer {
        let mut program = Program::command();
        program.build();
        answer(&program, &words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
    }

    fn candidates(words: &[&str]) -> Vec<String> {
        answer_to(words).candidates.into_iter().map(|(candidate, _)| candidate).collect()
    }

    #[test]
    fn commands_flags_and_values_are_completed() {
        assert_eq!(candidates(&["g"]), ["get"]);
        assert!(!candidates(&[""]).contains(&"secret".to_owned()));
        assert_eq!(candidates(&["get", "--na"]), ["--namespace"]);
        assert_eq!(candidates(&["get", "-o", ""]), ["json", "yaml"]);
        assert_eq!(candidates(&["get", "--output=y"]), ["--output=yaml"]);
        assert_eq!(answer_to(&["get", "--na"]).candidates[0].1, "The namespace");
    }

    #[test]
    fn names_are_those_of_the_namespace_that_was_typed() {
        let names = answer_to(&["get", "-w", "-n", "shop", "--kubeconfig=/k", "d"]).names.unwrap();
        assert!(matches!(&names.of, Of::Objects(kinds) if kinds.len() == Kind::ALL.len()));
        assert_eq!((names.target.namespace.as_deref(), names.target.kubeconfig.as_deref()), (Some("shop"), Some("/k")));
        assert_eq!(answer_to(&["get", "-n", ""]).names.unwrap().of, Of::Namespaces);
        assert!(answer_to(&["get", "--kubeconfig", ""]).files);
    }

    #[test]
    fn a_kind_that_was_typed_leaves_the_names_of_that_kind() {
        let objects = |words: &[&str]| match answer_to(words).names.unwrap().of {
            Of::Objects(kinds) => kinds.into_iter().map(|(kind, begin)| (kind.name(), begin)).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(objects(&["get", "ps/d"]), [("PushSecret", "ps/".to_owned())]);
        assert_eq!(objects(&["get", "ClusterPushSecret/"]), [("ClusterPushSecret", "ClusterPushSecret/".to_owned())]);
        assert_eq!(objects(&["get", "pod/"]), []);
        let all = objects(&["get", ""]);
        assert!(all.contains(&("ExternalSecret", String::new())) && all.contains(&("PushSecret", "ps/".to_owned())));
        assert_eq!(candidates(&["get", "push"]), ["pushsecrets"]);
    }
}
