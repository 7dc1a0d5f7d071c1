//! The output of `why`.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::check::Checked;
use super::events::Event;
use super::found::Found;
use super::{parent, push, writers};
use crate::api::v1::ConditionStatus;
use crate::cli::person::kind::Kind;
use crate::cli::person::overview::{Next, Overview};
use crate::cli::person::parents::ParentOverview;
use crate::cli::person::printing::{ago, page, span};
use crate::cli::person::pushes::PushOverview;
use crate::sync::one_line::on_one_line;

/// Indents to the column of the messages.
const INDENT: &str = "                      ";

/// The object that is explained.
pub(super) struct Explained {
    /// The headline.
    pub(super) head: String,
    /// Why it is not Ready, in one word.
    pub(super) cause: Option<String>,
    /// The name of its kind in the document.
    pub(super) kind: &'static str,
    /// Its summary, for programs to read.
    pub(super) document: Value,
}

impl Explained {
    /// An ExternalSecret.
    pub(super) fn external_secret(overview: &Overview, now: Timestamp) -> Self {
        let (head, cause) = (head(overview, now), overview.cause.clone());
        Self { head, cause, kind: "externalSecret", document: overview.document() }
    }

    /// A PushSecret.
    pub(super) fn push_secret(overview: &PushOverview, now: Timestamp) -> Self {
        let (head, cause) = (push::head(overview, now), overview.state.cause.clone());
        Self { head, cause, kind: "pushSecret", document: overview.document() }
    }

    /// A ClusterExternalSecret or ClusterPushSecret.
    pub(super) fn parent(overview: &ParentOverview, now: Timestamp) -> Self {
        let kind = match overview.kind {
            Kind::ClusterPushSecret => "clusterPushSecret",
            _ => "clusterExternalSecret",
        };
        let cause = parent::cause(overview).map(str::to_owned);
        Self { head: parent::head(overview, now), cause, kind, document: overview.document() }
    }
}

/// For people to read.
pub(super) fn text(explained: &Explained, links: &[Found], events: &[Event], checked: Option<&Checked>) -> String {
    let mut text = format!("{}\n", on_one_line(&explained.head));
    for found in links {
        let mark = found.outcome.mark();
        let name = found.field.as_deref().unwrap_or_else(|| found.link.name());
        let _ = writeln!(text, "  {mark:<4}  {:<12}  {}", on_one_line(name), on_one_line(&found.message));
        for writer in &found.writers {
            let _ = writeln!(text, "{INDENT}{}", writers::in_words(writer));
        }
        if let Some(remedy) = &found.remedy {
            let see = found.see.map(|see| format!(" See {}.", page(see))).unwrap_or_default();
            let _ = writeln!(text, "{INDENT}do: {}{see}", on_one_line(remedy));
        }
    }
    if let Some(checked) = checked {
        let came_to = match &checked.cause {
            None => "",
            cause if *cause == explained.cause => "still fails: ",
            Some(_) => "fails otherwise: ",
        };
        let _ = writeln!(text, "checked from here: {came_to}{}", on_one_line(&checked.message));
    }
    for event in events {
        let count = if event.count > 1 { format!(" ({} times)", event.count) } else { String::new() };
        let is_told =
            !event.message.is_empty() && links.iter().any(|found| on_one_line(&found.message).contains(&event.message));
        let message = if is_told { "the same message" } else { &event.message };
        let _ = writeln!(text, "event {} {} {}{count}: {message}", event.last, event.type_, event.reason);
    }
    text
}

fn head(overview: &Overview, now: Timestamp) -> String {
    let since = overview.since.map(|since| format!(" for {}", span(now.duration_since(since)))).unwrap_or_default();
    let synced =
        overview.synced_at.map_or_else(|| "never synced".to_owned(), |then| format!("synced {}", ago(then, now)));
    let next = match overview.next {
        Next::Now => "a refresh is due".to_owned(),
        Next::At(time) => format!("next refresh in {}", span(time.duration_since(now))),
        Next::Retried => "retried within 5m".to_owned(),
        Next::Never(why) => format!("not refreshed by itself: {why}"),
    };
    let state = match overview.ready {
        Some(ConditionStatus::True) => format!("Ready{since}; {synced}; {next}"),
        Some(_) => format!("not Ready{since}; {synced}; {next}"),
        None => "not processed yet".to_owned(),
    };
    format!("ExternalSecret {}: {state}", overview.key)
}

/// For programs to read.
pub(super) fn document(explained: &Explained, links: &[Found], events: &[Event], checked: Option<&Checked>) -> Value {
    let links = links.iter().map(|found| {
        json!({
            "link": found.link.name(),
            "field": found.field,
            "result": found.outcome.word(),
            "cause": found.cause,
            "message": on_one_line(&found.message),
            "remedy": found.remedy,
            "see": found.see.map(page),
            "writers": found.writers.iter().map(|writer| json!({"manager": writer.manager, "keys": writer.keys})).collect::<Vec<_>>(),
        })
    });
    let events = events.iter().map(|event| {
        json!({"last": event.last, "type": event.type_, "reason": event.reason, "message": event.message, "count": event.count})
    });
    let checked = checked.map(|checked| {
        json!({"result": if checked.cause.is_none() { "ok" } else { "failed" }, "cause": checked.cause, "message": on_one_line(&checked.message)})
    });
    json!({
        "version": 1,
        "due": explained.document["due"],
        explained.kind: explained.document,
        "links": links.collect::<Vec<_>>(),
        "check": checked,
        "events": events.collect::<Vec<_>>(),
    })
}
