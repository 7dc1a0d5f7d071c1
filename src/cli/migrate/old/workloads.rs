//! What Pods use of another tool.

use serde_json::Value;

use super::objects::{Found, Object, WORKLOADS, text};

/// A workload and the template of its Pods.
pub(super) struct Workload<'f> {
    pub(super) object: &'f Object,
    pod: &'f Value,
}

/// The workloads of a namespace. Pods and Jobs that another one has made are left out.
pub(super) fn in_namespace<'f>(found: &'f Found, namespace: &str) -> Vec<Workload<'f>> {
    let is_workload = |object: &&Object| WORKLOADS.iter().any(|kind| kind.kind == object.kind);
    let owned =
        |object: &&Object| object.value["metadata"]["ownerReferences"].as_array().is_some_and(|o| !o.is_empty());
    let own = found.objects.iter().filter(is_workload).filter(|object| !owned(object));
    own.filter(|object| object.namespace() == namespace)
        .map(|object| {
            let pod = match object.kind {
                "Pod" => &object.value,
                "CronJob" => &object.value["spec"]["jobTemplate"]["spec"]["template"],
                _ => &object.value["spec"]["template"],
            };
            Workload { object, pod }
        })
        .collect()
}

impl Workload<'_> {
    /// The service account of its Pods.
    pub(super) fn service_account(&self) -> &str {
        match text(self.pod, "/spec/serviceAccountName") {
            "" => "default",
            name => name,
        }
    }

    /// A label of its Pods.
    pub(super) fn label(&self, name: &str) -> &str {
        self.pod["metadata"]["labels"][name].as_str().unwrap_or_default()
    }

    /// The volumes that mount a SecretProviderClass.
    pub(super) fn volumes_of_class(&self, class: &str) -> impl Iterator<Item = &Value> {
        let volumes = self.pod["spec"]["volumes"].as_array().into_iter().flatten().map(|volume| &volume["csi"]);
        volumes.filter(move |csi| {
            csi["driver"] == "secrets-store.csi.k8s.io" && csi["volumeAttributes"]["secretProviderClass"] == class
        })
    }

    /// The variables of its containers whose values akv2k8s puts in: container, variable and what it names, as in `NAME@azurekeyvault?KEY`.
    pub(super) fn injected(&self) -> Vec<(&str, &str, &str)> {
        let lists = ["initContainers", "containers"].map(|list| self.pod["spec"][list].as_array());
        let mut found = Vec::new();
        for container in lists.into_iter().flatten().flatten() {
            for variable in container["env"].as_array().into_iter().flatten() {
                let value = text(variable, "/value");
                if value.contains("@azurekeyvault") {
                    found.push((text(container, "/name"), text(variable, "/name"), value));
                }
            }
        }
        found
    }
}
