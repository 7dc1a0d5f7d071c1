//! X.509 certificates: parses what chains, names and signatures need.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::der::{self, Reader, context, context_value};
use super::keys::PublicKey;
use super::{Result, hex, pem};
use crate::functions::FunctionError;

/// `subjectKeyIdentifier`, 2.5.29.14
pub(super) const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 14];
/// `subjectAltName`, 2.5.29.17
pub(super) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
/// `authorityKeyIdentifier`, 2.5.29.35
pub(super) const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 35];

/// A certificate.
#[derive(Clone)]
pub(super) struct Certificate {
    pub(super) raw: Vec<u8>,
    /// The subject in DER.
    pub(super) subject: Vec<u8>,
    /// The issuer's subject in DER.
    issuer: Vec<u8>,
    public_key_algorithm: Vec<u8>,
    public_key: Vec<u8>,
    pub(super) subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
    names: AlternativeNames,
}

/// Names in addition to the subject.
#[derive(Clone, Default)]
struct AlternativeNames {
    dns: Vec<String>,
    ips: Vec<String>,
    emails: Vec<String>,
    uris: Vec<String>,
}

impl Certificate {
    /// Parses one certificate in DER.
    pub(super) fn from_der(bytes: &[u8]) -> Result<Self> {
        read(bytes).ok_or_else(|| FunctionError::new("x509: malformed certificate"))
    }

    /// All alternative names: DNS names, IP addresses, email addresses, URIs.
    pub(super) fn alternative_names(self) -> Vec<String> {
        let AlternativeNames { dns, ips, emails, uris } = self.names;
        [dns, ips, emails, uris].concat()
    }

    /// Whether it was signed with its own key, according to the key identifiers, or else the names.
    pub(super) fn is_root(&self) -> bool {
        match &self.authority_key_id {
            Some(_) => self.authority_key_id == self.subject_key_id,
            None => self.issuer == self.subject,
        }
    }

    /// Whether `other` signed it, according to the key identifiers, or to the names if one of the two has no
    /// identifier.
    fn is_signed_by(&self, other: &Self) -> bool {
        match (&self.authority_key_id, &other.subject_key_id) {
            (Some(authority), Some(subject)) => authority == subject,
            _ => self.issuer == other.subject,
        }
    }

    /// Whether it certifies this key.
    pub(super) fn is_of(&self, key: &PublicKey) -> bool {
        self.public_key_algorithm == **key.algorithm && self.public_key == key.bytes
    }

    pub(super) fn to_pem(&self) -> Vec<u8> {
        pem::encode("CERTIFICATE", &self.raw).to_vec()
    }
}

fn read(bytes: &[u8]) -> Option<Certificate> {
    let mut outer = Reader::new(der::only(bytes, der::SEQUENCE)?);
    let mut inner = outer.nested(der::SEQUENCE)?;
    let outer_algorithm = outer.expect(der::SEQUENCE)?;
    outer.bit_string().filter(|_| outer.is_empty())?;

    let version = match inner.nested(context(0)) {
        Some(mut version) => version.small().filter(|version| *version <= 2)?,
        None => 0,
    };
    inner.unsigned()?;
    if inner.expect(der::SEQUENCE)? != outer_algorithm {
        return None;
    }
    let issuer = inner.element().filter(|issuer| issuer.tag == der::SEQUENCE)?;
    read_name(issuer.content)?;
    let mut validity = inner.nested(der::SEQUENCE)?;
    let mut is_time =
        || validity.element().is_some_and(|time| matches!(time.tag, der::UTC_TIME | der::GENERALIZED_TIME));
    if !is_time() || !is_time() {
        return None;
    }
    let subject = inner.element().filter(|subject| subject.tag == der::SEQUENCE)?;
    read_name(subject.content)?;
    let mut public_key = inner.nested(der::SEQUENCE)?;
    let public_key_algorithm = public_key.element().filter(|algorithm| algorithm.tag == der::SEQUENCE)?;
    let public_key = public_key.bit_string()?;
    inner.expect(context_value(1));
    inner.expect(context_value(2));
    let mut certificate = Certificate {
        raw: bytes.to_vec(),
        subject: subject.full.to_vec(),
        issuer: issuer.full.to_vec(),
        public_key_algorithm: public_key_algorithm.full.to_vec(),
        public_key: public_key.to_vec(),
        subject_key_id: None,
        authority_key_id: None,
        names: AlternativeNames::default(),
    };
    if let Some(mut extensions) = inner.nested(context(3)) {
        if version != 2 {
            return None;
        }
        read_extensions(extensions.nested(der::SEQUENCE)?, &mut certificate)?;
    }
    Some(certificate)
}

