//! The program as a kubectl plugin.

use std::process::Command;

use test_stage::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_finds_the_plugin_which_is_never_a_controller() {
    let scene = Scene::new("people-plugin").await;
    scene.store().await;
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("kubectl-external_secrets");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_external-secrets"), &plugin).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(scene.world.cluster.kubectl())
            .args(arguments)
            .env("PATH", folder.path())
            .env("KUBECONFIG", scene.kubeconfig())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, help, _) = run(&["external-secrets"]);
    assert_eq!(code, Some(0), "it ends");
    assert!(help.contains("Usage: kubectl external-secrets [COMMAND]") && help.contains("doctor"), "{help}");
    assert!(!help.contains("webhook"), "{help}");
    let (code, _, errors) = run(&["external-secrets", "webhook"]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("does not start the cluster's processes"), "{errors}");
    let (code, stores, errors) = run(&["external-secrets", "get", "stores"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(stores.contains(&format!("css/{}", scene.name())), "{stores}");
}
