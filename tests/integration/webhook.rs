//! The webhook and the cert-controller as their own processes: a real API server calls the webhook with the
//! cert-controller's certificates.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use external_secrets::sandbox::cluster::Cluster;
use serde_json::{Value, json};
use test_stage::cluster_access::DEADLINE;
use test_stage::controller_process::Controller;
use test_stage::installation::{DNS_NAME, Installation, NAMESPACE, SECRET, ask, free_port};
use test_stage::world::World;

fn external_secret(change: Value) -> Value {
    let mut object = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "example"},
        "spec": {"refreshInterval": "1h", "secretStoreRef": {"name": "vault"},
            "data": [{"secretKey": "a", "remoteRef": {"key": "a"}}]},
    });
    merge(&mut object["spec"], change);
    object
}

fn store(kind: &str, change: Value) -> Value {
    let mut object = json!({
        "apiVersion": "external-secrets.io/v1", "kind": kind, "metadata": {"name": "vault"},
        "spec": {"provider": {"azurekv": {
            "authType": "WorkloadIdentity", "vaultUrl": "https://team.vault.azure.net", "serviceAccountRef": {"name": "reader"},
        }}},
    });
    merge(&mut object["spec"], change);
    object
}

fn merge(into: &mut Value, change: Value) {
    match change {
        Value::Object(fields) if into.is_object() => {
            fields.into_iter().for_each(|(name, value)| merge(&mut into[name], value));
        }
        other => *into = other,
    }
}

