//! What every long-running process of the program needs: logs, metrics, traces, health, a Kubernetes client.

pub mod api_health;
pub mod api_server_metrics;
pub mod authorization;
pub mod clock;
pub mod cluster_external_secret_metrics;
pub mod controller_metrics;
pub mod external_secret_metrics;
pub mod fair;
pub mod health;
pub mod kube_client;
pub mod leader_election;
pub mod logging;
pub mod metrics;
pub mod object_metrics;
pub mod open_files;
pub mod panics;
pub mod push_secret_metrics;
pub mod registrar;
pub mod shutdown;
pub mod store_metrics;
pub mod tls;
#[cfg(feature = "otlp")]
pub mod traces;
pub mod vault_metrics;
pub mod vital;
pub mod webhook_metrics;
