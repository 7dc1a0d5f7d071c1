//! The token endpoint: client credentials with an assertion or a secret.
//!
//! Source: "Microsoft identity platform and the OAuth 2.0 client credentials flow"
//! (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::json;

use crate::SandboxError;
use crate::counters::{Counted, EntraCounters};
use crate::fault::{Effect, Situation, Treatment};
use crate::ids;
use crate::message::{Answer, Connection, json, parameter};
use crate::state::State;

use super::assertion;
use super::certificate;
use super::directory::{ApplicationState, TenantState};
use super::errors::EntraError;
use super::signer::AccessClaims;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Answers a token request.
pub(crate) async fn exchange(
    state: &State,
    tenant: &Arc<TenantState>,
    form: &[u8],
    correlation_id: Option<&str>,
    connection: &Connection,
) -> Answer {
    let application = parameter(form, "client_id").and_then(|client_id| tenant.find(&client_id));
    let tell = Tell { tenant: &tenant.counters, application: application.as_ref().map(|found| &found.counters) };
    tell.record(|counters| counters.exchanges += 1);

    let mut treatment = Treatment::default();
    let now = state.clock.now();
    let situation = Situation { operation: "Token", is_write: false, object: None, authenticated: true };
    if let Some(application) = &application {
        application.faults.treat(now, &situation, &mut treatment);
    }
    tenant.faults.treat(now, &situation, &mut treatment);
    treatment.delay().await;

    let refusal = match treatment.instead.take() {
        None => None,
        Some(Effect::Throttle(retry_after)) => Some(EntraError::throttled(retry_after)),
        Some(Effect::Refuse(code)) => Some(EntraError::injected(code)),
        Some(Effect::Status(status)) => Some(EntraError::failed(status)),
        Some(other) => return other.answer(connection),
    };
    let outcome = match refusal {
        Some(refusal) => Err(refusal),
        None => issue(state, tenant, application.as_deref(), form),
    };
    let response = match outcome {
        Ok(response) => {
            tell.record(|counters| counters.issued += 1);
            response
        }
        Err(refusal) => {
            tell.record(|counters| {
                *counters.refused.entry(refusal.code).or_default() += 1;
                counters.throttled += u64::from(refusal.is_throttling());
            });
            refusal.response(now, correlation_id)
        }
    };
    treatment.send(response, connection)
}

/// The counters that a request affects.
struct Tell<'a> {
    tenant: &'a Counted<EntraCounters>,
    application: Option<&'a Counted<EntraCounters>>,
}

impl Tell<'_> {
    fn record(&self, change: impl Fn(&mut EntraCounters)) {
        self.tenant.record(&change);
        if let Some(application) = self.application {
            application.record(&change);
        }
    }
}

fn required<'a>(form: &'a [u8], name: &str) -> Result<Cow<'a, str>, EntraError> {
    parameter(form, name).filter(|value| !value.is_empty()).ok_or_else(|| EntraError::parameter_missing(name))
}

fn issue(
    state: &State,
    tenant: &TenantState,
    application: Option<&ApplicationState>,
    form: &[u8],
) -> Result<Response<Body>, EntraError> {
    let grant = required(form, "grant_type")?;
    if grant != "client_credentials" {
        return Err(EntraError::grant_unsupported(&grant));
    }
    let client_id = required(form, "client_id")?;
    let scope = required(form, "scope")?;
    let application = application.ok_or_else(|| EntraError::application_not_found(&client_id, &tenant.id))?;
    authenticate(state, tenant, application, form)?;
    let audience = audience(state, tenant, &scope)?;
    let expires_in = tenant.token_lifetime().as_secs();
    let token = access_token(state, tenant, application, audience, expires_in).map_err(|error| {
        tracing::error!(%error, "the sandbox could not sign an access token");
        EntraError::failed(500)
    })?;
    Ok(json(
        StatusCode::OK,
        &json!({
            "token_type": "Bearer",
            "expires_in": expires_in,
            "ext_expires_in": expires_in,
            "access_token": token,
        }),
    ))
}

/// Authenticates the client.
fn authenticate(
    state: &State,
    tenant: &TenantState,
    application: &ApplicationState,
    form: &[u8],
) -> Result<(), EntraError> {
    let now = state.clock.now();
    if let Some(assertion) = parameter(form, "client_assertion") {
        let kind = required(form, "client_assertion_type")?;
        if kind != JWT_BEARER {
            return Err(EntraError::assertion_malformed());
        }
        let claims = assertion::unverified(&assertion)?;
        // In an application's own assertion, it is both issuer and subject.
        if claims.iss == application.client_id || claims.iss == claims.sub {
            let certificates = application.certificates();
            return certificate::check_own(&assertion, &certificates, &application.client_id, tenant, now);
        }
        let keys = state.issuer_keys(&claims.iss);
        let credentials = application.federated();
        assertion::check_federated(&assertion, &credentials, &application.client_id, keys.as_ref(), now)?;
        application.counters.record(|counters| counters.last_assertion.clone_from(&claims.jti));
        return Ok(());
    }
    let secret = parameter(form, "client_secret").ok_or_else(EntraError::credential_missing)?;
    application.check_secret(&secret, now)
}

/// The audience of the token for a scope `RESOURCE/.default`: the resource as it was written.
fn audience(state: &State, tenant: &TenantState, scope: &str) -> Result<String, EntraError> {
    let resource = scope.strip_suffix("/.default").ok_or_else(|| EntraError::scope_without_default(scope))?;
    let name = resource.trim_end_matches('/');
    if !state.clouds.is_known_resource(name) || !tenant.knows(name) {
        return Err(EntraError::resource_not_found(resource, &tenant.id));
    }
    Ok(resource.to_owned())
}

/// Signs an access token for an application and an audience.
pub(super) fn access_token(
    state: &State,
    tenant: &TenantState,
    application: &ApplicationState,
    audience: String,
    expires_in: u64,
) -> Result<String, SandboxError> {
    let now = state.clock.seconds();
    let claims = AccessClaims {
        aud: audience,
        iss: format!("https://{}/{}/", tenant.cloud.sts_host, tenant.id),
        iat: now,
        nbf: now,
        exp: now.saturating_add_unsigned(expires_in),
        appid: application.client_id.clone(),
        idtyp: "app".to_owned(),
        oid: application.object_id.clone(),
        sub: application.object_id.clone(),
        tid: tenant.id.clone(),
        uti: ids::version(),
        ver: "1.0".to_owned(),
    };
    state.signer.sign(&claims)
}
