//! The emulator of Key Vault.

pub(crate) mod access;
mod authentication;
pub(crate) mod errors;
pub(crate) mod object;
mod operation;
mod paging;
pub(crate) mod secrets;
mod shelf;
pub(crate) mod vault;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded;

use super::fault::{Effect, Situation, Treatment, endless_body};
use super::ids;
use super::message::{Answer, Connection, empty, header, json, parameter, read_body, set_header};
use super::state::State;

use access::{Caller, VaultName};
use errors::KeyVaultError;
use object::check_name;
use operation::{Operation, Verb};
use paging::PageRequest;
use vault::{LOCATION, VaultState};

/// The versions of the REST API that are known; the last is the latest.
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

/// Lets the faults have their way with a request, else serves it.
async fn treat(state: &State, vault: &VaultState, request: Request<Incoming>, connection: &Connection) -> Answer {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let operation = Operation::parse(request.method(), &segments);

    let mut treatment = Treatment::default();
    let situation = Situation {
        operation: operation.as_ref().map_or("Unknown", Operation::label),
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

/// Authenticates, admits, authorizes and carries out a request.
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
    vault.limiter.admit(vault.now()).map_err(|refused| KeyVaultError::throttled(refused.retry_after))?;

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
    let body = if matches!(operation.verb, Verb::Set | Verb::Update) {
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
    let name = operation.name.unwrap_or_default();
    let read = || vault.secrets.read();
    let write = || vault.secrets.write();
    let next = |collection: &str, token: &str| {
        treatment.next_link.clone().unwrap_or_else(|| next_link(vault, collection, query, token))
    };
    let answer: Value = match operation.verb {
        Verb::Get => secrets::get(&read(), name, operation.version, &setting)?,
        Verb::Set => secrets::set(&mut write(), name, parse(body)?, &setting)?,
        Verb::Update => secrets::update(&mut write(), name, operation.version, parse(body)?, &setting)?,
        Verb::Delete => secrets::delete(&mut write(), name, &setting)?,
        Verb::GetDeleted => secrets::get_deleted(&read(), name, &setting)?,
        Verb::Recover => secrets::recover(&mut write(), name, &setting)?,
        Verb::Purge => {
            secrets::purge(&mut write(), name, &setting)?;
            return Ok(empty(StatusCode::NO_CONTENT));
        }
        Verb::List => secrets::list(&read(), &PageRequest::parse(query)?, &setting, |token| next("secrets", token)),
        Verb::ListDeleted => {
            secrets::list_deleted(&read(), &PageRequest::parse(query)?, &setting, |token| next("deletedsecrets", token))
        }
        Verb::ListVersions => secrets::list_versions(&read(), name, &PageRequest::parse(query)?, &setting, |token| {
            next(&format!("secrets/{name}/versions"), token)
        })?,
    };
    Ok(json(StatusCode::OK, &answer))
}

/// The address of a list's next page: that of this one with another token.
fn next_link(vault: &VaultState, collection: &str, query: &str, token: &str) -> String {
    let kept = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key != "$skiptoken");
    let query: Vec<String> = kept
        .map(|(key, value)| format!("{key}={}", form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>()))
        .chain([format!("$skiptoken={token}")])
        .collect();
    format!("https://{}:443/{collection}?{}", vault.host, query.join("&"))
}
