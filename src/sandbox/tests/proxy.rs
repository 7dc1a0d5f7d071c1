use super::*;

#[tokio::test]
async fn the_environment_leads_a_client_here() {
    let world = World::new().await;
    let environment = world.sandbox.environment();
    let value = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap();
    assert_eq!(value("HTTPS_PROXY"), world.sandbox.proxy_url());
    assert_eq!(std::fs::read_to_string(value("SSL_CERT_FILE")).unwrap(), world.sandbox.ca_bundle());
    assert_eq!(value("REQUESTS_CA_BUNDLE"), value("SSL_CERT_FILE"));
}
