//! Stands in for a cluster's nodes: runs the containers of the chart's Deployments as processes, with the arguments,
//! environment, mounted Secrets and service account from the chart, and calls their probes.
//!
//! They all share this machine's network, so each container port maps to another port here. Nothing routes the
//! addresses of Services, so the webhook's Service leads to this machine by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use external_secrets::sandbox::supervisor::{Process, Program};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::{Api, Client};
use serde_json::{Value, json};
use test_stage::api_proxy::ApiProxy;
use test_stage::cluster_access::{Access, DEADLINE};
use test_stage::installation::{Keys, free_port, mount, own_address};
use test_stage::world::World;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::deployed::in_namespace;

/// How often it checks the Deployments.
pub const PAUSE: Duration = Duration::from_millis(200);

/// How long a process may take to exit.
const GRACE: Duration = Duration::from_secs(10);

/// The audience for workload identity in the public cloud.
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// Runs what the chart deploys until it is dropped or the test's runtime ends.
pub struct Node {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    world: &'static World,
    access: Access,
    probes: reqwest::Client,
    looks: watch::Sender<u64>,
    /// The API server's last refusal.
    problem: Mutex<String>,
    /// The log of each container so far.
    logs: Mutex<BTreeSet<PathBuf>>,
    /// Each container's proxy to the API server.
    proxies: Mutex<Vec<(String, ApiProxy)>>,
}

/// A running container, or one counted as running because its image is not ours.
struct Pod {
    template: Value,
    process: Option<Process>,
    ports: BTreeMap<u16, u16>,
    mounts: Vec<JoinHandle<()>>,
}

impl Node {
    /// Starts running all Deployments of a cluster.
    pub async fn start(world: &'static World) -> Self {
        let access =
            Access { client: world.client().await, namespace: "default".to_owned(), version: "external-secrets.io/v1" };
        let shared = Arc::new(Shared {
            world,
            access,
            probes: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build().unwrap(),
            looks: watch::Sender::new(0),
            problem: Mutex::default(),
            logs: Mutex::default(),
            proxies: Mutex::default(),
        });
        let task = tokio::spawn(look_after(Arc::clone(&shared)));
        Self { shared, task }
    }

    /// Waits until it has processed everything that exists now.
    pub async fn looked(&self) {
        let mut looks = self.shared.looks.subscribe();
        let wanted = *looks.borrow() + 2;
        let looked = tokio::time::timeout(DEADLINE, looks.wait_for(|looks| *looks >= wanted));
        let looked = looked.await.is_ok();
        assert!(looked, "the node looks at nothing any more: {}", self.shared.problem.lock().unwrap());
    }

    /// Everything the containers have logged.
    pub fn logs(&self) -> String {
        let logs = self.shared.logs.lock().unwrap();
        logs.iter().map(|log| std::fs::read_to_string(log).unwrap_or_default()).collect()
    }

