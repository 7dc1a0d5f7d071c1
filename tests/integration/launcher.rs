//! The launcher of the cluster for all other tests.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use external_secrets::sandbox::cluster::{Cluster, ClusterConfig, ClusterError, find_assets};
use test_stage::helm::Tools;

const PROGRAM: &str = env!("CARGO_BIN_EXE_external-secrets");
const DEADLINE: Duration = Duration::from_mins(1);

async fn start() -> Cluster {
    start_from(find_assets().await.unwrap()).await.unwrap()
}

async fn start_from(assets: PathBuf) -> Result<Cluster, ClusterError> {
    Cluster::start(ClusterConfig { program: PROGRAM.into(), assets }).await
}

/// What kubectl prints for the administrator.
fn kubectl(cluster: &Cluster, arguments: &[&str]) -> String {
    let output =
        Command::new(cluster.kubectl()).env("KUBECONFIG", cluster.kubeconfig()).args(arguments).output().unwrap();
    assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "{what} within {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn a_service_account_token_names_the_issuer_the_account_and_the_audience_asked_for() {
    let cluster = start().await;
    kubectl(&cluster, &["wait", "--for=create", "serviceaccount/default", "--timeout=60s"]);
    let token = kubectl(&cluster, &["create", "token", "default", "--audience=api://AzureADTokenExchange"]);
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["iss"], cluster.issuer_url());
    assert_eq!(claims["sub"], "system:serviceaccount:default:default");
    assert_eq!(claims["aud"][0], "api://AzureADTokenExchange");
    assert!(cluster.issuer_public_key_pem().starts_with("-----BEGIN PUBLIC KEY-----"));
}

#[tokio::test]
async fn an_api_server_that_was_killed_comes_back_at_the_same_address_with_its_data() {
    let (cluster, other) = tokio::join!(start(), start());
    assert_ne!(cluster.url(), other.url());

    kubectl(&cluster, &["create", "configmap", "kept", "--from-literal=a=b"]);
    cluster.kill_api_server().await.unwrap();
    assert!(std::net::TcpStream::connect(cluster.url().trim_start_matches("https://")).is_err());
    cluster.start_api_server().await.unwrap();
    assert_eq!(kubectl(&cluster, &["get", "configmap", "kept", "-o", "jsonpath={.data.a}"]), "b");

    cluster.stop_api_server().await.unwrap();
    cluster.start_api_server().await.unwrap();
    assert_eq!(kubectl(&cluster, &["get", "configmap", "kept", "-o", "jsonpath={.data.a}"]), "b");
    let names = kubectl(&other, &["get", "configmap", "-o", "name"]);
    assert!(!names.contains("kept"), "the other cluster has data of its own: {names}");
}

#[tokio::test]
async fn garbage_is_collected_also_of_kinds_that_were_defined_after_the_start() {
    let cluster = start().await;
    let manifest = cluster.directory().join("owner.json");
    std::fs::write(&manifest, owner_definition().to_string()).unwrap();
    kubectl(&cluster, &["apply", "-f", manifest.to_str().unwrap()]);
    Tools::of(&cluster).until_established(&["owners.example.com"]);
    cluster.restart_controller_manager().await.unwrap();

    std::fs::write(&manifest, r#"{"apiVersion":"example.com/v1","kind":"Owner","metadata":{"name":"o"}}"#).unwrap();
    kubectl(&cluster, &["apply", "-f", manifest.to_str().unwrap()]);
    let uid = kubectl(&cluster, &["get", "owner", "o", "-o", "jsonpath={.metadata.uid}"]);
    let owned = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "owned", "ownerReferences": [
            {"apiVersion": "example.com/v1", "kind": "Owner", "name": "o", "uid": uid, "controller": true}]},
    });
    std::fs::write(&manifest, owned.to_string()).unwrap();
    kubectl(&cluster, &["apply", "-f", manifest.to_str().unwrap()]);
    kubectl(&cluster, &["delete", "owner", "o"]);
    kubectl(&cluster, &["wait", "--for=delete", "secret/owned", "--timeout=60s"]);
}

fn owner_definition() -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "owners.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Owner", "plural": "owners", "singular": "owner"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}],
        },
    })
}

#[test]
fn nothing_is_left_of_a_cluster_whose_process_was_killed() {
    let mut process =
        Command::new(PROGRAM).args(["sandbox", "cluster"]).stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let first = lines.next().expect("the program prints how to reach the cluster").unwrap();
    let kubeconfig = PathBuf::from(first.strip_prefix("export KUBECONFIG=").unwrap());
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(&kubeconfig).unwrap()).unwrap();
    let address =
        config["clusters"][0]["cluster"]["server"].as_str().unwrap().trim_start_matches("https://").to_owned();
    std::net::TcpStream::connect(&address).expect("the API server listens");

    process.kill().unwrap();
    process.wait().unwrap();
    // The folder goes last, after all processes have exited.
    wait_until("the cluster's folder is removed", || !kubeconfig.parent().unwrap().exists());
    assert!(std::net::TcpStream::connect(&address).is_err(), "the API server has ended");
}

#[tokio::test]
async fn a_program_that_ends_at_the_start_is_reported_with_the_end_of_its_log_which_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    for (name, script) in [
        ("etcd", "#!/bin/sh\nexec sleep 600\n"),
        ("kube-apiserver", "#!/bin/sh\necho \"no such flag\"\nexit 3\n"),
        ("kube-controller-manager", "#!/bin/sh\n"),
        ("kubectl", "#!/bin/sh\n"),
    ] {
        write_program(&folder.path().join(name), script);
    }
    let error = start_from(folder.path().to_owned()).await.unwrap_err();
    let ClusterError::Ended { program, exit, log, tail } = &error else { panic!("{error}") };
    assert_eq!((program.as_str(), exit.code, tail.as_str()), ("kube-apiserver", Some(3), "no such flag"));
    assert_eq!(std::fs::read_to_string(log).unwrap(), "no such flag\n");
    let kept: Vec<_> = std::fs::read_dir(log.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(kept.iter().all(|path| path.extension().is_some_and(|extension| extension == "log")), "{kept:?}");
    std::fs::remove_dir_all(log.parent().unwrap()).unwrap();
}

fn write_program(path: &Path, script: &str) {
    std::fs::write(path, script).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_folder_without_the_programs_is_refused_by_the_name_of_the_first_that_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let error = start_from(folder.path().to_owned()).await.unwrap_err();
    assert!(error.to_string().contains("has no program kube-apiserver"), "{error}");
}
