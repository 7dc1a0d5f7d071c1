//! From the values to the plan: the template is rendered only where the plan depends on what the target would hold, and
//! once for all tries to write it.

use std::collections::BTreeMap;

use super::cluster_view::ClusterView;
use super::destination::Existing;
use super::error::Error;
use super::index::TemplateSource;
use super::templates::{self, Rendering, Templates};
use crate::controller::core::key::ObjectVersion;
use crate::sync::SecretData;
use crate::sync::last_write::LastWrite;
use crate::sync::plan::{self, Plan};
use crate::sync::target::Owner;

/// Works out plans for the target of one ExternalSecret.
pub(crate) struct Planner<'a> {
    owner: Owner<'a>,
    values: &'a SecretData,
    templates: &'a Templates,
    cluster: &'a dyn ClusterView,
    rendering: Option<Rendering>,
}

impl<'a> Planner<'a> {
    /// For `values`, all that was read and put together for `owner`.
    #[must_use]
    pub(crate) const fn new(
        owner: Owner<'a>,
        values: &'a SecretData,
        templates: &'a Templates,
        cluster: &'a dyn ClusterView,
    ) -> Self {
        Self { owner, values, templates, cluster, rendering: None }
    }

    /// What to do with the target, given what is there and, of one that is not a Secret, what is known of the last write.
    ///
    /// # Errors
    /// A template that cannot be rendered, or a [`Refusal`](plan::Refusal).
    pub(crate) async fn plan(
        &mut self,
        existing: Option<&Existing>,
        last_write: Option<&LastWrite>,
    ) -> Result<Plan, Error> {
        if let Some(plan) = plan::without_content(self.owner, self.values, existing.map(Existing::present))? {
            return Ok(plan);
        }
        let template = self.owner.spec.target.as_ref().and_then(|target| target.template.as_deref());
        if let (Some(template), None) = (template, &self.rendering) {
            let rendering = templates::render(self.owner, template, self.values, self.templates, self.cluster).await?;
            self.rendering = Some(rendering);
        }
        let rendered = self.rendering.as_ref().map(|rendering| &rendering.rendered);
        let Some(manifest) = self.owner.manifest() else {
            return Ok(plan::build(self.owner, self.values, rendered, existing.and_then(Existing::secret))?);
        };
        let object = existing.and_then(Existing::object);
        Ok(plan::build_object(self.owner, manifest, self.values, rendered, object, last_write)?)
    }

    /// The versions of the objects that the template came from, once it was rendered.
    #[must_use]
    pub(crate) fn rendered_from(&self) -> Option<&BTreeMap<TemplateSource, ObjectVersion>> {
        self.rendering.as_ref().map(|rendering| &rendering.versions)
    }

    /// Whether another rendering of the same values may give something else, once it was rendered.
    #[must_use]
    pub(crate) fn is_volatile(&self) -> bool {
        self.rendering.as_ref().is_some_and(|rendering| rendering.rendered.is_volatile)
    }
}
