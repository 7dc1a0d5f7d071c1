//! Generates private keys and certificates, byte for byte as Go's `crypto/x509` does for sprig, given the same key,
//! serial number and time.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use super::certificate::{AUTHORITY_KEY_ID, Certificate, SUBJECT_ALT_NAME, SUBJECT_KEY_ID};
use super::der::{self, Der, context, context_value};
use super::keys::{Kind, PrivateKey, PublicKey};
use super::{Result, Table, mismatch, pem, while_doing};
use crate::functions::{Call, Function, FunctionError, VolatileCall};
use crate::value::{List, Map, Member, Object, Text, Type, Value};

const TEXT: Type = Type::String;
const LIST: Type = Type::LIST;
const PAIR: Type = Type::Object(TYPE_NAME);
const TYPE_NAME: &str = "sprig.certificate";

pub(super) const TABLE: Table = &[
    ("buildCustomCert", Function::fixed(&[TEXT, TEXT], build_custom)),
    ("genCA", Function::volatile(&[TEXT, Type::INT], generate_authority)),
    ("genCAWithKey", Function::volatile(&[TEXT, Type::INT, TEXT], generate_authority)),
    ("genPrivateKey", Function::volatile(&[TEXT], generate_key)),
    ("genSelfSignedCert", Function::volatile(&[TEXT, LIST, LIST, Type::INT], generate_self_signed)),
    ("genSelfSignedCertWithKey", Function::volatile(&[TEXT, LIST, LIST, Type::INT, TEXT], generate_self_signed)),
    ("genSignedCert", Function::volatile(&[TEXT, LIST, LIST, Type::INT, PAIR], generate_signed)),
    ("genSignedCertWithKey", Function::volatile(&[TEXT, LIST, LIST, Type::INT, PAIR, TEXT], generate_signed)),
];

/// `keyUsage`, 2.5.29.15
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
/// `basicConstraints`
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
/// `extKeyUsage`
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
/// `serverAuth`, 1.3.6.1.5.5.7.3.1
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
/// `clientAuth`
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
/// `commonName`, 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 4, 3];

/// A certificate with its key, both as PEM.
struct Pair {
    cert: Text,
    key: Text,
}

impl Object for Pair {
    fn type_name(&self) -> &'static str {
        TYPE_NAME
    }

    fn size(&self) -> usize {
        self.cert.len() + self.key.len()
    }

    fn text(&self) -> Text {
        Text::from([b"{", &*self.cert, b" ", &*self.key, b"}"].concat())
    }

    fn plain(&self) -> Value {
        let entries = [("Cert", &self.cert), ("Key", &self.key)];
        let entries = entries.map(|(name, text)| (Text::from(name), Value::String(text.clone())));
        Value::Map(Map::from_entries(&Type::String, entries.into()))
    }

    fn member(&self, name: &[u8]) -> Option<Member> {
        match name {
            b"Cert" => Some(Member::Field(Value::String(self.cert.clone()))),
            b"Key" => Some(Member::Field(Value::String(self.key.clone()))),
            _ => None,
        }
    }
}

/// What a certificate states about its holder.
struct Request {
    common_name: Text,
    ips: Vec<IpAddr>,
    dns: Vec<Text>,
    days: i64,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Authority,
    Holder,
}

/// The signer.
enum Issuer<'a> {
    /// The holder itself.
    Itself,
    Authority(&'a Certificate, &'a PrivateKey),
}

fn failed(message: &str) -> FunctionError {
    FunctionError::new(message)
}

/// A private key of the given type, as PEM.
fn generate_key(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    let [Value::String(kind)] = arguments else { return Err(mismatch()) };
    let kind = match &**kind {
        b"" | b"rsa" => Kind::Rsa4096,
        b"ecdsa" => Kind::P256,
        b"ed25519" => Kind::Ed25519,
        b"dsa" => return Err(failed("DSA keys are not generated: use rsa, ecdsa or ed25519")),
        other => return Ok(Value::String([b"Unknown type ", other].concat().into())),
    };
    Ok(Value::String(PrivateKey::generate(kind, call)?.to_sprig_pem().into()))
}

/// The pair of a certificate and a key that are given in Base64, if they can be parsed.
fn build_custom(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(cert), Value::String(key)] = arguments else { return Err(mismatch()) };
    let cert = pem::standard_base64(cert).ok_or_else(|| failed("unable to decode base64 certificate"))?;
    let key = pem::standard_base64(key).ok_or_else(|| failed("unable to decode base64 private key"))?;
    read_certificate(&cert, call)?;
    read_key(&key, call)?;
    Ok(Value::object(Pair { cert: cert.into(), key: key.into() }))
}

