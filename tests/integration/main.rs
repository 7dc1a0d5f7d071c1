//! Tests against a real kube-apiserver and etcd, one module a behaviour.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod launcher;
