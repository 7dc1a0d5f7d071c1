//! The keys, certificates and tokens of one cluster.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize, SanType,
};

/// The credentials of a cluster's processes. They are worthless outside of it.
pub(super) struct Credentials {
    pub(super) ca_pem: String,
    pub(super) server_certificate_pem: String,
    pub(super) server_key_pem: String,
    pub(super) service_account_key_pem: String,
    pub(super) service_account_public_pem: String,
    /// The bearer token of a member of `system:masters`.
    pub(super) admin_token: String,
}

impl Credentials {
    pub(super) fn generate() -> Result<Self, rcgen::Error> {
        let mut ca = CertificateParams::default();
        ca.distinguished_name = name("sandbox cluster CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;

        let mut server =
            CertificateParams::new(["localhost", "kubernetes", "kubernetes.default.svc"].map(String::from))?;
        server.distinguished_name = name("kube-apiserver");
        server.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server_key = KeyPair::generate()?;
        let server = server.signed_by(&server_key, &ca)?;

        // RSA, because managed clusters on Azure sign with RS256.
        let service_account = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        Ok(Self {
            ca_pem: ca.pem(),
            server_certificate_pem: server.pem(),
            server_key_pem: server_key.serialize_pem(),
            service_account_key_pem: service_account.serialize_pem(),
            service_account_public_pem: service_account.public_key_pem(),
            admin_token: format!("{:032x}", rand::random::<u128>()),
        })
    }
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}