    /// The rights a container has used so far, as `verb group/resource`.
    pub fn rights_used_by(&self, container: &str) -> BTreeSet<String> {
        let proxies = self.shared.proxies.lock().unwrap();
        proxies.iter().filter(|(name, _)| name == container).flat_map(|(_, proxy)| proxy.rights()).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look_after(shared: Arc<Shared>) {
    let mut pods = BTreeMap::new();
    loop {
        match shared.look(&mut pods).await {
            Ok(()) => shared.looks.send_modify(|looks| *looks += 1),
            // A conflict, or a cluster that restarts: the next round will tell.
            Err(error) => *shared.problem.lock().unwrap() = error.to_string(),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Shared {
    fn all(&self, api_version: &str, kind: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Api::all_with(self.client(), &ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind)))
    }

    fn client(&self) -> Client {
        self.access.client.clone()
    }

    fn within(&self, namespace: &str) -> Access {
        Access { namespace: namespace.to_owned(), ..self.access.clone() }
    }

    async fn look(&self, pods: &mut BTreeMap<String, Pod>) -> kube::Result<()> {
        let list = self.all("apps/v1", "Deployment").list(&ListParams::default()).await?;
        let deployments: Vec<Value> = list.items.iter().map(|item| serde_json::to_value(item).unwrap()).collect();
        let wanted: BTreeMap<String, &Value> = deployments
            .iter()
            .filter(|deployment| deployment["spec"]["replicas"] != 0)
            .map(|deployment| (key_of(deployment), deployment))
            .collect();
        let former: Vec<_> = pods.keys().filter(|key| !wanted.contains_key(*key)).cloned().collect();
        for key in former {
            let pod = pods.remove(&key);
            self.unroute(&key, pod.as_ref()).await?;
            end(pod).await;
        }
        for deployment in deployments.iter().filter(|deployment| deployment["spec"]["replicas"] == 0) {
            self.report(deployment, true).await?;
        }
        for (key, deployment) in wanted {
            let template = &deployment["spec"]["template"];
            if pods.get(&key).is_none_or(|pod| pod.template != *template || pod.has_ended()) {
                end(pods.remove(&key)).await;
                pods.insert(key.clone(), self.start_pod(deployment).await?);
            }
            let pod = &pods[&key];
            let ready = pod.is_ready(&self.probes).await;
            self.route(deployment, pod, ready).await?;
            self.report(deployment, ready).await?;
        }
        Ok(())
    }

    async fn start_pod(&self, deployment: &Value) -> kube::Result<Pod> {
        let (namespace, name) = (text(&deployment["metadata"]["namespace"]), text(&deployment["metadata"]["name"]));
        let template = deployment["spec"]["template"].clone();
        let container = &template["spec"]["containers"][0];
        let mut pod = Pod { template: template.clone(), process: None, ports: BTreeMap::new(), mounts: Vec::new() };
        if !text(&container["image"]).contains("external-secrets") {
            return Ok(pod);
        }
        let folder = self.world.cluster.directory().join(format!("{namespace}-{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        let mut mounted = Vec::new();
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            let volumes = template["spec"]["volumes"].as_array().into_iter().flatten();
            let Some(volume) = volumes.into_iter().find(|volume| volume["name"] == mount["name"]) else { continue };
            let secrets = secrets_of(volume);
            if secrets.is_empty() {
                continue;
            }
            let target = folder.join(text(&mount["name"]));
            std::fs::create_dir_all(&target).unwrap();
            for (secret, keys) in secrets {
                pod.mounts.push(tokio::spawn(self::mount(self.within(&namespace), secret, keys, target.clone())));
            }
            mounted.push((text(&mount["mountPath"]), target.display().to_string()));
        }
        let log = self.world.log_of(&format!("{namespace}-{name}"));
        self.logs.lock().unwrap().insert(log.clone());
        let mut program = Program::new(env!("CARGO_BIN_EXE_external-secrets"), &log);
        for argument in arguments(container, &namespace) {
            let argument = mounted.iter().fold(argument, |argument, (path, folder)| argument.replace(path, folder));
            program = program.arguments([pod.on_this_machine(&argument)]);
        }
        let account = text(&template["spec"]["serviceAccountName"]);
        let mut environment = self.world.sandbox.environment();
        environment.extend(self.workload_identity(&namespace, &account, &template, &folder).await?);
        if template["spec"]["automountServiceAccountToken"] != false {
            let kubeconfig = self.kubeconfig(&namespace, &account, &text(&container["name"])).await?;
            environment.push(("KUBECONFIG".to_owned(), kubeconfig.display().to_string()));
        }
        environment.extend(variables(container, &namespace));
        for (name, value) in environment {
            program = program.environment(name, value);
        }
        pod.process = Some(self.world.cluster.run(program).await.unwrap());
        Ok(pod)
    }

    /// What the workload identity webhook adds to a labeled Pod.
    async fn workload_identity(
        &self,
        namespace: &str,
        account: &str,
        template: &Value,
        folder: &std::path::Path,
    ) -> kube::Result<Vec<(String, String)>> {
        if template["metadata"]["labels"]["azure.workload.identity/use"] != "true" {
            return Ok(Vec::new());
        }
        let file = folder.join("azure-identity-token");
        std::fs::write(&file, self.token(namespace, account, &[AUDIENCE.to_owned()]).await?).unwrap();
        let found: Api<ServiceAccount> = Api::namespaced(self.client(), namespace);
        let annotations = found.get(account).await?.metadata.annotations.unwrap_or_default();
        let annotated =
            |name: &str| annotations.get(&format!("azure.workload.identity/{name}")).cloned().unwrap_or_default();
        let variables = [
            ("AZURE_CLIENT_ID", annotated("client-id")),
            ("AZURE_TENANT_ID", annotated("tenant-id")),
            ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/".to_owned()),
            ("AZURE_FEDERATED_TOKEN_FILE", file.display().to_string()),
        ];
        Ok(variables.map(|(name, value)| (name.to_owned(), value)).into())
    }

    async fn token(&self, namespace: &str, account: &str, audiences: &[String]) -> kube::Result<String> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client(), namespace);
        let spec = TokenRequestSpec { audiences: audiences.to_vec(), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let answer = accounts.create_token_request(account, &PostParams::default(), &request).await?;
        Ok(answer.status.expect("a token").token)
    }

    /// A kubeconfig for the container's service account, through a proxy that records the rights it uses.
    async fn kubeconfig(&self, namespace: &str, account: &str, container: &str) -> kube::Result<PathBuf> {
        let token = self.token(namespace, account, &[]).await?;
        let user = format!("{namespace}-{account}-{container}");
        let kubeconfig = self.world.cluster.kubeconfig_for(&user, &token).unwrap();
        in_namespace(&kubeconfig, namespace);
        let proxy = ApiProxy::start(&kubeconfig, self.world.cluster.directory()).await;
        proxy.pass();
        let through = proxy.kubeconfig.clone();
        self.proxies.lock().unwrap().push((container.to_owned(), proxy));
        Ok(through)
    }

    /// Routes the Service of a webhook to its process.
    async fn route(&self, deployment: &Value, pod: &Pod, ready: bool) -> kube::Result<()> {
        let (Some(port), Some(service)) = (pod.port_of(&json!("webhook")), pod.service()) else { return Ok(()) };
        let access = self.within(&text(&deployment["metadata"]["namespace"]));
        let services = access.api("Service");
        let Some(found) = services.get_opt(service).await? else { return Ok(()) };
        if found.data["spec"]["type"] != "ExternalName" {
            let by_name = json!({"spec": {"type": "ExternalName", "externalName": "localhost"}});
            services.patch(service, &PatchParams::default(), &Patch::Merge(&by_name)).await?;
        }
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
            "endpoints": [{"addresses": [own_address()], "conditions": {"ready": ready}}],
            "ports": [{"name": "webhook", "port": port, "protocol": "TCP"}],
        });
        access.try_apply(slice).await?;
        self.say_port(service, &access.namespace, port).await
    }

    /// Removes a webhook that has exited from its Service.
    async fn unroute(&self, key: &str, pod: Option<&Pod>) -> kube::Result<()> {
        let namespace = key.split('/').next().unwrap_or_default();
        let Some(service) = pod.and_then(Pod::service) else { return Ok(()) };
        let slices = self.within(namespace).api_in_version("discovery.k8s.io/v1", "EndpointSlice");
        match slices.delete(service, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            deleted => deleted.map(drop),
        }
    }

    /// Sets the port wherever the API server is configured to call a Service.
    async fn say_port(&self, service: &str, namespace: &str, port: u16) -> kube::Result<()> {
        let calls = |client: &Value| {
            client["service"]["name"] == service
                && client["service"]["namespace"] == namespace
                && client["service"]["port"] != port
        };
        let configurations = self.all("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration");
        for mut found in configurations.list(&ListParams::default()).await? {
            let mut changed = false;
            for webhook in found.data["webhooks"].as_array_mut().into_iter().flatten() {
                if calls(&webhook["clientConfig"]) {
                    webhook["clientConfig"]["service"]["port"] = port.into();
                    changed = true;
                }
            }
            if changed {
                let name = found.metadata.name.clone().unwrap_or_default();
                configurations.replace(&name, &PostParams::default(), &found).await?;
            }
        }
        let definitions = self.all("apiextensions.k8s.io/v1", "CustomResourceDefinition");
        for found in definitions.list(&ListParams::default()).await? {
            if calls(&found.data["spec"]["conversion"]["webhook"]["clientConfig"]) {
                let port = json!({"clientConfig": {"service": {"port": port}}});
                let patch = Patch::Merge(json!({"spec": {"conversion": {"webhook": port}}}));
                let name = found.metadata.name.unwrap_or_default();
                definitions.patch(&name, &PatchParams::default(), &patch).await?;
            }
        }
        Ok(())
    }

    /// Reports in the Deployment's status whether its Pods are ready.
    async fn report(&self, deployment: &Value, ready: bool) -> kube::Result<()> {
        let available = if ready { deployment["spec"]["replicas"].as_u64().unwrap_or(1) } else { 0 };
        let (status, reason, message) = if ready {
            ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        } else {
            ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        };
        let wanted = json!({
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": deployment["spec"]["replicas"], "updatedReplicas": deployment["spec"]["replicas"],
            "readyReplicas": available, "availableReplicas": available,
            "conditions": [{"type": "Available", "status": status, "reason": reason, "message": message}],
        });
        let before = &deployment["status"];
        let same = before["observedGeneration"] == wanted["observedGeneration"]
            && before["replicas"] == wanted["replicas"]
            && before["conditions"][0]["status"] == wanted["conditions"][0]["status"];
        if same {
            return Ok(());
        }
        let access = self.within(&text(&deployment["metadata"]["namespace"]));
        let deployments = access.api_in_version("apps/v1", "Deployment");
        let name = text(&deployment["metadata"]["name"]);
        let patch = Patch::Merge(json!({"status": wanted}));
        match deployments.patch_status(&name, &PatchParams::default(), &patch).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            written => written.map(drop),
        }
    }
}

