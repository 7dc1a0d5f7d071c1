use external_secrets::api::{GROUP, crd};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::{files, read};

/// The largest CRD that client-side `kubectl apply` can store in its annotation.
const ANNOTATION_LIMIT: usize = 262_144;

#[test]
fn the_files_in_crds_are_what_the_program_prints() {
    let definitions = crd::all();
    for definition in &definitions {
        let file = format!("crds/{}", crd::file_name(definition));
        let fresh = crd::to_yaml(std::slice::from_ref(definition)).unwrap();
        assert!(read(&file) == fresh, "{file} is not what the types give: run `make generate` and commit the result");
    }
    let expected: Vec<_> =
        definitions.iter().map(|definition| format!("crds/{}", crd::file_name(definition))).collect();
    for file in files("crds", &["yaml", "yml"]) {
        assert!(expected.contains(&file), "{file} belongs to no resource: remove it");
    }
}

#[test]
fn the_printed_yaml_reads_back_as_the_same_definitions() {
    for definition in crd::all() {
        let printed = crd::to_yaml(std::slice::from_ref(&definition)).unwrap();
        let mut read: serde_json::Value = serde_saphyr::from_str(&printed).unwrap();
        // Removes the webhook that ESO's older CRDs name.
        assert_eq!(
            read["spec"]["conversion"].as_object_mut().unwrap().remove("webhook"),
            Some(serde_json::Value::Null)
        );
        assert_eq!(read, serde_json::to_value(&definition).unwrap(), "{:?}", definition.metadata.name);
    }
}

#[test]
fn every_definition_fits_well_into_what_kubectl_apply_can_store() {
    for definition in crd::all() {
        let size = serde_json::to_string(&definition).unwrap().len();
        assert!(size < ANNOTATION_LIMIT / 2, "{:?}: {size} bytes", definition.metadata.name);
    }
}

/// The CRDs of the group `external-secrets.io`.
fn of_the_main_group() -> impl Iterator<Item = CustomResourceDefinition> {
    let pushes = ["PushSecret", "ClusterPushSecret"];
    let all = crd::all().into_iter().filter(|definition| definition.spec.group == GROUP);
    all.filter(move |definition| !pushes.contains(&definition.spec.names.kind.as_str()))
}

#[test]
fn the_kinds_that_push_are_served_as_eso_serves_them() {
    let short: Option<Vec<String>> = Some(vec!["ps".to_owned()]);
    for (definition, short_names, scope) in
        [(crd::push_secret(), short, "Namespaced"), (crd::cluster_push_secret(), None, "Cluster")]
    {
        let [v1alpha1] = definition.spec.versions.as_slice() else { panic!("one version") };
        assert_eq!((v1alpha1.name.as_str(), v1alpha1.served, v1alpha1.storage), ("v1alpha1", true, true));
        let names = definition.spec.names;
        assert_eq!(names.categories.unwrap(), ["external-secrets"]);
        assert_eq!((names.plural, names.short_names), (format!("{}s", names.kind.to_lowercase()), short_names));
        assert_eq!(definition.metadata.labels.unwrap()["external-secrets.io/component"], "controller");
        assert_eq!(definition.spec.scope, scope);
    }
}

#[test]
fn generators_are_served_as_eso_serves_them() {
    let definitions = crd::generators();
    assert_eq!(definitions.len(), 6);
    for definition in definitions {
        let [v1alpha1] = definition.spec.versions.as_slice() else { panic!("one version") };
        assert_eq!((v1alpha1.name.as_str(), v1alpha1.served, v1alpha1.storage), ("v1alpha1", true, true));
        let names = definition.spec.names;
        assert_eq!(names.categories.unwrap(), ["external-secrets", "external-secrets-generators"]);
        assert_eq!((names.plural, names.short_names), (format!("{}s", names.kind.to_lowercase()), None));
        assert_eq!(definition.metadata.labels.unwrap()["external-secrets.io/component"], "controller");
        let scope = if names.kind == "ClusterGenerator" { "Cluster" } else { "Namespaced" };
        assert_eq!(definition.spec.scope, scope);
    }
}

#[test]
fn both_versions_are_served_with_one_schema_and_v1_is_stored() {
    for definition in of_the_main_group() {
        let [v1, v1beta1] = definition.spec.versions.as_slice() else { panic!("two versions") };
        assert_eq!((v1.name.as_str(), v1.served, v1.storage), ("v1", true, true));
        assert_eq!((v1beta1.name.as_str(), v1beta1.served, v1beta1.storage), ("v1beta1", true, false));
        assert_eq!(v1beta1.deprecated, None);
        assert_eq!(v1.schema, v1beta1.schema);
        assert_eq!(definition.spec.conversion.unwrap().strategy, "None");
    }
}

#[test]
fn names_short_names_category_and_label_are_those_of_eso() {
    let names: Vec<_> = of_the_main_group()
        .map(|definition| {
            let names = definition.spec.names;
            assert_eq!(names.categories.unwrap(), ["external-secrets"]);
            assert_eq!(definition.metadata.labels.unwrap()["external-secrets.io/component"], "controller");
            (definition.metadata.name.unwrap(), names.kind, names.short_names.unwrap().join(","), definition.spec.scope)
        })
        .collect();
    let expected = [
        ("secretstores.external-secrets.io", "SecretStore", "ss", "Namespaced"),
        ("clustersecretstores.external-secrets.io", "ClusterSecretStore", "css", "Cluster"),
        ("externalsecrets.external-secrets.io", "ExternalSecret", "es", "Namespaced"),
        ("clusterexternalsecrets.external-secrets.io", "ClusterExternalSecret", "ces", "Cluster"),
    ];
    assert_eq!(names, expected.map(|(a, b, c, d)| (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned())));
}
