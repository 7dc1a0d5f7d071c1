//! Container registries, as docker and the kubelet see them.

use http::StatusCode;
use serde_json::Value;

use super::World;
use super::client::Answer;
use crate::{Fault, Network, Registry, RegistryRole, ServiceAccountToken};

const OWN: &str = "https://containerregistry.azure.net/.default";
const RESOURCE_MANAGER: &str = "https://management.azure.com/.default";

impl World {
    fn registry(&self) -> Registry {
        let registry = self.sandbox.registry("team").unwrap();
        registry.add_image("app", "1");
        registry
    }

    async fn token_for(&self, scope: &str) -> String {
        let assertion = super::ISSUER.sign(&ServiceAccountToken::new("team-a", "reader")).unwrap();
        let form = [
            ("client_id", self.application.client_id()),
            ("grant_type", "client_credentials"),
            ("scope", scope),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ];
        let answer = self.client.exchange_for(self.application.tenant().id(), &form).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["access_token"].as_str().unwrap().to_owned()
    }

    async fn exchange(&self, scope: &str) -> Answer {
        let form = [
            ("grant_type", "access_token"),
            ("service", "team.azurecr.io"),
            ("access_token", &*self.token_for(scope).await),
        ];
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.client.post_form("https://team.azurecr.io/oauth2/exchange", form).await
    }

    async fn refresh_token(&self) -> String {
        let answer = self.exchange(OWN).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["refresh_token"].as_str().unwrap().to_owned()
    }

    async fn access_token(&self, scope: &str) -> Answer {
        let refresh_token = self.refresh_token().await;
        let form = [
            ("grant_type", "refresh_token"),
            ("service", "team.azurecr.io"),
            ("scope", scope),
            ("refresh_token", &refresh_token),
        ];
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.client.post_form("https://team.azurecr.io/oauth2/token", form).await
    }

    async fn pull(&self, repository: &str, password: &str) -> Answer {
        let url = format!("https://team.azurecr.io/v2/{repository}/manifests/1");
        let user = "00000000-0000-0000-0000-000000000000";
        Answer::of(self.client.plain(&url).basic_auth(user, Some(password)).send().await.unwrap()).await
    }
}

fn code(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.body["errors"][0]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_role_gives_a_refresh_token_and_an_access_token_and_either_pulls_a_list_of_manifests() {
    let world = World::new().await;
    world.registry().assign(&world.application, RegistryRole::AcrPull);
    let access = world.access_token("repository:app:pull,push").await.body["access_token"].as_str().unwrap().to_owned();
    for token in [world.refresh_token().await, access] {
        let pulled = world.pull("app", &token).await;
        assert_eq!(pulled.status, StatusCode::OK, "{}", pulled.body);
        assert_eq!(pulled.body["manifests"].as_array().unwrap().len(), 2);
        let elsewhere = world.pull("other", &token).await;
        assert!(elsewhere.status.is_client_error());
    }
    assert_eq!(code(&world.pull("app", &world.token_for(OWN).await).await), (401, "UNAUTHORIZED"));
}

#[tokio::test]
async fn without_a_role_or_with_a_token_of_another_resource_there_is_no_exchange() {
    let world = World::new().await;
    let registry = world.registry();
    let refused = world.exchange(OWN).await;
    assert_eq!(code(&refused), (401, "UNAUTHORIZED"));
    assert!(refused.body["errors"][0]["message"].as_str().unwrap().contains("aka.ms/acr/authorization"));
    registry.assign(&world.application, RegistryRole::AcrPull);
    assert_eq!(world.exchange(RESOURCE_MANAGER).await.status, StatusCode::OK);
    registry.refuse_resource_manager();
    let refused = world.exchange(RESOURCE_MANAGER).await;
    assert_eq!(refused.body["errors"][0]["message"], "token validation failed");
    assert_eq!(world.exchange(OWN).await.status, StatusCode::OK);
    assert_eq!(world.exchange("https://vault.azure.net/.default").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn where_attributes_decide_the_older_roles_give_no_images_and_names_may_be_conditions() {
    let world = World::new().await;
    let registry = world.registry().assign(&world.application, RegistryRole::AcrPull).decide_by_attributes();
    let token = world.refresh_token().await;
    assert_eq!(code(&world.pull("app", &token).await), (403, "DENIED"));
    assert_eq!(world.access_token("repository:app:pull").await.status, StatusCode::UNAUTHORIZED);
    registry.assign_on(&world.application, RegistryRole::RepositoryReader, "ap");
    assert_eq!(world.pull("app", &token).await.status, StatusCode::OK);
    assert_eq!(world.access_token("repository:other:pull").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.access_token("repository:*:pull").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_firewall_and_faults_answer_as_azure_does() {
    let world = World::new().await;
    let registry = world.registry().assign(&world.application, RegistryRole::AcrPull);
    registry.set_network(Network::Firewall { client_address: "203.0.113.7".to_owned() });
    let refused = world.exchange(OWN).await;
    assert_eq!(code(&refused), (403, "DENIED"));
    assert!(refused.body["errors"][0]["message"].as_str().unwrap().starts_with("client with IP '203.0.113.7'"));
    registry.set_network(Network::Open).fault(Fault::throttle(Some(7)).on("Exchange").times(1));
    assert_eq!(world.exchange(OWN).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(world.exchange(OWN).await.status, StatusCode::OK);
    let counters = registry.counters();
    assert_eq!((counters.requests["Exchange"], counters.refresh_tokens), (3, 1));
}

#[tokio::test]
async fn a_tenant_may_not_know_registries() {
    let world = World::new().await;
    world.sandbox.default_tenant().forget_resource("https://containerregistry.azure.net");
    let assertion = super::ISSUER.sign(&ServiceAccountToken::new("team-a", "reader")).unwrap();
    let form = [
        ("client_id", world.application.client_id()),
        ("grant_type", "client_credentials"),
        ("scope", OWN),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
    ];
    let refused = world.client.exchange_for(world.application.tenant().id(), &form).await;
    assert_eq!(refused.body["error_codes"], Value::from(vec![500_011]));
}
