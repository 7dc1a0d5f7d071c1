//! The emulator of Key Vault: secrets, keys and certificates.
//!
//! Not emulated: using keys (sign, verify, encrypt, wrap), their rotation and release; backup and restore; certificate
//! issuers other than `Self`, contacts, and merging a certificate that was signed elsewhere; keys in hardware.

pub(crate) mod access;
mod authentication;
pub(crate) mod certificates;
pub(crate) mod errors;
mod issuing;
pub(crate) mod jwk;
pub(crate) mod keys;
mod lifecycle;
pub(crate) mod material;
pub(crate) mod object;
mod objects;
mod operation;
mod paging;
pub(crate) mod policy;
pub(crate) mod secrets;
mod shelf;
pub(crate) mod vault;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::fault::{Effect, Situation, Treatment, endless_body};
use super::ids;
use super::limiter::Makes;
use super::message::{Answer, Connection, empty, header, json_text, parameter, read_body, set_header};
use super::state::State;

use access::{Caller, VaultName};
use certificates::NewCertificate;
use errors::KeyVaultError;
use keys::NewKey;
use object::{ObjectKind, Setting, check_name};
use operation::{Operation, Verb};
use paging::PageRequest;
use vault::{LOCATION, VaultState};

/// The known versions of the REST API, ending with the latest.
const API_VERSIONS: [&str; 11] =
    ["2015-06-01", "2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"];

/// Answers a request to a vault.
pub(crate) async fn answer(
    state: &State,
    vault: &VaultState,
    request: Request<Incoming>,
    connection: &Connection,
) -> Answer {
    let client_request_id = header(&request, "x-ms-client-request-id").map(str::to_owned);
    vault.counters.record(|counters| counters.arrived += 1);
    let answer = treat(state, vault, request, connection).await;
    vault.counters.record(|counters| {
        counters.requests += 1;
        if let Ok(response) = &answer {
            *counters.statuses.entry(response.status().as_u16()).or_default() += 1;
            counters.throttled += u64::from(response.status() == StatusCode::TOO_MANY_REQUESTS);
        }
    });
    let mut response = answer?;
    set_header(&mut response, "x-ms-keyvault-region", LOCATION);
    set_header(&mut response, "x-ms-keyvault-service-version", "1.9.0.0");
    set_header(&mut response, "x-ms-request-id", &ids::guid());
    if let Some(id) = client_request_id {
        set_header(&mut response, "x-ms-client-request-id", &id);
    }
    Ok(response)
}

/// Applies the faults to a request, or else serves it.
async fn treat(state: &State, vault: &VaultState, request: Request<Incoming>, connection: &Connection) -> Answer {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let operation = Operation::parse(request.method(), &segments);

    let mut treatment = Treatment::default();
    let situation = Situation {
        operation: operation.as_ref().map_or("Unknown", Operation::label),
        is_write: request.method() != http::Method::GET,
        object: operation.as_ref().ok().and_then(|operation| operation.name),
        authenticated: authentication::bearer(&request).is_some(),
    };
    vault.faults.treat(vault.now(), &situation, &mut treatment);
    treatment.delay().await;

    let outcome = match treatment.instead.take() {
        None => serve(state, vault, request, operation, &treatment).await,
        Some(Effect::Throttle(retry_after)) => Err(KeyVaultError::throttled(retry_after)),
        Some(Effect::Status(status)) => {
            Err(KeyVaultError::failed(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)))
        }
        Some(Effect::EndlessBody) => return Ok(Response::new(endless_body())),
        Some(Effect::LargeValue(bytes)) => {
            let secret = serde_json::json!({"value": "x".repeat(bytes), "attributes": {"enabled": true}});
            return Ok(Response::new(Body::from(secret.to_string())));
        }
        Some(Effect::Repeat) => {
            let sent = read_body(request).await.unwrap_or_default();
            Err(KeyVaultError::bad_parameter(format!("It is invalid: {}", String::from_utf8_lossy(&sent))))
        }
        Some(Effect::Redirect(location)) => {
            let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
            set_header(&mut response, "location", &location);
            Ok(response)
        }
        Some(_) => return Err(connection.cut()),
    };
    let response = outcome.unwrap_or_else(|refusal| {
        let mut response = refusal.response();
        if refusal.status == StatusCode::UNAUTHORIZED {
            set_header(&mut response, "www-authenticate", &authentication::challenge(vault));
        }
        response
    });
    treatment.send(response, connection)
}

/// Authenticates, admits, authorizes and executes a request.
async fn serve(
    state: &State,
    vault: &VaultState,
    request: Request<Incoming>,
    operation: Result<Operation<'_>, KeyVaultError>,
    treatment: &Treatment,
) -> Result<Response<Body>, KeyVaultError> {
    let Some(token) = authentication::bearer(&request) else {
        vault.counters.record(|counters| counters.challenges += 1);
        return Err(KeyVaultError::unauthorized("AKV10000: Request is missing a Bearer or PoP token."));
    };
    let claims = authentication::check(state, vault, token)?;
    let caller = Caller { application_id: &claims.appid, object_id: &claims.oid, issuer: &claims.iss };
    let name = VaultName { name: &vault.name, location: LOCATION };
    vault.access.read().check_network(&caller, &name)?;
    let kind = operation.as_ref().ok().map(|operation| operation.kind);
    let makes = match operation.as_ref().map(|operation| operation.verb) {
        Ok(Verb::Set | Verb::Import) => Makes::Version,
        _ => Makes::Nothing,
    };
    let refused = vault.limiter.admit(kind, makes, vault.now());
    refused.map_err(|refused| KeyVaultError::throttled(refused.retry_after))?;

    let operation = operation?;
    let query = request.uri().query().unwrap_or_default().to_owned();
    check_api_version(&query)?;
    if let Some(name) = operation.name {
        check_name(name)?;
    }
    vault.counters.record(|counters| {
        *counters.operations.entry(operation.label()).or_default() += 1;
        if let (Verb::Get, Some(name)) = (operation.verb, operation.name) {
            *counters.reads.entry(format!("{}/{name}", operation.kind.collection())).or_default() += 1;
        }
    });
    vault.access.read().check(&caller, &operation, &name)?;
    let body = if operation.verb.has_body() {
        read_body(request).await.ok_or_else(KeyVaultError::body_malformed)?
    } else {
        Vec::new()
    };
    carry_out(vault, &operation, &query, &body, treatment)
}

