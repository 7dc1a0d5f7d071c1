//! The Instance Metadata Service's endpoint for tokens of managed identities.
//!
//! Source: "How to use managed identities for Azure resources on an Azure VM to acquire an access token"
//! (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>).

use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use parking_lot::RwLock;
use serde_json::json;

use crate::clock::Clock;
use crate::counters::{Counted, EntraCounters};
use crate::fault::{Effect, Fault, FaultId, Faults, Situation, Treatment, endless_body};
use crate::message::{empty, header, json, parameter, set_header};
use crate::state::State;

use super::directory::{Application, ApplicationState, TenantState};
use super::token;

/// The service's address on every virtual machine.
pub(crate) const ADDRESS: &str = "169.254.169.254";
/// The path of the endpoint.
pub(crate) const PATH: &str = "/metadata/identity/oauth2/token";

/// The lifetime of managed identities' tokens: a day.
const TOKEN_SECONDS: u64 = 24 * 60 * 60;

/// The machine on which the sandbox's clients run, and its identities.
#[derive(Default)]
pub(crate) struct MachineState {
    identities: RwLock<Vec<Identity>>,
    faults: Faults,
    counters: Counted<EntraCounters>,
}

struct Identity {
    /// `None` for the system-assigned identity.
    resource_id: Option<String>,
    tenant: Arc<TenantState>,
    application: Arc<ApplicationState>,
}

/// The machine on which the sandbox's clients run: the identities for which its metadata service issues tokens. A
/// sandbox has one.
///
/// The service is reached through the sandbox as a plain HTTP proxy (`HTTP_PROXY`), or at the proxy's own
/// URL (`AZURE_POD_IDENTITY_AUTHORITY_HOST`).
#[derive(Clone)]
pub struct Machine {
    state: Arc<MachineState>,
    clock: Clock,
}

impl Machine {
    pub(crate) fn new(state: &Arc<MachineState>, clock: &Clock) -> Self {
        Self { state: Arc::clone(state), clock: clock.clone() }
    }

    /// Makes an application the machine's system-assigned identity, replacing any other.
    pub fn assign_system_identity(&self, application: &Application) -> Self {
        let mut identities = self.state.identities.write();
        identities.retain(|identity| identity.resource_id.is_some());
        identities.push(Identity::new(application, None));
        drop(identities);
        self.clone()
    }

    /// Assigns an application to the machine as a user-assigned identity with this resource ID.
    pub fn assign_user_identity(&self, application: &Application, resource_id: &str) -> Self {
        self.state.identities.write().push(Identity::new(application, Some(resource_id.to_owned())));
        self.clone()
    }

    /// Removes all identities from the machine.
    pub fn clear(&self) -> Self {
        self.state.identities.write().clear();
        self.clone()
    }

    /// Starts a fault of the metadata service: latency, throttling, a status, a connection dropped before the answer,
    /// or an endless body. Others have no effect.
    pub fn fault(&self, fault: Fault) -> FaultId {
        self.state.faults.add(fault, self.clock.now())
    }

    /// Ends a fault. Returns whether it existed.
    pub fn lift(&self, fault: FaultId) -> bool {
        self.state.faults.lift(fault)
    }

    /// Ends all faults.
    pub fn lift_all(&self) {
        self.state.faults.lift_all();
    }

    /// Requests to the metadata service. Its refusals have no numbers, so they are not counted by number.
    #[must_use]
    pub fn counters(&self) -> EntraCounters {
        self.state.counters.snapshot()
    }
}

impl Identity {
    fn new(application: &Application, resource_id: Option<String>) -> Self {
        Self { resource_id, tenant: Arc::clone(&application.tenant), application: Arc::clone(&application.state) }
    }
}