fn read_extensions(mut extensions: Reader<'_>, certificate: &mut Certificate) -> Option<()> {
    let mut seen: Vec<&[u8]> = Vec::new();
    while !extensions.is_empty() {
        let mut extension = extensions.nested(der::SEQUENCE)?;
        let oid = extension.expect(der::OBJECT_IDENTIFIER)?;
        extension.expect(der::BOOLEAN);
        let value = extension.expect(der::OCTET_STRING)?;
        if seen.contains(&oid) {
            return None;
        }
        seen.push(oid);
        match oid {
            SUBJECT_KEY_ID => certificate.subject_key_id = Some(der::only(value, der::OCTET_STRING)?.to_vec()),
            AUTHORITY_KEY_ID => {
                let mut id = Reader::new(der::only(value, der::SEQUENCE)?);
                certificate.authority_key_id = id.expect(context_value(0)).map(<[u8]>::to_vec);
            }
            SUBJECT_ALT_NAME => certificate.names = read_names(Reader::new(der::only(value, der::SEQUENCE)?))?,
            _ => {}
        }
    }
    Some(())
}

fn read_names(mut reader: Reader<'_>) -> Option<AlternativeNames> {
    const EMAIL: u8 = context_value(1);
    const DNS: u8 = context_value(2);
    const URI: u8 = context_value(6);
    const IP: u8 = context_value(7);
    let mut names = AlternativeNames::default();
    while !reader.is_empty() {
        let name = reader.element()?;
        let text = || str::from_utf8(name.content).ok().filter(|text| text.is_ascii()).map(ToOwned::to_owned);
        match name.tag {
            EMAIL => names.emails.push(text()?),
            DNS => names.dns.push(text()?),
            URI => names.uris.push(text()?),
            IP => names.ips.push(ip_text(name.content)?),
            _ => {}
        }
    }
    Some(names)
}

fn ip_text(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).to_string());
    }
    let v6 = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?);
    Some(v6.to_ipv4_mapped().map_or_else(|| v6.to_string(), |v4| v4.to_string()))
}

/// A part of a name.
struct Attribute<'a> {
    oid: &'a [u8],
    /// The value in DER.
    full: &'a [u8],
    value: String,
}

fn read_name(name: &[u8]) -> Option<Vec<Attribute<'_>>> {
    let mut reader = Reader::new(name);
    let mut attributes = Vec::new();
    while !reader.is_empty() {
        let mut set = reader.nested(der::SET)?;
        while !set.is_empty() {
            let mut attribute = set.nested(der::SEQUENCE)?;
            let oid = attribute.expect(der::OBJECT_IDENTIFIER)?;
            let value = attribute.element()?;
            attributes.push(Attribute { oid, full: value.full, value: text_of(value.tag, value.content)? });
        }
    }
    Some(attributes)
}

