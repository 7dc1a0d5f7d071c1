//! The subcommands.

use clap::Subcommand;

#[cfg(feature = "sandbox")]
use super::sandbox;
#[cfg(feature = "processes")]
use super::{certcontroller, docs, webhook};
use super::{completion, crds, doctor, get, lint, migrate, plan, refresh, render, why};

/// A subcommand, with its arguments.
#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Show the state of ExternalSecrets and stores: when each is next refreshed, and what is wrong
    #[command(alias = "status")]
    Get(Box<get::GetArguments>),
    /// Explain why an ExternalSecret does not work, and what to do about it
    #[command(alias = "explain")]
    Why(Box<why::WhyArguments>),
    /// Check everything that a sync needs, from the API server to each ExternalSecret
    Doctor(Box<doctor::DoctorArguments>),
    /// Ask the controller to read values again, and report the result
    Refresh(Box<refresh::RefreshArguments>),
    /// Show what the controller would create, change or delete in a cluster, and change nothing
    Plan(Box<plan::PlanArguments>),
    /// Print the Secrets that ExternalSecrets produce, without a cluster
    Render(Box<render::RenderArguments>),
    /// Check manifests before they are applied, without a cluster
    Lint(Box<lint::LintArguments>),
    /// Move to this controller from ESO, akv2k8s, the Secrets Store CSI driver, pod identity or an old API version
    Migrate(migrate::MigrateArguments),
    /// Print the script that completes commands in a shell
    Completion(completion::CompletionArguments),
    /// What may follow some words, as kubectl asks its plugins
    #[command(name = "__complete", hide = true)]
    Complete(completion::CompleteArguments),
    /// Print the CRDs as YAML
    Crds(crds::CrdsArguments),
    /// Print a page of the documentation that is generated from the program
    #[cfg(feature = "processes")]
    Docs(docs::DocsArguments),
    /// Validate objects before they are stored, and convert them between versions
    #[cfg(feature = "processes")]
    Webhook(Box<webhook::WebhookArguments>),
    /// Issue certificates for the webhook, and make the API server trust them
    #[cfg(feature = "processes")]
    #[command(name = "certcontroller")]
    CertController(Box<certcontroller::CertControllerArguments>),
    /// Emulate Entra ID and Key Vault, and run a cluster to try them with
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::SandboxArguments),
}
