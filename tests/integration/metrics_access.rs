//! Who may read the metrics and change the log level.

use reqwest::Method;
use test_stage::scene::Scene;

/// What the metrics endpoint answers over TLS to a caller with this token.
async fn ask(address: &str, method: Method, path: &str, token: Option<&str>, body: &'static str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().unwrap();
    let request = client.request(method, format!("https://{address}{path}")).body(body);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn status(address: &str, token: Option<&str>) -> u16 {
    ask(address, Method::GET, "/metrics", token, "").await.0
}

/// Grants a service account of the scene these verbs on a non-resource path; returns a token for it.
fn allowed(scene: &Scene, account: &str, verbs: &str, path: &str) -> String {
    scene.kubectl(&["create", "serviceaccount", account]);
    let role = format!("{account}-{}", scene.name());
    let (verbs, path) = (format!("--verb={verbs}"), format!("--non-resource-url={path}"));
    scene.kubectl(&["create", "clusterrole", &role, &verbs, &path]);
    let subject = format!("--serviceaccount={}:{account}", scene.name());
    scene.kubectl(&["create", "clusterrolebinding", &role, &format!("--clusterrole={role}"), &subject]);
    scene.kubectl(&["create", "token", account]).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_require_a_token_that_may_get_them() {
    let scene = Scene::with_own_controller("metrics").await;
    let controller = scene.start_controller_with(&["--metrics-secure=true", "--metrics-auth=true"]).await;
    controller.until_logged("all watches have delivered their first list").await;
    let address = controller.address("metrics-addr");
    let reader = allowed(&scene, "reader", "get", "/metrics");
    let other = allowed(&scene, "other", "get", "/elsewhere");
    assert_eq!(status(&address, None).await, 401);
    assert_eq!(status(&address, Some("bogus")).await, 401);
    assert_eq!(status(&address, Some(&other)).await, 403);
    assert_eq!(status(&address, Some(&reader)).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn secure_metrics_are_served_before_the_charts_folder_has_a_certificate() {
    let scene = Scene::with_own_controller("metrics-files").await;
    let folder = scene.world.cluster.directory().join("metrics-files");
    let given = format!("--metrics-cert-dir={}", folder.display());
    let arguments = ["--metrics-secure=true", &given, "--metrics-cert-name=tls.crt", "--metrics-key-name=tls.key"];
    let controller = scene.start_controller_with(&arguments).await;
    controller.until_logged("all watches have delivered their first list").await;
    let address = controller.address("metrics-addr");
    assert_eq!(status(&address, None).await, 200);
    let made = rcgen::generate_simple_self_signed(vec!["metrics".to_owned()]).unwrap();
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
    controller.until_logged("serving with a new certificate").await;
    assert_eq!(status(&address, None).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_put_the_log_level_changes_it_while_the_process_runs() {
    let scene = Scene::with_own_controller("loglevel").await;
    let arguments = ["--metrics-secure=true", "--metrics-auth=true", "--loglevel=info"];
    let controller = scene.start_controller_with(&arguments).await;
    controller.until_logged("all watches have delivered their first list").await;
    let address = controller.address("metrics-addr");
    let reader = allowed(&scene, "metrics-reader", "get", "/metrics");
    let operator = allowed(&scene, "operator", "get,put", "/loglevel");
    let put = |token: &'static str| ask(&address, Method::PUT, "/loglevel", None, token);
    assert_eq!(put("debug").await.0, 401);
    assert_eq!(ask(&address, Method::PUT, "/loglevel", Some(&reader), "debug").await.0, 403);
    let (status, words) = ask(&address, Method::PUT, "/loglevel", Some(&operator), "loud").await;
    assert_eq!(status, 400);
    assert!(words.contains("send debug, info, warn or error"), "{words}");
    assert_eq!(ask(&address, Method::GET, "/loglevel", Some(&operator), "").await, (200, "info\n".to_owned()));

    scene.set_secret("greeting", "hello");
    scene.store().await;
    assert_eq!(ask(&address, Method::PUT, "/loglevel", Some(&operator), "debug").await, (200, "debug\n".to_owned()));
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    controller.until_logged("\"level\":\"DEBUG\"").await;
    assert!(!controller.log().contains("hello"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_changes_the_level_of_the_log_and_another_changes_it_back() {
    let scene = Scene::with_own_controller("signals").await;
    let controller = scene.start_controller_with(&["--loglevel=info"]).await;
    controller.until_logged("all watches have delivered their first list").await;
    assert!(!controller.log().contains("\"level\":\"DEBUG\""));
    scene.set_secret("greeting", "hello");
    scene.store().await;
    controller.send("-USR1");
    controller.until_logged("\"from\":\"info\",\"to\":\"debug\"").await;
    scene.external_secret("example", "1h", &[("greeting", "greeting")]).await;
    controller.until_logged("\"level\":\"DEBUG\"").await;
    controller.send("-USR2");
    controller.until_logged("\"from\":\"debug\",\"to\":\"info\"").await;
}
