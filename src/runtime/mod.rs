//! What every long-running process of the program needs: logs, metrics, health, a Kubernetes client.

pub mod authorization;
pub mod clock;
pub mod health;
pub mod kube_client;
pub mod leader_election;
pub mod logging;
pub mod metrics;
pub mod object_metrics;
pub mod shutdown;
pub mod tls;
pub mod vault_metrics;
pub mod webhook_metrics;