/// What `kubectl create` prints about an object on standard error.
async fn create(cluster: &Cluster, folder: &Path, object: &Value) -> String {
    let file = folder.join("object.json");
    std::fs::write(&file, object.to_string()).unwrap();
    let output = tokio::process::Command::new(cluster.kubectl())
        .args(["create", "--dry-run=server", "--namespace", NAMESPACE, "--filename"])
        .arg(&file)
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("KUBECACHEDIR", folder.join("kubectl"))
        .output()
        .await
        .unwrap();
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_work_is_refused_at_its_creation_and_what_is_unwise_is_warned_of() {
    let installation = Installation::new(&[]).await;
    let cluster = &installation.world.cluster;
    let folder = cluster.directory();
    let template = |template: Value| external_secret(json!({"target": {"template": template}}));
    let refused = [
        (
            external_secret(json!({"data": null, "dataFrom": [{"find": {"name": {"regexp": "a("}}}]})),
            "spec.dataFrom[0].find.name.regexp: ",
        ),
        (
            external_secret(json!({"target": {"deletionPolicy": "Delete", "creationPolicy": "Merge"}})),
            "spec.target.deletionPolicy: ",
        ),
        (
            external_secret(
                json!({"data": [{"secretKey": "a", "remoteRef": {"key": "a"}}, {"secretKey": "a", "remoteRef": {"key": "b"}}]}),
            ),
            "spec.data[1].secretKey: ",
        ),
        (external_secret(json!({"refreshInterval": "soon"})), "spec.refreshInterval"),
        (template(json!({"type": "bootstrap.kubernetes.io/token"})), "spec.target.template.type: "),
        (template(json!({"data": {"a": "{{ .a "}})), "spec.target.template.data[\"a\"]: "),
        (
            template(json!({"templateFrom": [{"literal": "a", "target": "Spec"}]})),
            "spec.target.template.templateFrom[0].target: ",
        ),
        (
            store("SecretStore", json!({"provider": {"azurekv": {"vaultUrl": "https://team.example.com"}}})),
            "spec.provider.azurekv.vaultUrl: ",
        ),
        (
            store(
                "SecretStore",
                json!({"provider": {"azurekv": {"serviceAccountRef": {"name": "reader", "namespace": "other"}}}}),
            ),
            "spec.provider.azurekv.serviceAccountRef.namespace: ",
        ),
        (
            store("ClusterSecretStore", json!({"provider": {"azurekv": {"environmentType": "GermanCloud"}}})),
            "spec.provider.azurekv.environmentType: ",
        ),
        (
            store("ClusterSecretStore", json!({"conditions": [{"namespaceRegexes": ["("]}]})),
            "spec.conditions[0].namespaceRegexes[0]: ",
        ),
        (
            store("SecretStore", json!({"provider": {"azurekv": {"authType": "ManagedIdentity"}}})),
            "spec.provider.azurekv.authType: ",
        ),
        (store("SecretStore", json!({"refreshInterval": "soon"})), "spec.refreshInterval: "),
    ];
    let mut wrong = Vec::new();
    for (object, problem) in refused {
        for version in ["v1", "v1beta1"] {
            let mut object = object.clone();
            object["apiVersion"] = format!("external-secrets.io/{version}").into();
            let said = create(cluster, folder, &object).await;
            if !said.contains(problem) {
                wrong.push(format!("{object}\n{said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let warned = [
        (external_secret(json!({"refreshInterval": "1s"})), "Warning: spec.refreshInterval: is very short"),
        (
            external_secret(json!({"data": [{"secretKey": "a", "remoteRef": {"key": "my secret"}}]})),
            "Warning: spec.data[0].remoteRef: ",
        ),
        (
            store("ClusterSecretStore", json!({"conditions": [{"namespaceRegexes": ["team"]}]})),
            "Warning: spec.conditions[0].namespaceRegexes[0]: ",
        ),
    ];
    for (object, warning) in warned {
        let said = create(cluster, folder, &object).await;
        assert!(said.contains(warning) && !said.contains("denied"), "{object}\n{said}");
    }
    for good in [external_secret(json!({})), store("SecretStore", json!({})), store("ClusterSecretStore", json!({}))] {
        assert_eq!(create(cluster, folder, &good).await, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_stopping_answers_every_request_and_is_not_ready() {
    let installation = Installation::new(&[]).await;
    let bundle = installation.injected().await;
    let webhook = installation.webhook();
    webhook.terminate();
    webhook.until_readyz_of("healthz-addr", 503, "the process is stopping").await;
    // A client that does not know yet keeps sending; connections are not kept open.
    for _ in 0..20 {
        let answer = installation.respond(&bundle).await;
        let answer = answer.unwrap_or_else(|error| panic!("refused: {error:?}\n{}", webhook.log()));
        assert_eq!((answer.status().as_u16(), answer.headers()["connection"].to_str().unwrap()), (400, "close"));
    }
    let (exit, _) = webhook.ended(DEADLINE).await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_secret_that_is_emptied_or_replaced_refuses_no_write() {
    let installation = Installation::new(&[]).await;
    let first = installation.access.get("Secret", SECRET).await.unwrap()["data"].clone();
    // The kubelet checks mounted Secrets once a minute.
    installation.hold_mount();
    installation.access.merge("Secret", SECRET, json!({"data": null})).await;
    let is_new = |secret: &Value| secret["data"]["ca.key"].is_string() && secret["data"]["ca.key"] != first["ca.key"];
    installation.access.until("Secret", SECRET, "renewed", is_new).await;
    let until = Instant::now() + Duration::from_secs(4);
    let mut requests = 0;
    while Instant::now() < until {
        let stored = store("SecretStore", json!({"refreshInterval": format!("{}s", 300 + requests)}));
        let applied = installation.access.try_apply(stored).await;
        assert!(applied.is_ok(), "{applied:?} after {requests} requests\n{}", installation.certificates.log());
        requests += 1;
    }
    installation.mount();
    installation.certificates.until_logged("authorities that disappeared from the Secret are no longer trusted").await;
    let now = installation.access.get("Secret", SECRET).await.unwrap()["data"].clone();
    assert_ne!(now["ca.key"], first["ca.key"]);
    let injected = base64::engine::general_purpose::STANDARD.encode(installation.injected().await);
    assert_eq!(injected, now["ca.crt"].as_str().unwrap(), "the old authority is not trusted for ever");
    installation.until_answered().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_their_authority_change_under_load_and_no_request_fails() {
    let installation =
        Arc::new(Installation::new(&["--ca-validity=2m", "--certificate-validity=1m", "--settle-interval=6s"]).await);
    let first = installation.access.get("Secret", SECRET).await.unwrap()["data"].clone();
    let started = Instant::now();
    let mut requests = 0;
    loop {
        // As the API server does, with what it trusts at this moment; and through the API server.
        let bundle = installation.injected().await;
        let answer = installation.answer(&bundle).await;
        assert_eq!(
            answer.as_ref().ok(),
            Some(&400),
            "{answer:?} after {requests} requests\n{}",
            installation.webhook().log()
        );
        let stored = store("SecretStore", json!({"refreshInterval": format!("{}s", 300 + requests)}));
        let applied = installation.access.try_apply(stored).await;
        assert!(applied.is_ok(), "{applied:?} after {requests} requests\n{}", installation.certificates.log());
        requests += 1;
        let now = installation.access.get("Secret", SECRET).await.unwrap()["data"].clone();
        let new_authority = now["ca.key"] != first["ca.key"];
        // Signed by the new CA only.
        let used = external_secrets::runtime::tls::verify(
            &first_certificate(&now["ca.crt"]),
            &decoded(&now["tls.crt"]),
            DNS_NAME,
            jiff::Timestamp::now(),
        )
        .is_ok();
        if new_authority && used && installation.answer(&first_certificate(&now["ca.crt"])).await.is_ok() {
            break;
        }
        assert!(
            started.elapsed() < 4 * DEADLINE,
            "no new authority after {requests} requests\n{}",
            installation.certificates.log()
        );
    }
    assert!(requests > 20, "{requests}");
}

fn decoded(value: &Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// The newest CA of a bundle.
fn first_certificate(bundle: &Value) -> Vec<u8> {
    const END: &str = "-----END CERTIFICATE-----\n";
    let bundle = String::from_utf8(decoded(bundle)).unwrap();
    let end = bundle.find(END).unwrap() + END.len();
    bundle.as_bytes()[..end].to_vec()
}

/// Writes a one-day certificate to a folder as cert-manager does; returns its CA.
fn certify(folder: &Path) -> Vec<u8> {
    let mut params = rcgen::CertificateParams::new(vec!["an issuer of cert-manager".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = rcgen::Issuer::new(params, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut leaf = rcgen::CertificateParams::new(vec![DNS_NAME.to_owned()]).unwrap();
    let now = SystemTime::now();
    leaf.not_before = (now - Duration::from_mins(1)).into();
    leaf.not_after = (now + Duration::from_hours(24)).into();
    let certificate = leaf.signed_by(&key, &issuer).unwrap().pem();
    for (file, content) in [("ca.crt", &authority), ("tls.key", &key.serialize_pem()), ("tls.crt", &certificate)] {
        std::fs::write(folder.join(file), content).unwrap();
    }
    authority.into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_a_day_that_comes_after_the_webhook_is_waited_for_and_served() {
    let world = World::shared();
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let arguments = [
        "webhook".to_owned(),
        format!("--port={port}"),
        format!("--dns-name={DNS_NAME}"),
        format!("--cert-dir={}", folder.path().display()),
        "--check-interval=1s".to_owned(),
    ];
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let log = world.log_of("webhook-before-its-certificate");
    let webhook = Controller::start_subcommand(&world.cluster, &arguments, Vec::new(), &log).await;
    webhook.until_readyz_of("healthz-addr", 503, "tls.crt: No such file or directory").await;
    let authority = certify(folder.path());
    webhook.until_readyz_of("healthz-addr", 200, "ok").await;
    webhook.until_logged("the serving certificate is valid").await;
    assert!(!webhook.log().contains("will not be valid for long"), "{}", webhook.log());
    let answered = tokio::time::timeout(DEADLINE, async {
        while ask(port, &authority).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(answered.await.is_ok(), "{}", webhook.log());
}
