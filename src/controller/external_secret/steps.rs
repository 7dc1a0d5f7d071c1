//! What to do with one ExternalSecret. The controller and `plan` share these steps, up to the reading of values.

use super::cluster_view::ClusterView;
use super::destination::Destination;
use super::error::{Error, SpecFault};
use super::generated;
use super::index::stores_of;
use super::subject::Subject;
use super::target::{self, Target};
use crate::api::ServedVersion;
use crate::api::v1::ExternalSecretSpec;
use crate::controller::core::key::ObjectVersion;
use crate::controller::options::GenericTargets;
use crate::controller::store_access::clients::{ControllerClass, is_of_another_class};
use crate::sync::last_write::LastWrite;
use crate::sync::refresh::{self, Due, Inputs, TemplatesState, TokenLife};
use crate::sync::target::Owner;

/// The controller's settings that affect which step is next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'a> {
    /// Which stores are handled.
    pub(crate) class: ControllerClass<'a>,
    /// Whether targets other than Secrets are written.
    pub(crate) generic_targets: GenericTargets,
}

/// What earlier passes over the object found out.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The version of the target whose content is known to be what was last written.
    pub(crate) verified: Option<ObjectVersion>,
    /// The version of the target that this process wrote or compared with the values.
    pub(crate) own: Option<ObjectVersion>,
    /// What was last written to a target that is not a Secret.
    pub(crate) last_write: Option<LastWrite>,
    /// Whether the objects with templates still have the versions that were last rendered.
    pub(crate) templates: TemplatesState,
    /// The token in the target that expires first, at the verified version.
    pub(crate) token: Option<TokenLife>,
}

/// What to do.
pub(crate) enum Step {
    /// It belongs to another controller.
    NotOurs,
    /// It is being deleted.
    Deleted,
    /// It is to be synced, now or later.
    Sync(Look),
}

/// What was found about an ExternalSecret that is to be synced.
pub(crate) struct Look {
    pub(crate) due: Due,
    pub(crate) destination: Destination,
    pub(crate) target: Target,
    /// The token in the target that expires first.
    pub(crate) token: Option<TokenLife>,
}

/// What to do with one ExternalSecret. `check` says whether its spec can be worked on.
///
/// # Errors
/// The error that the condition `Ready` would report.
pub(crate) async fn next(
    subject: Subject<'_>,
    version: ServedVersion,
    settings: Settings<'_>,
    known: &Known,
    check: impl FnOnce(&ExternalSecretSpec) -> Result<(), SpecFault> + Send,
    cluster: &dyn ClusterView,
) -> Result<Step, Error> {
    let meta = &subject.object.metadata;
    // 1. Is it ours? One with an unreadable spec is, or nobody would report that. (no client)
    let spec = subject.object.spec.get();
    if let Ok(spec) = spec
        && (is_of_another_class(&stores_of(spec, &subject.key.namespace), settings.class, cluster).await?
            || generated::is_of_another_class(spec, &subject.key.namespace, settings.class.name, cluster).await)
    {
        return Ok(Step::NotOurs);
    }
    // 2. Is it being deleted? Then its spec need not be readable. (no client)
    if meta.deletion_timestamp.is_some() {
        return Ok(Step::Deleted);
    }
    let spec = spec.map_err(Clone::clone)?;
    check(spec)?;
    // 3. Is a refresh due? (client required where the target was changed by somebody else)
    let owner = Owner::new(meta, spec, version);
    let destination = Destination::of(spec, &subject.key.namespace, settings.generic_targets, cluster).await?;
    let target = target::look_at(subject, owner, &destination, known.verified.as_ref(), cluster).await?;
    let token = match &target {
        Target::Read(existing) => target::token(existing.metadata(), owner),
        _ => known.token,
    };
    let due = due(subject, owner, &target, known, token);
    Ok(Step::Sync(Look { due, destination, target, token }))
}

/// When a refresh is due.
#[must_use]
pub(crate) fn due(
    subject: Subject<'_>,
    owner: Owner<'_>,
    target: &Target,
    known: &Known,
    token: Option<TokenLife>,
) -> Due {
    refresh::due(Inputs {
        meta: owner.meta,
        spec: owner.spec,
        status: subject.status,
        target: target.state(owner.creation_policy(), known.last_write.as_ref()),
        templates: known.templates,
        token,
        now: subject.now,
    })
}