/// A refusal of the metadata service.
struct Refusal(&'static str);

/// Answers a request for a token; `None` if the connection should end without an answer.
pub(crate) async fn answer<B>(state: &State, request: &Request<B>) -> Option<Response<Body>> {
    let machine = &state.machine;
    machine.counters.record(|counters| counters.exchanges += 1);
    let mut treatment = Treatment::default();
    let situation = Situation { operation: "Token", is_write: false, object: None, authenticated: true };
    machine.faults.treat(state.clock.now(), &situation, &mut treatment);
    treatment.delay().await;
    match treatment.instead.take() {
        None => {}
        Some(Effect::Throttle(retry_after)) => {
            machine.counters.record(|counters| counters.throttled += 1);
            let mut response = json(StatusCode::TOO_MANY_REQUESTS, &json!({ "error": "too_many_requests" }));
            if let Some(seconds) = retry_after {
                set_header(&mut response, "retry-after", &seconds.to_string());
            }
            return Some(response);
        }
        Some(Effect::Status(status)) => {
            return Some(empty(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)));
        }
        Some(Effect::EndlessBody) => return Some(Response::new(endless_body())),
        Some(_) => return None,
    }
    Some(issue(state, request).unwrap_or_else(|Refusal(description)| {
        json(StatusCode::BAD_REQUEST, &json!({ "error": "invalid_request", "error_description": description }))
    }))
}

fn issue<B>(state: &State, request: &Request<B>) -> Result<Response<Body>, Refusal> {
    if !header(request, "metadata").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(Refusal("Required metadata header not specified"));
    }
    let query = request.uri().query().unwrap_or_default().as_bytes();
    if parameter(query, "api-version").is_none() {
        return Err(Refusal("Required query variable 'api-version' not specified"));
    }
    let resource = parameter(query, "resource").ok_or(Refusal("Required query variable 'resource' is missing"))?;
    let identities = state.machine.identities.read();
    let identity = choose(&identities, query)?;
    let name = resource.trim_end_matches('/');
    if !state.clouds.is_known_resource(name) || !identity.tenant.knows(name) {
        return Err(Refusal("AADSTS500011: The resource principal was not found in the tenant."));
    }
    let audience = resource.clone().into_owned();
    let token = token::access_token(state, &identity.tenant, &identity.application, audience, TOKEN_SECONDS)
        .map_err(|_| Refusal("The token could not be signed"))?;
    state.machine.counters.record(|counters| counters.issued += 1);
    let now = state.clock.seconds();
    Ok(json(
        StatusCode::OK,
        &json!({
            "access_token": token,
            "client_id": identity.application.client_id,
            "expires_in": TOKEN_SECONDS.to_string(),
            "expires_on": now.saturating_add_unsigned(TOKEN_SECONDS).to_string(),
            "ext_expires_in": TOKEN_SECONDS.to_string(),
            "not_before": now.to_string(),
            "resource": resource,
            "token_type": "Bearer",
        }),
    ))
}

/// The identity that a request names, or the default if it names none.
fn choose<'a>(identities: &'a [Identity], query: &[u8]) -> Result<&'a Identity, Refusal> {
    let named = |name: &str| parameter(query, name);
    let resource_id = named("mi_res_id").or_else(|| named("msi_res_id"));
    let found = if let Some(client_id) = named("client_id") {
        identities.iter().find(|identity| identity.application.client_id.eq_ignore_ascii_case(&client_id))
    } else if let Some(object_id) = named("object_id") {
        identities.iter().find(|identity| identity.application.object_id.eq_ignore_ascii_case(&object_id))
    } else if let Some(resource_id) = resource_id {
        let fits = |known: &String| known.eq_ignore_ascii_case(&resource_id);
        identities.iter().find(|identity| identity.resource_id.as_ref().is_some_and(fits))
    } else {
        match identities {
            [only] => Some(only),
            _ => identities.iter().find(|identity| identity.resource_id.is_none()),
        }
    };
    match found {
        Some(identity) => Ok(identity),
        None if identities.len() > 1 && query_names_nobody(query) => Err(Refusal(
            "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the \
             token request",
        )),
        None => Err(Refusal("Identity not found")),
    }
}

fn query_names_nobody(query: &[u8]) -> bool {
    ["client_id", "object_id", "mi_res_id", "msi_res_id"].iter().all(|name| parameter(query, name).is_none())
}
