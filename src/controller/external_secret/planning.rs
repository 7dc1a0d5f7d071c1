//! From values to a plan. Renders the template only if the plan depends on what the target would hold, and once for all
//! attempts to write it.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster_view::ClusterView;
use super::destination::Existing;
use super::error::Error;
use super::index::TemplateSource;
use super::templates::{self, Originals, Rendering};
use crate::controller::core::key::ObjectVersion;
use crate::controller::template_engines::Templates;
use crate::sync::SecretData;
use crate::sync::last_write::LastWrite;
use crate::sync::plan::{self, Plan};
use crate::sync::target::Owner;

/// Makes plans for the target of one ExternalSecret.
pub(crate) struct Planner<'a> {
    owner: Owner<'a>,
    values: &'a SecretData,
    templates: &'a Templates,
    cluster: &'a dyn ClusterView,
    /// What the templates come from, if it was read before.
    originals: Option<Originals>,
    rendering: Option<Rendering>,
}

impl<'a> Planner<'a> {
    /// For `values`, everything that was read and combined for `owner`.
    #[must_use]
    pub(crate) const fn new(
        owner: Owner<'a>,
        values: &'a SecretData,
        templates: &'a Templates,
        cluster: &'a dyn ClusterView,
    ) -> Self {
        Self { owner, values, templates, cluster, originals: None, rendering: None }
    }

    /// The same with the objects that templates come from, if they were read before.
    #[must_use]
    pub(crate) fn with_originals(self, originals: Option<Originals>) -> Self {
        Self { originals, ..self }
    }

    /// What to do with the target, given what exists and, if it is not a Secret, the last write.
    ///
    /// # Errors
    /// If the template cannot be rendered, or a [`Refusal`](plan::Refusal).
    pub(crate) async fn plan(
        &mut self,
        existing: Option<&Existing>,
        last_write: Option<&LastWrite>,
    ) -> Result<Plan, Error> {
        if let Some(plan) = plan::without_content(self.owner, self.values, existing.map(Existing::present))? {
            return Ok(plan);
        }
        self.render().await?;
        let rendered = self.rendering.as_ref().map(|rendering| &rendering.rendered);
        let Some(manifest) = self.owner.manifest() else {
            return Ok(plan::build(self.owner, self.values, rendered, existing.and_then(Existing::secret))?);
        };
        let object = existing.and_then(Existing::object);
        Ok(plan::build_object(self.owner, manifest, self.values, rendered, object, last_write)?)
    }

    /// The keys that the template produces; renders it if necessary. `None` if there is no template, or the plan does
    /// not depend on it.
    ///
    /// # Errors
    /// If the template cannot be rendered, or a [`Refusal`](plan::Refusal).
    pub(crate) async fn rendered_keys(
        &mut self,
        existing: Option<&Existing>,
    ) -> Result<Option<BTreeSet<String>>, Error> {
        if plan::without_content(self.owner, self.values, existing.map(Existing::present))?.is_some() {
            return Ok(None);
        }
        self.render().await?;
        Ok(self.rendering.as_ref().map(|rendering| rendering.rendered.data.keys().cloned().collect()))
    }

    /// The same, with a record of what generators made.
    #[must_use]
    pub(crate) fn with_record(self, record: Option<&'a str>) -> Self {
        Self { owner: self.owner.with_record(record), ..self }
    }

    async fn render(&mut self) -> Result<(), Error> {
        let template = self.owner.spec.target.as_ref().and_then(|target| target.template.as_deref());
        if let (Some(template), None) = (template, &self.rendering) {
            let originals = match self.originals.take() {
                Some(originals) => originals,
                None => templates::read(self.owner, self.cluster).await?,
            };
            let rendering = templates::render(self.owner, template, self.values, self.templates, originals).await?;
            self.rendering = Some(rendering);
        }
        Ok(())
    }

    /// What the template was rendered from, if it was.
    #[must_use]
    pub(crate) fn rendered_from(&self) -> Option<RenderedFrom> {
        let Rendering { rendered, originals } = self.rendering.as_ref()?;
        let Originals { versions, texts, .. } = originals;
        Some(RenderedFrom { versions: versions.clone(), texts: texts.clone(), is_volatile: rendered.is_volatile })
    }
}

/// What a target was rendered from.
#[derive(Clone, Debug)]
pub(crate) struct RenderedFrom {
    /// The versions of the objects that the template came from.
    pub(crate) versions: BTreeMap<TemplateSource, ObjectVersion>,
    /// A hash of the templates in these objects; `None` if there are none.
    pub(crate) texts: Option<String>,
    /// Whether rendering the same values again may produce something else.
    pub(crate) is_volatile: bool,
}
