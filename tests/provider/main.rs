//! The Azure provider against the emulated Entra ID and Key Vault, over real TLS and a real proxy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod changes;
mod environment;
mod hostile;
mod objects;
mod outages;
mod principal;
mod reading;
mod refusals;
mod support;
mod troubleshooting;
mod validation;
