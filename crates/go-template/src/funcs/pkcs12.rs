//! PKCS#12 files, read like go-pkcs12's `DecodeChain` and written like its `Modern`.

use sha1::{Digest as _, Sha1};

use super::Result;
use super::certificate::{Certificate, name_text};
use super::der::{self, Der, Reader, context, context_value};
use super::keys::PrivateKey;
use super::mistaken::{self, Wanted};
use super::pbe::{self, Password};
use crate::functions::{Call, FunctionError, VolatileCall};

/// `data`, 1.2.840.113549.1.7.1
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
/// `encryptedData`, 1.2.840.113549.1.7.6
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6];
/// `keyBag`, 1.2.840.113549.1.12.10.1.1
pub(super) const KEY_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 1];
/// `pkcs-8ShroudedKeyBag`
pub(super) const SHROUDED_KEY_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 2];
/// `certBag`
pub(super) const CERT_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 3];
/// `x509Certificate`, 1.2.840.113549.1.9.22.1
const X509_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
/// `friendlyName`, 1.2.840.113549.1.9.20
const FRIENDLY_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 20];
/// `localKeyId`, 1.2.840.113549.1.9.21
const LOCAL_KEY_ID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 21];
/// Java's mark for trusted certificates, 2.16.840.1.113894.746875.1.1
const JAVA_TRUST_STORE: &[u8] = &[0x60, 0x86, 0x48, 1, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 1, 1];
/// `anyExtendedKeyUsage`, 2.5.29.37.0
const ANY_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37, 0];

/// The contents of a file: one key, its certificate (the first one if none belongs to the key), and other certificates
/// in order.
pub(super) struct Contents {
    pub(super) key: PrivateKey,
    pub(super) certificate: Certificate,
    pub(super) others: Vec<Certificate>,
}

/// A part of a file.
pub(super) struct Bag {
    pub(super) kind: Vec<u8>,
    pub(super) content: Der,
}

fn malformed(what: &str) -> FunctionError {
    FunctionError::new(format!("pkcs12: {what} is malformed"))
}

/// Reads a file with one key.
///
/// # Errors
/// If the password is wrong, the key or its certificate is missing, or something is not supported.
pub(super) fn read(file: &[u8], password: &[u8], call: &mut Call<'_>) -> Result<Contents> {
    call.budget.steps(file.len() / 16)?;
    let (bags, password) = read_bags(file, Password::new(password)?, call)?;
    let mut key = None;
    let mut certificates = Vec::new();
    for bag in bags {
        match &*bag.kind {
            CERT_BAG => certificates.push(read_certificate(&bag.content)?),
            KEY_BAG | SHROUDED_KEY_BAG if key.is_some() => {
                return Err(FunctionError::new("pkcs12: expected exactly one key bag"));
            }
            KEY_BAG => key = Some(PrivateKey::from_pkcs8(&bag.content, call)?),
            SHROUDED_KEY_BAG => key = Some(read_shrouded_key(&bag.content, &password, call)?),
            _ => {}
        }
    }
    if certificates.is_empty() {
        return Err(FunctionError::new("pkcs12: certificate missing"));
    }
    let key = key.ok_or_else(|| FunctionError::new("pkcs12: private key missing"))?;
    // Deliberately better than Go, which assumes that it is the first one.
    let public = key.public();
    let is_of_key = |certificate: &Certificate| public.as_ref().is_some_and(|public| certificate.is_of(public));
    if let Some(at) = certificates.iter().position(is_of_key) {
        certificates.get_mut(..=at).unwrap_or_default().rotate_right(1);
    }
    Ok(Contents { key, certificate: certificates.remove(0), others: certificates })
}

/// The bags, and the password that they are encrypted with.
pub(super) fn read_bags(file: &[u8], password: Password, call: &mut Call<'_>) -> Result<(Vec<Bag>, Password)> {
    let not_a_file = || mistaken::or(file, Wanted::Pkcs12, "pkcs12: the file is malformed");
    let mut file = Reader::new(der::only(file, der::SEQUENCE).ok_or_else(not_a_file)?);
    if file.small() != Some(3) {
        return Err(FunctionError::new("pkcs12: can only decode v3 PFX PDU's"));
    }
    let mut safe = file.nested(der::SEQUENCE).ok_or_else(|| malformed("the file"))?;
    if safe.expect(der::OBJECT_IDENTIFIER) != Some(DATA) {
        return Err(FunctionError::new("pkcs12: only password-protected PFX is implemented"));
    }
    let content = safe.expect(context(0)).and_then(|content| der::only(content, der::OCTET_STRING));
    let content = content.ok_or_else(|| malformed("the authenticated safe"))?;
    let password = verify(file, content, password, call)?;

    let items = der::only(content, der::SEQUENCE).ok_or_else(|| malformed("the authenticated safe"))?;
    let mut items = Reader::new(items);
    let (mut bags, mut count) = (Vec::new(), 0);
    while !items.is_empty() {
        count += 1;
        let item = items.nested(der::SEQUENCE).ok_or_else(|| malformed("the authenticated safe"))?;
        let safe = read_safe(item, &password, call)?;
        let safe = der::only(&safe, der::SEQUENCE).ok_or_else(|| malformed("a safe"))?;
        read_safe_bags(Reader::new(safe), &mut bags).ok_or_else(|| malformed("a safe"))?;
    }
    match count {
        1 | 2 => Ok((bags, password)),
        _ => Err(FunctionError::new(format!(
            "pkcs12: expected between 1 and 2 items in the authenticated safe, but this file has {count}"
        ))),
    }
}