fn read_certificate(text: &[u8], call: &mut Call<'_>) -> Result<Certificate> {
    pem::pay(text, call)?;
    let (block, _) = pem::decode(text).ok_or_else(|| failed("unable to decode certificate"))?;
    Certificate::from_der(&block.bytes).map_err(|error| while_doing("error parsing certificate", error))
}

fn read_key(text: &[u8], call: &mut Call<'_>) -> Result<PrivateKey> {
    PrivateKey::from_pem(text, call).map_err(|error| while_doing("error parsing private key", error))
}

/// The given key, or a new one.
fn own_key(given: Option<&Value>, call: &mut VolatileCall<'_>) -> Result<PrivateKey> {
    match given {
        Some(Value::String(text)) => read_key(text, call),
        Some(_) => Err(mismatch()),
        None => PrivateKey::generate(Kind::Rsa2048, call),
    }
}

/// A certificate authority.
fn generate_authority(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    let [Value::String(common_name), Value::Int(_, days), key @ ..] = arguments else { return Err(mismatch()) };
    let key = own_key(key.first(), call)?;
    let (ips, dns) = (Vec::new(), Vec::new());
    let request = Request { common_name: common_name.clone(), ips, dns, days: *days, role: Role::Authority };
    issue(&request, &key, &Issuer::Itself, call)
}

/// A self-signed certificate.
fn generate_self_signed(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    let (request, rest) = holder(arguments)?;
    let key = own_key(rest.first(), call)?;
    issue(&request, &key, &Issuer::Itself, call)
}

/// A certificate signed by an authority.
fn generate_signed(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    let (request, rest) = holder(arguments)?;
    let [authority, key @ ..] = rest else { return Err(mismatch()) };
    let Some(authority) = authority.downcast::<Pair>() else { return Err(mismatch()) };
    let key = own_key(key.first(), call)?;
    let certificate = read_certificate(&authority.cert, call)?;
    let signer = read_key(&authority.key, call)?;
    issue(&request, &key, &Issuer::Authority(&certificate, &signer), call)
}

/// The name, addresses and days at the beginning of the arguments, and the rest.
fn holder(arguments: &[Value]) -> Result<(Request, &[Value])> {
    let [Value::String(common_name), Value::List(ips), Value::List(dns), Value::Int(_, days), rest @ ..] = arguments
    else {
        return Err(mismatch());
    };
    let request = Request {
        common_name: common_name.clone(),
        ips: addresses(ips)?,
        dns: names(dns)?,
        days: *days,
        role: Role::Holder,
    };
    Ok((request, rest))
}

fn addresses(list: &List) -> Result<Vec<IpAddr>> {
    let address = |value: Value| match value {
        Value::String(text) => {
            let address = str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
            address.ok_or_else(|| failed("error parsing ip: it is not an IP address"))
        }
        other => Err(FunctionError::new(format!("error parsing ip: {} is not a string", other.type_name()))),
    };
    list.iter().map(address).collect()
}

fn names(list: &List) -> Result<Vec<Text>> {
    let name = |value: Value| match value {
        Value::String(text) if text.is_ascii() => Ok(text),
        Value::String(_) => Err(failed("error creating certificate: x509: a DNS name is not of ASCII characters")),
        other => {
            let found = other.type_name();
            Err(FunctionError::new(format!("error processing alternate dns name: {found} is not a string")))
        }
    };
    list.iter().map(name).collect()
}

/// Issues the certificate.
fn issue(request: &Request, key: &PrivateKey, issuer: &Issuer<'_>, call: &mut VolatileCall<'_>) -> Result {
    let cannot_sign = || failed("error creating certificate: x509: only RSA, ECDSA and Ed25519 keys supported");
    // The names are copied from each part of the certificate into the enclosing one.
    let names = request.dns.iter().map(|name| name.len()).sum::<usize>() + request.common_name.len();
    call.budget.room(names.saturating_mul(24))?;
    let public = key.public().ok_or_else(cannot_sign)?;
    let subject = name(&request.common_name)?;
    let (signer, issuer_name, issuer_id) = match issuer {
        Issuer::Itself => (key, subject.to_vec(), None),
        Issuer::Authority(certificate, signer) => {
            if !signer.public().is_some_and(|public| certificate.is_of(&public)) {
                return Err(failed(
                    "error creating certificate: x509: provided PrivateKey doesn't match parent's PublicKey",
                ));
            }
            (*signer, certificate.subject.clone(), certificate.subject_key_id.as_deref())
        }
    };
    let issuer_id = issuer_id.filter(|id| issuer_name != **subject && !id.is_empty());
    let algorithm = signer.signature_algorithm().ok_or_else(cannot_sign)?;
    let mut serial = [0; 16];
    call.random().fill_bytes(&mut serial);
    let certificate = der::sequence(&[
        &der::element(context(0), &[&der::small(2)]),
        &der::unsigned(&serial),
        &algorithm,
        &issuer_name,
        &validity(call.now(), request.days)?,
        &subject,
        &public.to_der(),
        &der::element(context(3), &[&extensions(request, &public, issuer_id)]),
    ]);
    let signature = signer.sign(&certificate, call)?;
    let certificate = der::sequence(&[&certificate, &algorithm, &der::bit_string(&signature)]);
    let (cert, key) = (pem::encode("CERTIFICATE", &certificate), key.to_sprig_pem());
    Ok(Value::object(Pair { cert: cert.into(), key: key.into() }))
}

