//! What the controller would do for one ExternalSecret or PushSecret, found by its own steps without carrying them out.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::api::ServedVersion;
use crate::api::v1::ExternalSecret;
use crate::budget::Budget;
use crate::controller::core::key::ObjectKey;
use crate::controller::external_secret::clients::Clients;
use crate::controller::external_secret::destination::Existing;
use crate::controller::external_secret::error::Error;
use crate::controller::external_secret::generated::{self, Generation, Maker, Minter};
use crate::controller::external_secret::planning::Planner;
use crate::controller::external_secret::target::stale;
use crate::controller::external_secret::values;
use crate::controller::options::{FloodGate, Switch};
use crate::controller::push_secret::view::Tools;
use crate::controller::store_access::clients::{Access, ControllerClass};
use crate::controller::template_engines::Templates;
use crate::provider::azure::ActsAs;
use crate::provider::{Freshness, Priority, Providers, ReadOptions};
use crate::sync::data;
use crate::sync::plan::{Deletion, Plan};
use crate::sync::refresh::Reason;
use crate::sync::target::Owner;
use crate::template::Delimiters;

use super::inputs::Inputs;

/// Flags of the commands that show what would be done.
#[derive(Args, Debug)]
pub(super) struct PreviewArguments {
    /// Read values from this file, a YAML mapping of `remoteRef.key` to value, instead of from vaults. A scalar is its
    /// literal text, whichever version is asked for; a mapping is its JSON. `NAME.tags` and `NAME.attributes` are
    /// mappings of tags and times, for `metadataPolicy: Fetch`
    #[arg(long, value_name = "FILE")]
    pub(super) values: Option<std::path::PathBuf>,
    /// Print the values themselves instead of their length and a short hash, which differs from run to run
    #[arg(long)]
    pub(super) show_values: bool,
    /// Identity that reads vaults: that of each store, or yours: a service principal from the environment
    /// (`AZURE_TENANT_ID` and `AZURE_CLIENT_ID` with `AZURE_CLIENT_SECRET`, `AZURE_CLIENT_CERTIFICATE_PATH` or
    /// `AZURE_FEDERATED_TOKEN_FILE`), else whoever is logged in with az or azd
    #[arg(long, value_enum, default_value_t = AzureIdentity::Store)]
    pub(super) azure_identity: AzureIdentity,
    /// Left delimiter of template actions
    #[arg(long, default_value = "{{")]
    template_left_delimiter: String,
    /// Right delimiter of template actions
    #[arg(long, default_value = "}}")]
    template_right_delimiter: String,
}

impl PreviewArguments {
    /// The template engines.
    pub(super) fn templates(&self) -> Templates {
        Templates::new(Delimiters::new(&self.template_left_delimiter, &self.template_right_delimiter))
    }
}

/// Whose identity reads vaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum AzureIdentity {
    /// That of each store
    Store,
    /// Your own
    Caller,
}

impl From<AzureIdentity> for ActsAs {
    fn from(identity: AzureIdentity) -> Self {
        match identity {
            AzureIdentity::Store => Self::Store,
            AzureIdentity::Caller => Self::Caller,
        }
    }
}

/// What is needed to find it out.
pub(super) struct Previewer<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) providers: Providers,
    pub(super) templates: Templates,
    pub(super) flood_gate: FloodGate,
    pub(super) version: ServedVersion,
}

/// What the controller would do.
pub(super) struct Preview {
    /// With the target.
    pub(super) plan: Plan,
    /// The current target.
    pub(super) existing: Option<Existing>,
    /// Secrets of earlier target names, which the controller would delete.
    pub(super) stale: Vec<Deletion>,
}

impl Previewer<'_> {
    /// What is needed to determine the objects of PushSecrets.
    pub(super) fn tools<'a>(&'a self, class: ControllerClass<'a>, token_secrets: Switch) -> Tools<'a> {
        Tools { view: self.inputs, providers: &self.providers, templates: &self.templates, class, token_secrets }
    }

    /// What the controller would do at a refresh, for a spec that can be worked on.
    ///
    /// # Errors
    /// The error that the condition `Ready` would report.
    pub(super) async fn preview(
        &self,
        object: &ExternalSecret,
        existing: Option<Existing>,
        reason: Reason,
    ) -> Result<Preview, Error> {
        let spec = object.spec.get().map_err(Clone::clone)?;
        let owner = Owner::new(&object.metadata, spec, self.version);
        let budget = Arc::new(Budget::default());
        let access = Access { stores: self.inputs, providers: &self.providers, flood_gate: self.flood_gate };
        let clients = Clients::of(spec, &ObjectKey::of(&object.metadata), access, &budget).await?;
        let options = ReadOptions { freshness: Freshness::Shared, priority: Priority::First };
        let read = values::read(spec, &clients, options).await?;
        let generators = generated::used(spec, owner.namespace(), self.inputs).await?;
        let plan = if generators.is_empty() {
            let values = data::assemble(spec, read.fetched, self.templates.rewrite(), &budget)?;
            let mut planner = Planner::new(owner, &values, &self.templates, self.inputs);
            planner.plan(existing.as_ref(), None).await?
        } else {
            // Generates no values, and requests none from a registry.
            let generation = Generation {
                owner,
                status: object.status.as_ref(),
                reason,
                now: Timestamp::now(),
                freshness: Freshness::Shared,
                maker: Maker::Nobody,
                engine: self.templates.rewrite(),
                budget: &budget,
                held: &read.budget,
            };
            let mut minter = Minter::new(generation, generators);
            minter.propose(&read.fetched, existing.as_ref(), None, &self.templates, self.inputs).await?.plan
        };
        let stale =
            if plan.leaves_target() { stale(owner, object.status.as_ref(), self.inputs).await? } else { Vec::new() };
        Ok(Preview { plan, existing, stale })
    }
}
