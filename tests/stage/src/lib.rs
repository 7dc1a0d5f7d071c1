//! What tests of whole processes work on: a cluster, an emulated Azure, the program's processes, and a proxy before the
//! API server. More than one test binary includes it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod api_proxy;
pub mod cluster_access;
pub mod controller_process;
pub mod custom_resource;
pub mod installation;
pub mod leaks;
pub mod scene;
pub mod world;
