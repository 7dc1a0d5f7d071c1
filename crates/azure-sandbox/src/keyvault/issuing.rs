//! Self-signed certificates, issued according to their policies (the issuer `Self`).

use jiff::{Span, Timestamp, tz::TimeZone};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType, date_time_ymd,
};

use super::errors::KeyVaultError;
use super::jwk::KeyKind;
use super::material::Material;
use super::policy::{CertificatePolicy, X509Policy};

/// A certificate and the request for it.
pub(crate) struct Issued {
    pub(crate) material: Material,
    /// PKCS#10 in DER.
    pub(crate) request: Vec<u8>,
}

/// Like Key Vault's, certificates are valid from a few minutes before they are created.
const BACKDATED_SECONDS: i64 = 10 * 60;

/// Generates a key and issues a certificate for it.
pub(crate) fn issue(policy: &CertificatePolicy, now: i64) -> Result<Issued, KeyVaultError> {
    let key = &policy.key_props;
    let kind = KeyKind::parse(key.kty.as_deref(), key.key_size, key.crv.as_deref())?;
    let pair = kind
        .pair()
        .ok_or_else(|| KeyVaultError::bad_parameter("The sandbox makes no certificates with curve P-256K."))?
        .map_err(|_| failed())?;
    let params = parameters(&policy.x509_props, now)?;
    let certificate = params.self_signed(&pair).map_err(|_| failed())?;
    let request = params.serialize_request(&pair).map_err(|_| failed())?.der().to_vec();
    Ok(Issued { material: Material::issued(certificate.der(), &pair), request })
}

fn failed() -> KeyVaultError {
    KeyVaultError::failed(http::StatusCode::INTERNAL_SERVER_ERROR)
}

fn parameters(x509: &X509Policy, now: i64) -> Result<CertificateParams, KeyVaultError> {
    let mut params = CertificateParams::default();
    // Alternative names are sufficient, but a certificate must have some name.
    params.distinguished_name =
        if x509.subject.is_empty() && x509.sans.is_some() { DistinguishedName::new() } else { subject(&x509.subject)? };
    if let Some(names) = &x509.sans {
        let invalid = |_| KeyVaultError::bad_parameter("The subject alternative names are invalid.");
        for name in &names.dns_names {
            params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into().map_err(invalid)?));
        }
        for name in &names.emails {
            params.subject_alt_names.push(SanType::Rfc822Name(name.as_str().try_into().map_err(invalid)?));
        }
    }
    params.extended_key_usages = extended_usages(x509)?;
    params.key_usages = usages(x509)?;
    params.not_before = date_time_ymd(1970, 1, 1) + seconds(now.saturating_sub(BACKDATED_SECONDS));
    params.not_after = date_time_ymd(1970, 1, 1) + seconds(expiry(x509.validity_months.unwrap_or(12), now)?);
    Ok(params)
}

fn seconds(since_1970: i64) -> std::time::Duration {
    std::time::Duration::from_secs(u64::try_from(since_1970).unwrap_or_default())
}

fn expiry(months: u32, now: i64) -> Result<i64, KeyVaultError> {
    let invalid = || KeyVaultError::bad_parameter("The validity in months must be between 1 and 1200.");
    let months = i64::from(months);
    if !(1..=1200).contains(&months) {
        return Err(invalid());
    }
    let start = Timestamp::from_second(now).map_err(|_| invalid())?.to_zoned(TimeZone::UTC);
    start.checked_add(Span::new().months(months)).map(|end| end.timestamp().as_second()).map_err(|_| invalid())
}

fn extended_usages(x509: &X509Policy) -> Result<Vec<ExtendedKeyUsagePurpose>, KeyVaultError> {
    let parse = |id: &String| {
        id.split('.')
            .map(|number| number.parse().ok())
            .collect::<Option<Vec<u64>>>()
            .filter(|numbers| numbers.len() > 1)
            .map(ExtendedKeyUsagePurpose::Other)
            .ok_or_else(|| KeyVaultError::bad_parameter(format!("The extended key usage {id} is not an OID.")))
    };
    x509.ekus.iter().flatten().map(parse).collect()
}

fn usages(x509: &X509Policy) -> Result<Vec<KeyUsagePurpose>, KeyVaultError> {
    let parse = |word: &String| {
        Ok(match word.as_str() {
            "digitalSignature" => KeyUsagePurpose::DigitalSignature,
            "nonRepudiation" => KeyUsagePurpose::ContentCommitment,
            "keyEncipherment" => KeyUsagePurpose::KeyEncipherment,
            "dataEncipherment" => KeyUsagePurpose::DataEncipherment,
            "keyAgreement" => KeyUsagePurpose::KeyAgreement,
            "keyCertSign" => KeyUsagePurpose::KeyCertSign,
            "cRLSign" => KeyUsagePurpose::CrlSign,
            "encipherOnly" => KeyUsagePurpose::EncipherOnly,
            "decipherOnly" => KeyUsagePurpose::DecipherOnly,
            _ => return Err(KeyVaultError::bad_parameter(format!("The key usage {word} is not known."))),
        })
    };
    x509.key_usage.iter().flatten().map(parse).collect()
}

/// Parses a name such as `CN=www.example.com, O=Example`; a comma inside a value is written `\,`.
fn subject(text: &str) -> Result<DistinguishedName, KeyVaultError> {
    let invalid = || KeyVaultError::bad_parameter(format!("The subject {text} is not a valid X.500 name."));
    let mut name = DistinguishedName::new();
    for part in text.replace("\\,", "\u{0}").split(',') {
        let (field, value) = part.split_once('=').ok_or_else(invalid)?;
        let field = match field.trim().to_ascii_uppercase().as_str() {
            "CN" => DnType::CommonName,
            "O" => DnType::OrganizationName,
            "OU" => DnType::OrganizationalUnitName,
            "C" => DnType::CountryName,
            "L" => DnType::LocalityName,
            "S" | "ST" => DnType::StateOrProvinceName,
            _ => return Err(invalid()),
        };
        name.push(field, value.trim().replace('\u{0}', ","));
    }
    Ok(name)
}
