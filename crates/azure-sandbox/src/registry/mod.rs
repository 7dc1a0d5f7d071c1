//! The emulator of Azure Container Registry: tokens, and pulling images with them.
//!
//! Sources: "Azure AD OAuth" of Azure/acr (`docs/AAD-OAuth.md`), the distribution specification, and "Azure Container Registry
//! Entra permissions and roles overview" (<https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-overview>).
//!
//! Not emulated: pushing, layers, lists of tags and the catalog, the registry's own tokens and users, anonymous pulls.

pub(crate) mod access;
mod errors;
mod handle;
mod images;
mod tokens;

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use super::fault::{Effect, Situation, Treatment};
use super::message::{Answer, Connection, json, parameter, read_body, set_header};
use super::state::State;

use access::Scope;
use errors::RegistryError;
pub use handle::Registry;
pub(crate) use handle::RegistryState;
use tokens::Kind;

/// The user name for a token.
const USER: &str = "00000000-0000-0000-0000-000000000000";

/// Answers a request to a registry.
pub(crate) async fn answer(
    state: &State,
    registry: &RegistryState,
    request: Request<Incoming>,
    connection: &Connection,
) -> Answer {
    let path = request.uri().path().to_owned();
    let operation = operation(request.method(), &path);
    registry.counters.record(|counters| *counters.requests.entry(operation).or_default() += 1);
    let mut treatment = Treatment::default();
    let situation = Situation { operation, is_write: false, object: None, authenticated: true };
    registry.faults.treat(registry.now(), &situation, &mut treatment);
    treatment.delay().await;
    let outcome = match treatment.instead.take() {
        None => serve(state, registry, request, operation).await,
        Some(Effect::Throttle(retry_after)) => Err(RegistryError::throttled(retry_after)),
        Some(Effect::Status(status)) => Err(RegistryError::failed(status)),
        Some(other) => return other.answer(connection),
    };
    let mut response = outcome.unwrap_or_else(|refusal| refusal.response(registry));
    let status = response.status().as_u16();
    registry.counters.record(|counters| *counters.statuses.entry(status).or_default() += 1);
    set_header(&mut response, "x-ms-ratelimit-remaining-calls-per-second", "166.65");
    treatment.send(response, connection)
}

/// The name of a request in counters and faults.
fn operation(method: &Method, path: &str) -> &'static str {
    match (method, path) {
        (&Method::POST, "/oauth2/exchange") => "Exchange",
        (&Method::POST, "/oauth2/token") => "Token",
        (&Method::GET | &Method::HEAD, path) if path.contains("/manifests/") => "Manifest",
        (&Method::GET, "/v2/") => "Version",
        _ => "Unknown",
    }
}

async fn serve(
    state: &State,
    registry: &RegistryState,
    request: Request<Incoming>,
    operation: &str,
) -> Result<Response<Body>, RegistryError> {
    registry.access.read().check_network()?;
    match operation {
        "Exchange" => {
            let form = read_body(request).await.ok_or_else(RegistryError::malformed)?;
            let token = tokens::exchange(state, registry, &form)?;
            Ok(json(StatusCode::OK, &json!({ "refresh_token": token })))
        }
        "Token" => {
            let form = read_body(request).await.ok_or_else(RegistryError::malformed)?;
            let token = tokens::access_token(registry, &form)?;
            Ok(json(StatusCode::OK, &json!({ "access_token": token })))
        }
        "Version" => bearer(registry, &request).map(|_| json(StatusCode::OK, &json!({}))),
        "Manifest" => manifest(registry, &request),
        _ => Err(RegistryError::not_found()),
    }
}

/// The claims of a request's token, which may be a bearer token or a user's password.
fn bearer<B>(registry: &RegistryState, request: &Request<B>) -> Result<tokens::Claims, RegistryError> {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, given) = given.and_then(|given| given.split_once(' ')).ok_or_else(RegistryError::unauthorized)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return registry.tokens.verify(given, registry, Kind::Access);
    }
    let decoded = BASE64_STANDARD.decode(given).map_err(|_| RegistryError::unauthorized())?;
    let text = String::from_utf8(decoded).map_err(|_| RegistryError::unauthorized())?;
    let (user, password) = text.split_once(':').ok_or_else(RegistryError::unauthorized)?;
    if user != USER {
        return Err(RegistryError::unauthorized());
    }
    registry.tokens.verify(password, registry, Kind::Any)
}

/// The manifest of an image, if the caller may pull it.
fn manifest<B>(registry: &RegistryState, request: &Request<B>) -> Result<Response<Body>, RegistryError> {
    let claims = bearer(registry, request)?;
    let path = request.uri().path().strip_prefix("/v2/").ok_or_else(RegistryError::not_found)?;
    let (name, reference) = path.split_once("/manifests/").ok_or_else(RegistryError::not_found)?;
    let scope = Scope::pull(name);
    let is_allowed = match &claims.access {
        // A refresh token allows everything that its identity may do.
        None => !registry.access.read().granted(&claims.sub, std::slice::from_ref(&scope)).is_empty(),
        Some(access) => access.iter().any(|granted| granted.covers(&scope)),
    };
    if !is_allowed {
        return Err(RegistryError::denied());
    }
    let image = registry.images.read().find(name, reference).ok_or_else(RegistryError::manifest_unknown)?;
    registry.counters.record(|counters| counters.pulls += 1);
    let mut response = Response::new(Body::from(image.manifest));
    set_header(&mut response, "content-type", image.media_type);
    set_header(&mut response, "docker-content-digest", &image.digest);
    Ok(response)
}

/// A required parameter of a form.
fn required(form: &[u8], name: &str) -> Result<String, RegistryError> {
    parameter(form, name).map(std::borrow::Cow::into_owned).ok_or_else(RegistryError::malformed)
}
