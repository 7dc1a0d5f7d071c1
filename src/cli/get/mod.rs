//! `external-secrets get`, also `status`: how are my objects doing?

mod asked;
mod filter;
mod follow;
mod kinds;
mod print;
mod read;
mod row;

use std::pin::pin;
use std::process::ExitCode;

use clap::Args;
use futures::StreamExt as _;

use super::person::kind::Kind;
use super::person::printing::{Format, ListFormat, ListOutput, Output, note};
use super::person::{ClusterArguments, Error, absent};
use asked::Asked;
use filter::{Filter, FilterArguments};
use follow::{Event, why};
use read::Scope;
use row::Row;

/// Shows ExternalSecrets or other objects: whether each is Ready, when it was last synced, when it is next refreshed, and
/// what is wrong.
///
/// Reads only these objects, with your rights. Exits with 1 if a named one does not exist.
#[derive(Args, Debug)]
pub(super) struct GetArguments {
    /// Only these: NAME or es/NAME for ExternalSecrets, ces/NAME, ps/NAME, cps/NAME, store/NAME, css/NAME; or all of a
    /// kind: externalsecrets, clusterexternalsecrets, pushsecrets, clusterpushsecrets, stores, secretstores,
    /// clustersecretstores
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// In all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Only those with these labels; not with the names of objects
    #[arg(short = 'l', long)]
    selector: Option<String>,
    #[command(flatten)]
    filter: FilterArguments,
    /// Keep running, and print each object that changes: as a line, or as one document
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    output: ListOutput,
    #[command(flatten)]
    cluster: ClusterArguments,
}

pub(super) async fn execute(arguments: &GetArguments) -> Result<ExitCode, Error> {
    let (cluster, namespace) = arguments.cluster.cluster().await?;
    let asked = Asked::of(&arguments.names, &namespace)?;
    let filter = Filter::of(&arguments.filter, &namespace)?;
    let scope = Scope {
        cluster: &cluster,
        namespace: (!arguments.all_namespaces).then_some(namespace.as_str()),
        selector: arguments.selector.as_deref(),
    };
    let (mut shown, mut code) = (Vec::new(), ExitCode::SUCCESS);
    for (kind, which) in &asked.0 {
        let (mut rows, missing) = scope.rows(*kind, which).await?;
        for named in missing {
            note(&format!("external-secrets: {}", absent::message(&cluster, &named).await));
            code = ExitCode::FAILURE;
        }
        rows.retain(|row| filter.lets_pass(row));
        shown.push((*kind, rows));
    }
    if arguments.watch {
        return follow(arguments, &scope, &asked, &filter).await;
    }
    if code == ExitCode::SUCCESS && !arguments.output.is_document() && shown.iter().all(|(_, rows)| rows.is_empty()) {
        note(&format!("no {} matches", kinds_in_words(&shown)));
    }
    let format = arguments.output.format;
    arguments
        .output
        .output()
        .print(|| print::text(&shown, format, arguments.all_namespaces), || print::document(&shown))?;
    Ok(code)
}

fn kinds_in_words(shown: &[(Kind, Vec<Row>)]) -> String {
    shown.iter().map(|(kind, _)| kind.name()).collect::<Vec<_>>().join(" or ")
}

/// Prints each object now and after each change, until the process ends: as lines, or as one JSON document per line.
async fn follow(
    arguments: &GetArguments,
    scope: &Scope<'_>,
    asked: &Asked,
    filter: &Filter<'_>,
) -> Result<ExitCode, Error> {
    let format = arguments.output.format;
    let mut events = pin!(follow::events(scope, asked));
    while let Some(event) = events.next().await {
        if let Some(status) = event.forbidden() {
            return Err(Error::Forbidden(status.message.clone()));
        }
        let (text, document) = match &event {
            Event::Changed(row) if filter.lets_pass(row) => (print::line(row, format), print::changed(row)),
            Event::Changed(_) => continue,
            Event::Deleted(named) => {
                note(&format!("{} was deleted", named.label()));
                (String::new(), print::deleted(named))
            }
            Event::Reopened(kind, error) => {
                note(&format!("external-secrets: the watch of {} is reopened: {}", kind.plural(), why(error)));
                continue;
            }
        };
        match format {
            // One per line, so that a reader knows where it ends.
            ListFormat::Json => {
                Output { format: Format::Text }.print(|| format!("{document}\n"), || document.clone())?;
            }
            ListFormat::Yaml => {
                Output { format: Format::Text }.print(|| "---\n".to_owned(), || document.clone())?;
                arguments.output.output().print(String::new, || document.clone())?;
            }
            _ => arguments.output.output().print(|| text, || document.clone())?,
        }
    }
    Ok(ExitCode::SUCCESS)
}
