//! What the fuzz targets `minting`, `namespaces` and `pushes` run: the decisions about values of generators, those of a
//! ClusterExternalSecret about a namespace, and what a PushSecret asks for. The first two are carried out as the API
//! server would, and decided again: what was decided must come to rest.

mod minting;
mod namespaces;
mod pushes;

pub use self::minting::{Generators, decisions};
pub use self::namespaces::steps;
pub use self::pushes::wanted;

/// Reads an input as JSON.
fn read(input: &[u8]) -> Option<serde_json::Value> {
    serde_json::from_slice(input).ok()
}