impl Pod {
    fn has_ended(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.exit().is_some())
    }

    /// The Service of a webhook.
    fn service(&self) -> Option<&str> {
        let arguments = self.template["spec"]["containers"][0]["args"].as_array().into_iter().flatten();
        let mut names = arguments.filter_map(|argument| argument.as_str()?.strip_prefix("--dns-name="));
        names.next()?.split('.').next()
    }

    /// An argument with this machine's ports in place of the container's.
    fn on_this_machine(&mut self, argument: &str) -> String {
        let Some((flag, value)) = argument.split_once('=') else { return argument.to_owned() };
        if flag != "--port" && !flag.ends_with("-addr") {
            return argument.to_owned();
        }
        let (host, port) = value.rsplit_once(':').map_or((None, value), |(host, port)| (Some(host), port));
        let Ok(port @ 1..) = port.parse::<u16>() else { return argument.to_owned() };
        let port = *self.ports.entry(port).or_insert_with(free_port);
        host.map_or_else(|| format!("{flag}={port}"), |host| format!("{flag}={host}:{port}"))
    }

    /// This machine's port for one of the container's, by name or number.
    fn port_of(&self, port: &Value) -> Option<u16> {
        let container = &self.template["spec"]["containers"][0];
        let mut named = container["ports"].as_array().into_iter().flatten();
        let number = port.as_u64().or_else(|| named.find(|known| known["name"] == *port)?["containerPort"].as_u64())?;
        self.ports.get(&u16::try_from(number).ok()?).copied()
    }

    /// Whether its probes succeed.
    async fn is_ready(&self, client: &reqwest::Client) -> bool {
        let container = &self.template["spec"]["containers"][0];
        for probe in ["livenessProbe", "readinessProbe"] {
            let request = &container[probe]["httpGet"];
            if self.process.is_none() || request.is_null() {
                continue;
            }
            let Some(port) = self.port_of(&request["port"]) else { return false };
            let url = format!("http://127.0.0.1:{port}{}", text(&request["path"]));
            if !client.get(url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return false;
            }
        }
        true
    }
}