fn text_of(tag: u8, content: &[u8]) -> Option<String> {
    match tag {
        der::UTF8_STRING => String::from_utf8(content.to_vec()).ok(),
        der::T61_STRING => Some(content.iter().copied().map(char::from).collect()),
        der::BMP_STRING => {
            let units = content.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            Some(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
        }
        der::PRINTABLE_STRING | der::IA5_STRING => {
            content.is_ascii().then(|| String::from_utf8_lossy(content).into_owned())
        }
        _ => Some(String::from_utf8_lossy(content).into_owned()),
    }
}

/// A name in DER as text, in the order and with the escapes of RFC 2253, as Go writes it.
pub(super) fn name_text(name: &[u8]) -> String {
    /// The attributes that Go names, by the last byte of 2.5.4.x, in Go's order.
    const KNOWN: [(u8, &str); 9] = [
        (6, "C"),
        (10, "O"),
        (11, "OU"),
        (7, "L"),
        (8, "ST"),
        (9, "STREET"),
        (17, "POSTALCODE"),
        (3, "CN"),
        (5, "SERIALNUMBER"),
    ];
    let attributes = der::only(name, der::SEQUENCE).and_then(read_name).unwrap_or_default();
    let known = |oid: &[u8]| match oid {
        [0x55, 4, last] => KNOWN.iter().find(|(number, _)| number == last),
        _ => None,
    };
    let mut parts: Vec<String> = Vec::new();
    for attribute in attributes.iter().filter(|attribute| known(attribute.oid).is_none()) {
        parts.push(format!("{}=#{}", der::dotted(attribute.oid).unwrap_or_default(), hex(attribute.full)));
    }
    for (number, label) in KNOWN {
        let of_kind = attributes.iter().filter(|attribute| attribute.oid == [0x55, 4, number]);
        let values: Vec<String> = of_kind.map(|attribute| format!("{label}={}", escaped(&attribute.value))).collect();
        // Of names that may occur only once, Go keeps the last.
        match values.last() {
            Some(last) if matches!(number, 3 | 5) => parts.push(last.clone()),
            Some(_) => parts.push(values.join("+")),
            None => {}
        }
    }
    parts.reverse();
    parts.join(",")
}

fn escaped(value: &str) -> String {
    let mut text = String::new();
    let last = value.chars().count().saturating_sub(1);
    for (at, character) in value.chars().enumerate() {
        let is_escaped = match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            '#' => at == 0,
            ' ' => at == 0 || at == last,
            _ => false,
        };
        if is_escaped {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// The certificates of all PEM blocks, whatever their type.
fn read_all(text: &[u8]) -> Result<Vec<Certificate>> {
    let mut certificates = Vec::new();
    let mut rest = text;
    while let Some((block, after)) = pem::decode(rest) {
        certificates.push(Certificate::from_der(&block.bytes)?);
        rest = after;
    }
    Ok(certificates)
}

/// The certificates in order, beginning with the first: each is followed by the one that signed it; the others come
/// last.
pub(super) fn order_from_first_on(certificates: &[Certificate]) -> Vec<usize> {
    let mut rest: Vec<(usize, &Certificate)> = certificates.iter().enumerate().collect();
    let mut order = Vec::with_capacity(rest.len());
    let mut next = (!rest.is_empty()).then_some(0);
    while let Some(place) = next {
        let (at, child) = rest.remove(place);
        order.push(at);
        next = rest.iter().position(|(_, other)| child.is_signed_by(other));
    }
    order.extend(rest.into_iter().map(|(at, _)| at));
    order
}

/// The certificates of PEM blocks in the order of the chain, from the leaf to the root. Only key identifiers and names
/// determine who signed which; no signature or date is verified.
///
/// # Errors
/// If they do not form a chain.
pub(super) fn chain(text: &[u8]) -> Result<Vec<Certificate>> {
    let certificates = read_all(text)?;
    let parent = |at: usize, child: &Certificate| {
        let mut others = certificates.iter().enumerate().filter(|(other, _)| *other != at);
        others.find(|(_, other)| child.is_signed_by(other)).map(|(other, _)| other)
    };
    let parents: Vec<Option<usize>> = certificates.iter().enumerate().map(|(at, child)| parent(at, child)).collect();
    let mut leaves = (0..certificates.len()).filter(|at| !parents.contains(&Some(*at)));
    let mut next = match (leaves.next(), leaves.next()) {
        (Some(leaf), None) => Some(leaf),
        (None, _) => return Err(FunctionError::new("no leaf certificate found")),
        (Some(_), Some(_)) => return Err(FunctionError::new("found multiple leaf or disjunct certificates")),
    };
    let mut ordered = Vec::new();
    while let Some(at) = next {
        if ordered.len() == certificates.len() {
            return Err(FunctionError::new("constructing chain resulted in cycle"));
        }
        ordered.extend(certificates.get(at).cloned());
        next = parents.get(at).copied().flatten();
    }
    Ok(ordered)
}
