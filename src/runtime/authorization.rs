//! Authorizes the readers of an endpoint. The API server says who the bearer of a token is (`TokenReview`) and whether
//! access is allowed (`SubjectAccessReview`), as in controller-runtime's metrics filter.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Client;
use kube::api::PostParams;
use moka::future::Cache;
use sha3::{Digest, Sha3_256};

use crate::answers::{Objects, reason};

/// How long a decision is cached, and so how late a revoked right takes effect.
const REMEMBERED: Duration = Duration::from_secs(30);
/// The most tokens that are cached.
const TOKENS: u64 = 1_000;
/// How long the API server may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Asks the API server about the bearers of tokens.
#[derive(Clone)]
pub struct Gatekeeper {
    client: Client,
    /// By the hash of token, verb and path.
    known: Cache<[u8; 32], Decision>,
}

/// The API server's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Allowed,
    /// The token is invalid.
    Unauthenticated,
    /// Its bearer is not allowed.
    Forbidden,
}

impl Gatekeeper {
    /// Asks through `client`, which must be allowed to create `TokenReview`s and `SubjectAccessReview`s.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, known: Cache::builder().max_capacity(TOKENS).time_to_live(REMEMBERED).build() }
    }

    async fn decide(&self, token: &str, verb: &str, path: &str) -> Result<Decision, Arc<kube::Error>> {
        let mut hash = Sha3_256::new();
        for part in [token, verb, path] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        self.known.try_get_with(hash.finalize().into(), self.ask(token, verb, path)).await
    }

    async fn ask(&self, token: &str, verb: &str, path: &str) -> Result<Decision, kube::Error> {
        let params = PostParams::default();
        let review = TokenReview {
            spec: TokenReviewSpec { token: Some(token.to_owned()), audiences: None },
            ..TokenReview::default()
        };
        let reviewed = Objects::all(self.client.clone(), &()).create(&params, &review).await?;
        let Some(UserInfo { username: Some(user), groups, uid, extra }) =
            reviewed.status.filter(|status| status.authenticated == Some(true)).and_then(|status| status.user)
        else {
            return Ok(Decision::Unauthenticated);
        };
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(user),
                groups,
                uid,
                extra,
                non_resource_attributes: Some(NonResourceAttributes {
                    path: Some(path.to_owned()),
                    verb: Some(verb.to_owned()),
                }),
                resource_attributes: None,
            },
            ..SubjectAccessReview::default()
        };
        let reviewed = Objects::all(self.client.clone(), &()).create(&params, &review).await?;
        let allowed = reviewed.status.is_some_and(|status| status.allowed && status.denied != Some(true));
        Ok(if allowed { Decision::Allowed } else { Decision::Forbidden })
    }
}

/// Admits a request whose bearer is allowed to send it.
pub async fn required(State(gatekeeper): State<Gatekeeper>, request: Request, next: Next) -> Response {
    let Some(token) = bearer(request.headers()) else {
        return (StatusCode::UNAUTHORIZED, "show a bearer token\n").into_response();
    };
    let verb = request.method().as_str().to_ascii_lowercase();
    let asked = tokio::time::timeout(DEADLINE, gatekeeper.decide(token, &verb, request.uri().path())).await;
    match asked {
        Ok(Ok(Decision::Allowed)) => next.run(request).await,
        Ok(Ok(Decision::Unauthenticated)) => (StatusCode::UNAUTHORIZED, "the token is not valid\n").into_response(),
        Ok(Ok(Decision::Forbidden)) => {
            (StatusCode::FORBIDDEN, "the token's bearer may not: grant the verb on this nonResourceURL\n")
                .into_response()
        }
        Ok(Err(error)) => {
            tracing::warn!(error = reason(&error), "the API server could not authorize a reader of the metrics");
            (StatusCode::INTERNAL_SERVER_ERROR, "the token could not be checked\n").into_response()
        }
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the token could not be checked in time\n").into_response(),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}