/// A name with one part.
fn name(common_name: &[u8]) -> Result<Der> {
    if common_name.is_empty() {
        return Ok(der::sequence(&[]));
    }
    if str::from_utf8(common_name).is_err() {
        return Err(failed("error creating certificate: the common name is not valid UTF-8"));
    }
    let is_printable = |byte: &u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(byte);
    let tag = if common_name.iter().all(is_printable) { der::PRINTABLE_STRING } else { der::UTF8_STRING };
    let part = der::sequence(&[&der::oid(COMMON_NAME), &der::element(tag, &[common_name])]);
    Ok(der::sequence(&[&der::element(der::SET, &[&part])]))
}

/// From now on for a number of days, which Go counts as nanoseconds in 64 bits.
fn validity(now: Timestamp, days: i64) -> Result<Der> {
    const DAY: i64 = 24 * 3600 * 1_000_000_000;
    let nanoseconds = i128::from(DAY.wrapping_mul(days));
    let end = Timestamp::from_nanosecond(now.as_nanosecond() + nanoseconds).ok();
    let times = end.and_then(|end| Some((time(now)?, time(end)?)));
    let (start, end) =
        times.ok_or_else(|| failed("error creating certificate: the end of its validity is too far away"))?;
    Ok(der::sequence(&[&start, &end]))
}

fn time(time: Timestamp) -> Option<Der> {
    let time = time.to_zoned(TimeZone::UTC);
    match time.year() {
        1950..2050 => Some(der::element(der::UTC_TIME, &[time.strftime("%y%m%d%H%M%SZ").to_string().as_bytes()])),
        0..=9999 => Some(der::element(der::GENERALIZED_TIME, &[time.strftime("%Y%m%d%H%M%SZ").to_string().as_bytes()])),
        _ => None,
    }
}

fn extensions(request: &Request, public: &PublicKey, issuer_id: Option<&[u8]>) -> Der {
    let critical = der::element(der::BOOLEAN, &[&[0xff]]);
    let extension = |oid: &[u8], critical: &[u8], value: &[u8]| {
        der::sequence(&[&der::oid(oid), critical, &der::octet_string(value)])
    };
    // The bits for digitalSignature, keyEncipherment and keyCertSign, preceded by the number of unused bits.
    let (usage, constraints): ([u8; 2], Der) = match request.role {
        Role::Authority => ([2, 0xa4], der::sequence(&[&critical])),
        Role::Holder => ([5, 0xa0], der::sequence(&[])),
    };
    let purposes = der::sequence(&[&der::oid(SERVER_AUTH), &der::oid(CLIENT_AUTH)]);
    let mut all = vec![
        extension(KEY_USAGE, &critical, &der::element(der::BIT_STRING, &[&usage])),
        extension(EXTENDED_KEY_USAGE, &[], &purposes),
        extension(BASIC_CONSTRAINTS, &critical, &constraints),
    ];
    if request.role == Role::Authority {
        let id = Sha256::digest(&public.bytes);
        let id = id.get(..20).unwrap_or_default();
        all.push(extension(SUBJECT_KEY_ID, &[], &der::octet_string(id)));
    }
    if let Some(id) = issuer_id {
        let id = der::sequence(&[&der::element(context_value(0), &[id])]);
        all.push(extension(AUTHORITY_KEY_ID, &[], &id));
    }
    if !request.dns.is_empty() || !request.ips.is_empty() {
        // Without a subject, these are the only names.
        let critical: &[u8] = if request.common_name.is_empty() { &critical } else { &[] };
        all.push(extension(SUBJECT_ALT_NAME, critical, &alternative_names(request)));
    }
    der::sequence(&all.iter().map(|extension| extension.as_slice()).collect::<Vec<_>>())
}

fn alternative_names(request: &Request) -> Der {
    let dns = request.dns.iter().map(|name| der::element(context_value(2), &[name]));
    let ips = request.ips.iter().map(|ip| match ip.to_canonical() {
        IpAddr::V4(ip) => der::element(context_value(7), &[&ip.octets()]),
        IpAddr::V6(ip) => der::element(context_value(7), &[&ip.octets()]),
    });
    let names: Vec<Der> = dns.chain(ips).collect();
    der::sequence(&names.iter().map(|name| name.as_slice()).collect::<Vec<_>>())
}
