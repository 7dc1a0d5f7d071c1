//! Functions for existing certificates.

use super::certificate::{Certificate, chain};
use super::mistaken::{self, Wanted};
use super::{Result, Table, mismatch, pem, while_doing};
use crate::functions::{Call, Function};
use crate::value::{List, Type, Value};

pub(super) const TABLE: Table = &[
    ("certSANs", Function::fixed(&[Type::String], cert_sans)),
    ("filterCertChain", Function::fixed(&[Type::String, Type::String], filter_chain)),
];

/// The leaf, the intermediates or the root of a chain; empty if it has none.
fn filter_chain(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(kind), Value::String(text)] = arguments else { return Err(mismatch()) };
    pay_for_chain(text, call)?;
    let ordered = chain(text)?;
    let is_leaf = |certificate: &&Certificate| !certificate.is_root();
    let chosen: Vec<&Certificate> = match &**kind {
        b"leaf" => ordered.first().filter(is_leaf).into_iter().collect(),
        b"intermediate" => ordered.iter().skip(1).take_while(is_leaf).collect(),
        b"root" => ordered.last().filter(|certificate| certificate.is_root()).into_iter().collect(),
        _ => Vec::new(),
    };
    Ok(Value::String(chosen.into_iter().flat_map(Certificate::to_pem).collect::<Vec<u8>>().into()))
}

/// Pays for parsing a chain, and for comparing all certificates with each other.
pub(super) fn pay_for_chain(text: &[u8], call: &mut Call<'_>) -> Result<()> {
    const SHORTEST: usize = 256;
    pem::pay(text, call)?;
    let most = text.len() / SHORTEST;
    Ok(call.budget.steps(most * most / 8)?)
}

/// All alternative names of the first certificate.
fn cert_sans(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    pem::pay(text, call)?;
    let Some((block, _)) = pem::decode(pem::trim_junk(text)) else {
        return Err(mistaken::or(text, Wanted::Pem, "failed to decode PEM block"));
    };
    let certificate =
        Certificate::from_der(&block.bytes).map_err(|error| while_doing("failed to parse certificate", error))?;
    let names = certificate.alternative_names();
    Ok(Value::List(List::new(&Type::String, names.iter().map(|name| Value::string(name)).collect())))
}