fn check_api_version(query: &str) -> Result<(), KeyVaultError> {
    let version = parameter(query.as_bytes(), "api-version").ok_or_else(KeyVaultError::api_version_missing)?;
    if API_VERSIONS.contains(&version.as_ref()) || version.ends_with("-preview") || version.contains("-preview.") {
        return Ok(());
    }
    let latest = API_VERSIONS.last().copied().unwrap_or_default();
    Err(KeyVaultError::api_version_unknown(&version, latest))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, KeyVaultError> {
    serde_json::from_slice(body).map_err(|_| KeyVaultError::body_malformed())
}

fn carry_out(
    vault: &VaultState,
    operation: &Operation<'_>,
    query: &str,
    body: &[u8],
    treatment: &Treatment,
) -> Result<Response<Body>, KeyVaultError> {
    let setting = vault.setting();
    let Operation { kind, version, .. } = *operation;
    let name = operation.name.unwrap_or_default();
    let read = || vault.objects.read();
    let write = || vault.objects.write();
    let next = |collection: &str, token: &str| {
        treatment.next_link.clone().unwrap_or_else(|| next_link(vault, collection, query, token))
    };
    let page = || PageRequest::parse(query);
    let answer = match operation.verb {
        Verb::Get => read().get(kind, name, version, &setting)?,
        Verb::Set | Verb::Create | Verb::Import | Verb::Update => return put(vault, operation, body, &setting),
        Verb::Delete => write().delete(kind, name, &setting)?,
        Verb::GetDeleted => read().get_deleted(kind, name, &setting)?,
        Verb::Recover => write().recover(kind, name, &setting)?,
        Verb::Purge => {
            write().purge(kind, name, &setting)?;
            return Ok(empty(StatusCode::NO_CONTENT));
        }
        Verb::List => read().list(kind, &page()?, &setting, |token| next(kind.collection(), token))?,
        Verb::ListDeleted => {
            read().list_deleted(kind, &page()?, &setting, |token| next(kind.deleted_collection(), token))?
        }
        Verb::ListVersions => read().list_versions(kind, name, &page()?, &setting, |token| {
            next(&format!("{}/{name}/versions", kind.collection()), token)
        })?,
        Verb::GetPolicy => certificates::get_policy(&read().certificates, name, &setting)?,
        Verb::UpdatePolicy => certificates::update_policy(&mut write().certificates, name, parse(body)?, &setting)?,
        Verb::GetPending => certificates::get_pending(&read().certificates, name, &setting)?,
        Verb::DeletePending => certificates::delete_pending(&mut write().certificates, name, &setting)?,
    };
    Ok(json_text(StatusCode::OK, answer))
}

/// Creates or changes an object. Keys and certificates are generated before the vault is locked, because that takes a
/// while.
fn put(
    vault: &VaultState,
    operation: &Operation<'_>,
    body: &[u8],
    setting: &Setting<'_>,
) -> Result<Response<Body>, KeyVaultError> {
    let name = operation.name.unwrap_or_default();
    let write = || vault.objects.write();
    let answer = match (operation.kind, operation.verb) {
        (ObjectKind::Secret, Verb::Update) => {
            secrets::update(&mut write().secrets, name, operation.version, parse(body)?, setting)?
        }
        (ObjectKind::Secret, _) => {
            let request = parse(body)?;
            vault.governance().check(&request)?;
            secrets::set(&mut write().secrets, name, request, setting)?
        }
        (ObjectKind::Key, Verb::Update) => {
            keys::update(&mut write().keys, name, operation.version, parse(body)?, setting)?
        }
        (ObjectKind::Key, Verb::Import) => keys::put(&mut write().keys, name, NewKey::import(parse(body)?)?, setting)?,
        (ObjectKind::Key, _) => {
            let new = NewKey::create(parse(body)?)?;
            keys::put(&mut write().keys, name, new, setting)?
        }
        (ObjectKind::Certificate, Verb::Update) => {
            certificates::update(&mut write(), name, operation.version, parse(body)?, setting)?
        }
        (ObjectKind::Certificate, Verb::Import) => {
            let new = NewCertificate::import(parse(body)?)?;
            certificates::import(&mut write(), name, new, setting)?
        }
        (ObjectKind::Certificate, _) => {
            let new = NewCertificate::create(parse(body)?, setting.now)?;
            let answer = certificates::create(&mut write(), name, new, setting)?;
            let mut response = json_text(StatusCode::ACCEPTED, answer);
            set_header(&mut response, "retry-after", "0");
            return Ok(response);
        }
    };
    Ok(json_text(StatusCode::OK, answer))
}

/// The address of a list's next page: that of the current page with another token.
fn next_link(vault: &VaultState, collection: &str, query: &str, token: &str) -> String {
    let kept = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key != "$skiptoken");
    let query: Vec<String> = kept
        .map(|(key, value)| format!("{key}={}", form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>()))
        .chain([format!("$skiptoken={token}")])
        .collect();
    format!("https://{}:443/{collection}?{}", vault.host, query.join("&"))
}
