//! What MSAL requests before it requests a token.

use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::message::{json, parameter};

/// The hosts of a cloud, and the metadata address of the tenant in `authorization_endpoint`.
pub(super) fn instance(cloud: &Cloud, query: Option<&str>) -> Response<Body> {
    let endpoint = parameter(query.unwrap_or_default().as_bytes(), "authorization_endpoint");
    let tenant = endpoint
        .as_deref()
        .and_then(|endpoint| endpoint.strip_prefix("https://"))
        .and_then(|rest| rest.split('/').nth(1))
        .unwrap_or("common");
    let mut aliases = vec![cloud.login_host.clone()];
    aliases.extend(cloud.login_aliases.iter().cloned());
    json(
        StatusCode::OK,
        &json!({
            "tenant_discovery_endpoint": format!("https://{}/{tenant}/v2.0/.well-known/openid-configuration", cloud.login_host),
            "api-version": "1.1",
            "metadata": [{
                "preferred_network": cloud.login_host,
                "preferred_cache": aliases.last(),
                "aliases": aliases,
            }],
        }),
    )
}

/// A tenant's `OpenID` metadata.
pub(super) fn openid_configuration(cloud: &Cloud, tenant: &str) -> Value {
    let base = format!("https://{}/{tenant}", cloud.login_host);
    json!({
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": format!("{base}/v2.0"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "end_session_endpoint": format!("{base}/oauth2/v2.0/logout"),
        "tenant_region_scope": "EU",
        "cloud_instance_name": cloud.login_host.trim_start_matches("login."),
    })
}