/// Checks the file's code. An empty password may also mean none.
fn verify(mut file: Reader<'_>, content: &[u8], password: Password, call: &mut Call<'_>) -> Result<Password> {
    if file.is_empty() {
        if password.is_empty() {
            return Ok(password);
        }
        return Err(FunctionError::new("pkcs12: no MAC in data"));
    }
    let broken = || malformed("the MAC");
    let mut data = file.nested(der::SEQUENCE).ok_or_else(broken)?;
    let mut info = data.nested(der::SEQUENCE).ok_or_else(broken)?;
    let algorithm = info.nested(der::SEQUENCE).ok_or_else(broken)?;
    let expected = info.expect(der::OCTET_STRING).ok_or_else(broken)?;
    let salt = data.expect(der::OCTET_STRING).ok_or_else(broken)?;
    let iterations = if data.is_empty() { 1 } else { data.small().ok_or_else(broken)? };
    let mut is_right = |password: &Password| {
        pbe::mac(algorithm, (salt, iterations), content, password, call).map(|code| code == expected)
    };
    if is_right(&password)? {
        return Ok(password);
    }
    if password.is_empty() {
        let none = Password::none();
        if is_right(&none)? {
            return Ok(none);
        }
    }
    Err(FunctionError::new("pkcs12: decryption password incorrect"))
}

/// Whether an error means that the password is wrong, because of the code or of the result of the decryption.
pub(super) fn is_of_password(message: &str) -> bool {
    message.ends_with(": decryption password incorrect") || message.ends_with("incorrect padding")
}

fn read_safe(mut item: Reader<'_>, password: &Password, call: &mut Call<'_>) -> Result<Der> {
    let broken = || malformed("a safe");
    let kind = item.expect(der::OBJECT_IDENTIFIER).ok_or_else(broken)?;
    let content = item.expect(context(0)).ok_or_else(broken)?;
    match kind {
        DATA => Ok(Der::new(der::only(content, der::OCTET_STRING).ok_or_else(broken)?.to_vec())),
        ENCRYPTED_DATA => {
            let mut data = Reader::new(der::only(content, der::SEQUENCE).ok_or_else(broken)?);
            if data.small() != Some(0) {
                return Err(FunctionError::new("pkcs12: only version 0 of EncryptedData is supported"));
            }
            let mut info = data.nested(der::SEQUENCE).ok_or_else(broken)?;
            info.expect(der::OBJECT_IDENTIFIER).ok_or_else(broken)?;
            let algorithm = info.nested(der::SEQUENCE).ok_or_else(broken)?;
            pbe::decrypt(algorithm, info.expect(context_value(0)).unwrap_or_default(), password, call)
        }
        _ => Err(FunctionError::new(
            "pkcs12: only data and encryptedData content types are supported in authenticated safe",
        )),
    }
}

fn read_safe_bags(mut safe: Reader<'_>, bags: &mut Vec<Bag>) -> Option<()> {
    while !safe.is_empty() {
        let mut bag = safe.nested(der::SEQUENCE)?;
        let kind = bag.expect(der::OBJECT_IDENTIFIER)?.to_vec();
        let content = Der::new(bag.expect(context(0))?.to_vec());
        bags.push(Bag { kind, content });
    }
    Some(())
}

pub(super) fn read_certificate(bag: &[u8]) -> Result<Certificate> {
    let broken = || malformed("a certificate's bag");
    let mut bag = Reader::new(der::only(bag, der::SEQUENCE).ok_or_else(broken)?);
    if bag.expect(der::OBJECT_IDENTIFIER).ok_or_else(broken)? != X509_CERTIFICATE {
        return Err(FunctionError::new("pkcs12: only X509 certificates are supported in cert bags"));
    }
    let content = bag.expect(context(0)).and_then(|content| der::only(content, der::OCTET_STRING));
    Certificate::from_der(content.ok_or_else(broken)?)
}

fn read_shrouded_key(bag: &[u8], password: &Password, call: &mut Call<'_>) -> Result<PrivateKey> {
    PrivateKey::from_pkcs8(&decrypt_key(bag, password, call)?, call)
}

