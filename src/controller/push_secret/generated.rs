//! A generator as the source of a push: whether to generate values, or to keep those that were pushed.

use std::sync::Arc;

use super::error::Error;
use super::pieces::Origin;
use super::state::Minted;
use super::subject::Subject;
use super::view::Tools;
use crate::api::generators::GeneratorSpec;
use crate::api::v1::external_secret::GeneratorRef;
use crate::api::v1alpha1::PushSecretSpec;
use crate::api::v1alpha1::push_secret::PushGenerated;
use crate::controller::generators::error::Error as GeneratorError;
use crate::controller::generators::lookup::{Finder, Found};
use crate::controller::generators::making::{make, placeholder};
use crate::generator::{self, Making, Source as Values};
use crate::provider::Freshness;
use crate::sync::push::Source;
use crate::sync::push::minting::{self, Cause, Decision};

/// The generator of a PushSecret.
pub(super) struct Generator {
    found: Found,
}

/// The generator that a PushSecret names; `None` if it belongs to another controller class.
///
/// # Errors
/// [`Error::Generator`]
pub(super) async fn find(
    reference: &GeneratorRef,
    namespace: &str,
    tools: Tools<'_>,
) -> Result<Option<Generator>, Error> {
    let found = Finder::new(namespace, tools.view).find(reference).await?;
    let is_ours = found.class().is_none_or(|class| class == tools.class.name);
    Ok(is_ours.then_some(Generator { found }))
}

impl Generator {
    /// Whether pushed values are kept, if all of them exist. Values that can be reproduced are compared instead.
    pub(super) fn may_stay(&self, spec: &PushSecretSpec, subject: Subject<'_>) -> bool {
        let is_once = generator::making(&self.found.spec) == Making::Minted || self.is_token();
        let decision = minting::decide(&subject.object.metadata, spec, subject.status, subject.now);
        // The status was lost, which must not change what is in the vault.
        is_once && matches!(decision, Decision::Keep | Decision::Mint(Cause::New))
    }

    fn is_token(&self) -> bool {
        matches!(self.found.spec, GeneratorSpec::AcrAccessToken(_))
    }

    /// Placeholders for the values that were generated before, to determine the objects that hold them.
    ///
    /// # Errors
    /// [`Error::Generator`]
    pub(super) fn sample(&self) -> Result<Source, Error> {
        let is_cheap = generator::cost(&self.found.spec) != generator::Cost::Large;
        // A template may need values of the right form.
        if is_cheap
            && let Values::Made(data) =
                generator::make(&self.found.spec, &mut rand::rng()).map_err(GeneratorError::from)?
        {
            return Ok(Source { name: String::new(), data: Arc::new(data) });
        }
        Ok(self.placeholder())
    }

    /// A placeholder for each value.
    pub(super) fn placeholder(&self) -> Source {
        Source { name: String::new(), data: Arc::new(placeholder(&self.found)) }
    }

    /// Generates values.
    ///
    /// # Errors
    /// [`Error::Generator`]
    pub(super) async fn minted(&self, subject: Subject<'_>, tools: Tools<'_>) -> Result<Minted, Error> {
        let registries = tools.providers.registries.as_ref();
        let namespace = &subject.key.namespace;
        let made = make(&self.found, namespace, registries, Freshness::Shared, subject.now).await?;
        // Generating a key may take seconds, after which others get this thread's place (`runtime::fair`).
        tokio::task::yield_now().await;
        let record = minting::record(&subject.object.metadata, made.at, made.until);
        Ok(Minted { values: made.values, record })
    }
}

/// What the status records about values that are kept.
pub(super) fn kept(subject: Subject<'_>) -> PushGenerated {
    let status = subject.status;
    let made = status.refresh_time.as_ref().map_or(subject.now, |time| time.0);
    status.generated.clone().unwrap_or_else(|| minting::record(&subject.object.metadata, made, None))
}

/// The source of the values of a PushSecret with a generator.
pub(super) fn origin(subject: Subject<'_>, is: Kept) -> Origin {
    Origin::Generated { of: subject.uid().unwrap_or_default().to_owned(), is_kept: is == Kept::Yes }
}

/// Whether the values are those that were generated before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    No,
}
