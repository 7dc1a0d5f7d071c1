//! Who may read the metrics.

use crate::controller_process::Controller;
use crate::scene::Scene;

/// What the metrics endpoint answers to who shows a token, over TLS.
async fn status(address: &str, token: Option<&str>) -> u16 {
    let client = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().unwrap();
    let request = client.get(format!("https://{address}/metrics"));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.send().await.unwrap().status().as_u16()
}

fn metrics_address(controller: &Controller) -> String {
    let log = controller.log();
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let listening = lines.find(|line| line["flag"] == "metrics-addr").expect("it serves metrics");
    listening["address"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_only_for_who_shows_a_token_that_may_get_them() {
    let scene = Scene::with_own_controller("metrics").await;
    let controller = scene.start_controller_with(&["--metrics-secure=true", "--metrics-auth=true"]).await;
    controller.until_logged("all watches have delivered their first list").await;
    let address = metrics_address(&controller);
    for account in ["reader", "other"] {
        scene.kubectl(&["create", "serviceaccount", account]);
    }
    let role = format!("read-metrics-{}", scene.name());
    scene.kubectl(&["create", "clusterrole", &role, "--verb=get", "--non-resource-url=/metrics"]);
    let subject = format!("--serviceaccount={}:reader", scene.name());
    scene.kubectl(&["create", "clusterrolebinding", &role, &format!("--clusterrole={role}"), &subject]);

    let (reader, other) = (scene.kubectl(&["create", "token", "reader"]), scene.kubectl(&["create", "token", "other"]));
    assert_eq!(status(&address, None).await, 401);
    assert_eq!(status(&address, Some("bogus")).await, 401);
    assert_eq!(status(&address, Some(other.trim())).await, 403);
    assert_eq!(status(&address, Some(reader.trim())).await, 200);
}