/// Decrypts a key. The result is PKCS#8.
pub(super) fn decrypt_key(bag: &[u8], password: &Password, call: &mut Call<'_>) -> Result<Der> {
    let broken = || malformed("the key's bag");
    let mut info = Reader::new(der::only(bag, der::SEQUENCE).ok_or_else(broken)?);
    let algorithm = info.nested(der::SEQUENCE).ok_or_else(broken)?;
    let data = info.expect(der::OCTET_STRING).ok_or_else(broken)?;
    pbe::decrypt(algorithm, data, password, call)
}

/// Writes a key, its certificate, and other certificates.
pub(super) fn write(contents: &Contents, password: &[u8], call: &mut VolatileCall<'_>) -> Result<Der> {
    let password = Password::new(password)?;
    let key_id = attribute(LOCAL_KEY_ID, &der::octet_string(&Sha1::digest(&contents.certificate.raw)));
    let mut bags = vec![certificate_bag(&contents.certificate, &[&key_id])];
    bags.extend(contents.others.iter().map(|certificate| certificate_bag(certificate, &[])));

    let (algorithm, encrypted) = pbe::encrypt(&contents.key.to_pkcs8(), &password, call)?;
    let key = der::sequence(&[&algorithm, &der::octet_string(&encrypted)]);
    let key = bag(SHROUDED_KEY_BAG, &key, &[&key_id]);

    let certificates = encrypted_safe(&bags, &password, call)?;
    let key =
        der::sequence(&[&der::oid(DATA), &der::element(context(0), &[&der::octet_string(&der::sequence(&[&key]))])]);
    file(&der::sequence(&[&certificates, &key]), &password, call)
}

/// Writes trusted certificates.
pub(super) fn write_trust_store(
    certificates: &[Certificate],
    password: &[u8],
    call: &mut VolatileCall<'_>,
) -> Result<Der> {
    let password = Password::new(password)?;
    let trusted = attribute(JAVA_TRUST_STORE, &der::oid(ANY_KEY_USAGE));
    let mut bags = Vec::new();
    for certificate in certificates {
        let name = der::element(der::BMP_STRING, &[&pbe::wide(&name_text(&certificate.subject))?]);
        bags.push(certificate_bag(certificate, &[&trusted, &attribute(FRIENDLY_NAME, &name)]));
    }
    let safe = encrypted_safe(&bags, &password, call)?;
    file(&der::sequence(&[&safe]), &password, call)
}

fn attribute(oid: &[u8], value: &[u8]) -> Der {
    der::sequence(&[&der::oid(oid), &der::element(der::SET, &[value])])
}

fn certificate_bag(certificate: &Certificate, attributes: &[&Der]) -> Der {
    let content = der::element(context(0), &[&der::octet_string(&certificate.raw)]);
    bag(CERT_BAG, &der::sequence(&[&der::oid(X509_CERTIFICATE), &content]), attributes)
}

fn bag(kind: &[u8], content: &[u8], attributes: &[&Der]) -> Der {
    // The elements of a DER set are sorted.
    let mut attributes: Vec<&[u8]> = attributes.iter().map(|attribute| attribute.as_slice()).collect();
    attributes.sort_unstable();
    der::sequence(&[&der::oid(kind), &der::element(context(0), &[content]), &der::element(der::SET, &attributes)])
}

fn encrypted_safe(bags: &[Der], password: &Password, call: &mut VolatileCall<'_>) -> Result<Der> {
    let bags: Vec<&[u8]> = bags.iter().map(|bag| bag.as_slice()).collect();
    let (algorithm, encrypted) = pbe::encrypt(&der::sequence(&bags), password, call)?;
    let info = der::sequence(&[&der::oid(DATA), &algorithm, &der::element(context_value(0), &[&encrypted])]);
    let data = der::sequence(&[&der::small(0), &info]);
    Ok(der::sequence(&[&der::oid(ENCRYPTED_DATA), &der::element(context(0), &[&data])]))
}

fn file(safes: &[u8], password: &Password, call: &mut VolatileCall<'_>) -> Result<Der> {
    call.budget.room(4 * safes.len())?;
    let mut salt = [0; pbe::SALT_LEN];
    call.random().fill_bytes(&mut salt);
    let oid = der::oid(pbe::SHA256);
    let code = pbe::mac(Reader::new(&oid), (&salt, pbe::ITERATIONS), safes, password, call)?;
    let info = der::sequence(&[&der::sequence(&[&oid]), &der::octet_string(&code)]);
    let mac = der::sequence(&[&info, &der::octet_string(&salt), &der::small(pbe::ITERATIONS)]);
    let content = der::element(context(0), &[&der::octet_string(safes)]);
    Ok(der::sequence(&[&der::small(3), &der::sequence(&[&der::oid(DATA), &content]), &mac]))
}
