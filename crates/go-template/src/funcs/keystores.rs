//! Functions for PKCS#12 files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::certificate::{self, Certificate};
use super::keys::PrivateKey;
use super::mistaken::{self, Wanted};
use super::pkcs12::{self, Contents};
use super::{Result, Table, certificates, mismatch, pem, while_doing};
use crate::functions::{Call, Function, FunctionError, VolatileCall};
use crate::value::{Type, Value};

const TEXT: Type = Type::String;

pub(super) const TABLE: Table = &[
    ("fullPemToPkcs12", Function::volatile(&[TEXT, TEXT], full_pem_to_pkcs12)),
    ("fullPemToPkcs12Pass", Function::volatile(&[TEXT, TEXT, TEXT], full_pem_to_pkcs12)),
    ("pemToPkcs12", Function::volatile(&[TEXT, TEXT], pem_to_pkcs12)),
    ("pemToPkcs12Pass", Function::volatile(&[TEXT, TEXT, TEXT], pem_to_pkcs12)),
    ("pemTruststoreToPKCS12", Function::volatile(&[TEXT], trust_store)),
    ("pemTruststoreToPKCS12Pass", Function::volatile(&[TEXT, TEXT], trust_store)),
    ("pkcs12cert", Function::fixed(&[TEXT], |arguments, call| cert(arguments.first(), None, call))),
    (
        "pkcs12certPass",
        Function::fixed(&[TEXT, TEXT], |arguments, call| cert(arguments.last(), arguments.first(), call)),
    ),
    ("pkcs12key", Function::fixed(&[TEXT], |arguments, call| key(arguments.first(), None, call))),
    ("pkcs12keyPass", Function::fixed(&[TEXT, TEXT], |arguments, call| key(arguments.last(), arguments.first(), call))),
];

/// Opens a file. The default password is empty.
fn open(file: Option<&Value>, password: Option<&Value>, what: &str, call: &mut Call<'_>) -> Result<Contents> {
    let (Some(Value::String(file)), None | Some(Value::String(_))) = (file, password) else { return Err(mismatch()) };
    let password: &[u8] = match password {
        Some(Value::String(password)) => password,
        _ => b"",
    };
    pkcs12::read(file, password, call)
        .map_err(|error| while_doing(&format!("unable to decode {what} with password"), error))
}

/// The key as PEM.
fn key(file: Option<&Value>, password: Option<&Value>, call: &mut Call<'_>) -> Result {
    let contents = open(file, password, "pkcs12", call)?;
    let text = pem::encode("PRIVATE KEY", &contents.key.to_pkcs8());
    Ok(Value::String(text.into()))
}

/// The certificates as PEM: first that of the key, followed by those that signed it. If none belongs to the key, they
/// are in the order of the chain if they form one, and otherwise unchanged.
fn cert(file: Option<&Value>, password: Option<&Value>, call: &mut Call<'_>) -> Result {
    let contents = open(file, password, "pkcs12 certificate", call)?;
    let is_of_key = contents.key.public().is_some_and(|key| contents.certificate.is_of(&key));
    let all = [vec![contents.certificate], contents.others].concat();
    let text: Vec<u8> = all.iter().flat_map(Certificate::to_pem).collect();
    certificates::pay_for_chain(&text, call)?;
    if is_of_key {
        let ordered = certificate::order_from_first_on(&all).into_iter().filter_map(|at| all.get(at));
        return Ok(Value::String(ordered.flat_map(Certificate::to_pem).collect::<Vec<u8>>().into()));
    }
    Ok(Value::String(match certificate::chain(&text) {
        Ok(ordered) => ordered.iter().flat_map(Certificate::to_pem).collect::<Vec<u8>>().into(),
        Err(_) => text.into(),
    }))
}

/// The given texts, and the password if there is one.
fn texts<const N: usize>(arguments: &[Value]) -> Result<([&[u8]; N], &[u8])> {
    let mut texts: [&[u8]; N] = [b""; N];
    let mut password: &[u8] = b"";
    for (at, argument) in arguments.iter().enumerate() {
        let Value::String(text) = argument else { return Err(mismatch()) };
        match texts.get_mut(at) {
            Some(place) => *place = text,
            None => password = text,
        }
    }
    Ok((texts, password))
}

/// A file with the first certificate and the key, in Base64.
fn pem_to_pkcs12(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    let ([certificate, key], password) = texts(arguments)?;
    let (certificate, _) = first_certificate(certificate, call)?;
    with_key(certificate, Vec::new(), key, password, call)
}

/// A file with all certificates and the key, in Base64.
fn full_pem_to_pkcs12(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    let ([certificates, key], password) = texts(arguments)?;
    let (certificate, rest) = first_certificate(certificates, call)?;
    let others = all_certificates(rest)?;
    with_key(certificate, others, key, password, call)
}

/// A file with trusted certificates, in Base64.
fn trust_store(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    let ([certificates], password) = texts(arguments)?;
    pem::pay(certificates, call)?;
    let file = pkcs12::write_trust_store(&all_certificates(certificates)?, password, call)?;
    Ok(encoded(&file))
}

fn first_certificate<'t>(text: &'t [u8], call: &mut Call<'_>) -> Result<(Certificate, &'t [u8])> {
    pem::pay(text, call)?;
    let (block, rest) = pem::decode(text).ok_or_else(|| no_certificate(text))?;
    Ok((Certificate::from_der(&block.bytes)?, rest))
}

/// All certificates. As in ESO, there must be nothing between and after them, not even a line feed.
fn all_certificates(text: &[u8]) -> Result<Vec<Certificate>> {
    let mut certificates = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (block, after) = pem::decode(rest).ok_or_else(|| no_certificate(rest))?;
        certificates.push(Certificate::from_der(&block.bytes)?);
        rest = after;
    }
    Ok(certificates)
}

fn no_certificate(text: &[u8]) -> FunctionError {
    mistaken::or(
        text,
        Wanted::Pem,
        "what is left of the certificates is not PEM block: remove text and empty lines after the last one",
    )
}

fn with_key(
    certificate: Certificate,
    others: Vec<Certificate>,
    key: &[u8],
    password: &[u8],
    call: &mut VolatileCall<'_>,
) -> Result {
    pem::pay(key, call)?;
    let (block, _) =
        pem::decode(key).ok_or_else(|| mistaken::or(key, Wanted::Pem, "the private key is not PEM block"))?;
    let key = PrivateKey::from_der(&block.bytes, call)?;
    let file = pkcs12::write(&Contents { key, certificate, others }, password, call)?;
    Ok(encoded(&file))
}

fn encoded(file: &[u8]) -> Value {
    let text = Zeroizing::new(STANDARD.encode(file));
    Value::string(&text)
}
