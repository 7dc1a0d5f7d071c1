//! The controller as its own process, against a real API server and an emulated Key Vault over TLS.
//!
//! Most tests share one cluster, one sandbox and one controller; each has its own namespace, vault and identity. Tests
//! that stop or kill something have their own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs,
    reason = "a test says with a panic that it failed, and a test binary exports nothing"
)]

use test_stage::helm;

mod admission;
mod monitoring;
mod node;

mod bad_input;
mod call_counts;
mod chart;
mod cluster_external_secrets;
mod deployed;
mod documentation;
mod events;
mod expected_secrets;
mod failures;
mod generators;
mod generic_targets;
mod gitops;
mod health;
mod identities;
mod isolation;
mod kill_points;
mod kustomize;
mod large_reads;
mod launcher;
mod leader_election;
mod metrics;
mod metrics_access;
mod minted;
mod missing_definitions;
mod odd_objects;
mod ownership;
mod people;
mod plan;
mod policies;
mod push_secrets;
mod recreated;
mod refreshing;
mod registries;
mod restarts;
mod scoped;
mod statuses;
mod stores;
mod synced;
mod tenants;
mod three_processes;
mod throttled;
mod traces;
mod two_at_once;
mod unreadable_answers;
mod upgrade;
mod wake_up;
mod walkthrough;
mod webhook;
