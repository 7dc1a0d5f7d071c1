//! `docs/flags.md`

use clap::{Arg, Command};

use super::markdown::{code, head, table};

const INTRODUCTION: &str = "\
Without a subcommand the program is the controller. Flags of the controller, `webhook` and `certcontroller` are those of ESO 2.9.0, with its meaning, and
a few of our own; [what differs](compatibility.md). Durations are Go's: `90s`, `1h30m0s`. A flag of `true` or `false` that is given without a value
is true. Of two the last counts.

";

/// The environment variables that the program reads.
const ENVIRONMENT: [(&str, &str); 13] = [
    ("KUBECONFIG", "The cluster, outside of a pod"),
    ("HTTPS_PROXY", "The proxy to Azure and to the Kubernetes API"),
    ("NO_PROXY", "Hosts, domains and networks without a proxy"),
    ("SSL_CERT_FILE", "Certificates to trust in place of the system's"),
    ("RUST_LOG", "The log's filter in place of `--loglevel`, for example `external_secrets=debug,kube=info`"),
    ("AZURE_CLIENT_ID", "The pod's identity; set by the workload identity webhook"),
    ("AZURE_TENANT_ID", "Likewise"),
    ("AZURE_FEDERATED_TOKEN_FILE", "Likewise"),
    ("AZURE_AUTHORITY_HOST", "Likewise"),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "Where traces are sent by OTLP over HTTP (with the cargo feature `otlp`); nowhere if unset",
    ),
    ("OTEL_EXPORTER_OTLP_HEADERS", "Headers for it, as `name=value,name=value`"),
    ("OTEL_SERVICE_NAME", "The service's name in traces; `external-secrets` if unset"),
    ("OTEL_BSP_SCHEDULE_DELAY", "How many milliseconds spans are gathered before they are sent; 5000 if unset"),
];

pub(super) fn page(mut program: Command) -> String {
    program.build();
    let mut page = head("Flags", "flags") + INTRODUCTION;
    page.push_str("## The controller\n\n`external-secrets`\n\n");
    flags(&program, &mut page);
    subcommands(&program, "external-secrets", &mut page);
    page.push_str("## Environment\n\n");
    page.push_str(&table(["variable", "meaning"], ENVIRONMENT.map(|(name, meaning)| [code(name), meaning.to_owned()])));
    page.trim_end().to_owned() + "\n"
}

fn subcommands(command: &Command, path: &str, page: &mut String) {
    let shown = |subcommand: &&Command| subcommand.get_name() != "help" && !subcommand.is_hide_set();
    for subcommand in command.get_subcommands().filter(shown) {
        let path = format!("{path} {}", subcommand.get_name());
        let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
        let words = path.split(' ').skip(1).collect::<Vec<_>>().join(" ");
        page.extend([format!("## `{words}`\n\n{about}.\n\n")]);
        flags(subcommand, page);
        subcommands(subcommand, &path, page);
    }
}

/// The flags of a command, grouped by their headings.
fn flags(command: &Command, page: &mut String) {
    let known = |argument: &&Arg| !["help", "version"].contains(&argument.get_id().as_str()) && !argument.is_hide_set();
    let arguments: Vec<_> = command.get_arguments().filter(known).collect();
    let mut headings: Vec<Option<&str>> = Vec::new();
    for argument in &arguments {
        if !headings.contains(&argument.get_help_heading()) {
            headings.push(argument.get_help_heading());
        }
    }
    for heading in headings {
        if let Some(heading) = heading {
            page.extend([format!("### {heading}\n\n")]);
        }
        let rows =
            arguments.iter().filter(|argument| argument.get_help_heading() == heading).map(|argument| row(argument));
        page.push_str(&table(["flag", "default", "meaning"], rows));
    }
}

fn row(argument: &Arg) -> [String; 3] {
    let name = match argument.get_long() {
        Some(long) => format!("--{long}"),
        None => argument.get_value_names().map_or_else(
            || argument.get_id().to_string(),
            |names| names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(" "),
        ),
    };
    let defaults: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let environment =
        argument.get_env().map(|name| format!("; also by `{}`", name.to_string_lossy())).unwrap_or_default();
    let shown = |value: &clap::builder::PossibleValue| (!value.is_hide_set()).then(|| code(value.get_name()));
    let values: Vec<_> = argument.get_possible_values().iter().filter_map(shown).collect();
    let takes_value = argument.get_action().takes_values();
    let values =
        if values.is_empty() || !takes_value { String::new() } else { format!("; one of {}", values.join(", ")) };
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    [code(&name), code(&defaults.join(",")), format!("{help}{values}{environment}")]
}
