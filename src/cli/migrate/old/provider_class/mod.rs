//! SecretProviderClasses of the Secrets Store CSI driver with its Azure provider become ExternalSecrets and stores.
//!
//! What each field does there was read in the driver and the provider (1.7).

mod identity;
mod parameters;
mod secret_objects;
mod vault_objects;

use super::choice::Choice;
use super::objects::{Found, Kind, Object};
use super::report::Conversion;
use super::workloads;

/// What is looked for.
pub(in crate::cli::migrate) const KINDS: [Kind; 1] = [Kind {
    group: "secrets-store.csi.x-k8s.io",
    versions: &["v1", "v1alpha1"],
    kind: "SecretProviderClass",
    plural: "secretproviderclasses",
}];

/// What becomes of all of them.
pub(super) fn convert(found: &Found, choice: &Choice) -> Conversion {
    let mut conversion = Conversion::default();
    for class in found.of_kind(KINDS[0].kind) {
        of_class(class, found, choice, &mut conversion);
    }
    conversion
}

fn of_class(class: &Object, found: &Found, choice: &Choice, conversion: &mut Conversion) {
    let described = class.described();
    match class.text("/spec/provider") {
        "azure" => {}
        // A patch of kustomize.
        "" => return,
        other => {
            conversion.about(&described).impossible("spec.provider", format!("{other:?} is not azure"));
            return;
        }
    }
    let (objects, problems) = vault_objects::read(class);
    for problem in problems {
        conversion.about(&described).impossible("spec.parameters.objects", problem);
    }
    let mounts: Vec<_> = workloads::in_namespace(found, class.namespace());
    for workload in mounts.iter().filter(|workload| workload.volumes_of_class(class.name()).next().is_some()) {
        let message = format!("mounts {described}: mount the Secret in place of the volume; values are then in etcd");
        conversion.about(&workload.object.described()).by_hand("volumes", message);
    }
    if !secret_objects::are_there(class) {
        let message = "it has none, so that values are in files of Pods alone: name a Secret for them in secretObjects, and try again, or write an ExternalSecret; values are then in etcd";
        conversion.about(&described).by_hand("spec.secretObjects", message);
        return;
    }
    let Some(store) = identity::store(class, &mounts, choice, conversion) else { return };
    secret_objects::convert(class, &objects, &store, conversion);
}