/// A container's environment in a namespace. Only the namespace may be taken from the Pod.
fn variables(container: &Value, namespace: &str) -> Vec<(String, String)> {
    let variables = container["env"].as_array().into_iter().flatten();
    let value = |variable: &Value| match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
        Some("metadata.namespace") => namespace.to_owned(),
        Some(other) => panic!("no Pod here has {other}"),
        None => text(&variable["value"]),
    };
    variables.map(|variable| (text(&variable["name"]), value(variable))).collect()
}

/// A container's arguments in a namespace, with its variables expanded.
pub fn arguments(container: &Value, namespace: &str) -> Vec<String> {
    let variables = variables(container, namespace);
    let arguments = container["args"].as_array().into_iter().flatten().map(text);
    let expanded = |argument| {
        variables
            .iter()
            .fold(argument, |argument: String, (name, value)| argument.replace(&format!("$({name})"), value))
    };
    arguments.map(expanded).collect()
}

async fn end(pod: Option<Pod>) {
    let Some(pod) = pod else { return };
    for mount in &pod.mounts {
        mount.abort();
    }
    if let Some(process) = &pod.process {
        // If the cluster has gone, so has the process.
        let _ = process.stop(GRACE).await;
    }
}

fn key_of(deployment: &Value) -> String {
    format!("{}/{}", text(&deployment["metadata"]["namespace"]), text(&deployment["metadata"]["name"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The Secrets of a volume, and which of their keys are mounted.
fn secrets_of(volume: &Value) -> Vec<(String, Keys)> {
    let keys = |secret: &Value| match secret["items"].as_array() {
        Some(items) => Keys::Items(items.iter().map(|item| text(&item["key"])).collect()),
        None => Keys::All,
    };
    let sources = volume["projected"]["sources"].as_array().into_iter().flatten();
    let projected = sources.map(|source| (&source["secret"], "name"));
    let all = std::iter::once((&volume["secret"], "secretName")).chain(projected);
    all.filter_map(|(secret, name)| Some((secret[name].as_str()?.to_owned(), keys(secret)))).collect()
}
