//! Private keys: RSA, ECDSA, Ed25519 and X25519, in the formats that Go reads and writes.

use aws_lc_rs::agreement;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _};
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{BoxedUint, Pkcs1v15Sign};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::der::{self, Der, Reader, context};
use super::mistaken::{self, Wanted};
use super::{Result, pem};
use crate::functions::{Call, FunctionError, VolatileCall};

/// `rsaEncryption`, 1.2.840.113549.1.1.1
pub(super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// `id-ecPublicKey`, 1.2.840.10045.2.1
pub(super) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
/// 1.3.101.112
pub(super) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// 1.3.101.110
const X25519: &[u8] = &[0x2b, 0x65, 0x6e];

/// `sha256WithRSAEncryption`, 1.2.840.113549.1.1.11
const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];

/// A named curve.
pub(super) struct Curve {
    /// Its name in a JWK.
    pub(super) name: &'static str,
    oid: &'static [u8],
    /// The size of a coordinate in bytes.
    pub(super) len: usize,
    agreement: &'static agreement::Algorithm,
    signing: &'static EcdsaSigningAlgorithm,
    /// The identifier of its signature algorithm.
    signature: &'static [u8],
}

/// The supported curves. Go also supports P-224.
static CURVES: [Curve; 3] = [
    Curve {
        name: "P-256",
        oid: &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
        len: 32,
        agreement: &agreement::ECDH_P256,
        signing: &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
        signature: &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
    },
    Curve {
        name: "P-384",
        oid: &[0x2b, 0x81, 0x04, 0, 0x22],
        len: 48,
        agreement: &agreement::ECDH_P384,
        signing: &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
        signature: &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],
    },
    Curve {
        name: "P-521",
        oid: &[0x2b, 0x81, 0x04, 0, 0x23],
        len: 66,
        agreement: &agreement::ECDH_P521,
        signing: &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
        signature: &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4],
    },
];

impl Curve {
    pub(super) fn by_name(name: &str) -> Option<&'static Self> {
        CURVES.iter().find(|curve| curve.name == name)
    }

    fn by_oid(oid: &[u8]) -> Option<&'static Self> {
        CURVES.iter().find(|curve| curve.oid == oid)
    }

    /// The point with these coordinates, if it is on the curve.
    pub(super) fn point(&self, x: &[u8], y: &[u8]) -> Option<Vec<u8>> {
        let point = [&[4], padded(x, self.len)?.as_slice(), padded(y, self.len)?.as_slice()].concat();
        let key = agreement::UnparsedPublicKey::new(self.agreement, &point);
        agreement::ParsedPublicKey::try_from(&key).ok()?;
        Some(point)
    }
}

/// A number as `len` bytes, adding or removing leading zeros.
fn padded(number: &[u8], len: usize) -> Option<Zeroizing<Vec<u8>>> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = number.get(zeros..).unwrap_or_default();
    let mut padded = Zeroizing::new(vec![0; len.checked_sub(number.len())?]);
    padded.extend_from_slice(number);
    Some(padded)
}

/// A private key.
pub(super) enum PrivateKey {
    Rsa(Box<RsaKey>),
    Ec(EcKey),
    Ed25519 { seed: Der, public: Vec<u8> },
    X25519(Der),
}

/// An RSA key with two primes.
pub(super) struct RsaKey {
    pub(super) key: rsa::PrivateKey,
    /// The key in PKCS#1.
    pkcs1: Der,
}

/// An elliptic-curve key.
pub(super) struct EcKey {
    curve: &'static Curve,
    scalar: Der,
    point: Vec<u8>,
}

/// The numbers of an RSA key; the last three are optional.
#[derive(Default)]
pub(super) struct RsaNumbers<'a> {
    pub(super) n: &'a [u8],
    pub(super) e: &'a [u8],
    pub(super) d: &'a [u8],
    pub(super) p: &'a [u8],
    pub(super) q: &'a [u8],
    pub(super) dp: Option<&'a [u8]>,
    pub(super) dq: Option<&'a [u8]>,
    pub(super) qi: Option<&'a [u8]>,
}

impl RsaKey {
    /// The key with these numbers, if they are consistent.
    #[allow(clippy::many_single_char_names, reason = "the names of RFC 8017")]
    pub(super) fn new(numbers: &RsaNumbers<'_>, call: &mut Call<'_>) -> Result<Self> {
        let invalid = || FunctionError::new("the numbers of the RSA key do not fit to each other");
        pay_for_rsa(numbers.n.len() * 8, call)?;
        let [n, e, d, p, q] =
            [numbers.n, numbers.e, numbers.d, numbers.p, numbers.q].map(BoxedUint::from_be_slice_vartime);
        let key = rsa::PrivateKey::from_components(n, e, d, vec![p, q]).map_err(|_| invalid())?;
        let pkcs1 = key.to_pkcs1_der().map_err(|_| invalid())?.to_bytes();
        let computed = read_rsa_numbers(&pkcs1).ok_or_else(invalid)?;
        let fits = |given: Option<&[u8]>, computed: Option<&[u8]>| given.is_none() || given == computed;
        let is_same_order = computed.p == numbers.p;
        if !is_same_order
            || !fits(numbers.dp, computed.dp)
            || !fits(numbers.dq, computed.dq)
            || !fits(numbers.qi, computed.qi)
        {
            return Err(invalid());
        }
        Ok(Self { key, pkcs1 })
    }

    fn generate(size: KeySize, call: &mut VolatileCall<'_>) -> Result<Self> {
        let failed = || FunctionError::new("failed to generate private key");
        let pair = signature::RsaKeyPair::generate(size).map_err(|_| failed())?;
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| failed())?;
        match PrivateKey::from_pkcs8(pkcs8.as_ref(), call)? {
            PrivateKey::Rsa(key) => Ok(*key),
            _ => Err(failed()),
        }
    }
}

/// Pays for an operation with an RSA key of this many bits.
pub(super) fn pay_for_rsa(bits: usize, call: &mut Call<'_>) -> Result<()> {
    const MAX_BITS: usize = 8192;
    if bits > MAX_BITS {
        return Err(FunctionError::new(format!("the RSA key has more than {MAX_BITS} bits")));
    }
    let size = bits.div_ceil(512);
    Ok(call.budget.steps(40 * size * size * size)?)
}

#[allow(clippy::many_single_char_names, reason = "the names of RFC 8017")]
fn read_rsa_numbers(pkcs1: &[u8]) -> Option<RsaNumbers<'_>> {
    let mut reader = Reader::new(der::only(pkcs1, der::SEQUENCE)?);
    // Keys with more than two primes have version 1.
    if reader.small()? != 0 {
        return None;
    }
    let mut next = || reader.unsigned();
    let (n, e, d, p, q) = (next()?, next()?, next()?, next()?, next()?);
    let (dp, dq, qi) = (next(), next(), next());
    reader.is_empty().then_some(RsaNumbers { n, e, d, p, q, dp, dq, qi })
}

/// The types of keys that can be generated.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Rsa2048,
    Rsa4096,
    P256,
    Ed25519,
}

impl PrivateKey {
    /// Generates a key with the operating system's randomness.
    pub(super) fn generate(kind: Kind, call: &mut VolatileCall<'_>) -> Result<Self> {
        let failed = |_| FunctionError::new("failed to generate private key");
        match kind {
            Kind::Rsa2048 => {
                call.budget.steps(40_000)?;
                Ok(Self::Rsa(Box::new(RsaKey::generate(KeySize::Rsa2048, call)?)))
            }
            Kind::Rsa4096 => {
                call.budget.steps(150_000)?;
                Ok(Self::Rsa(Box::new(RsaKey::generate(KeySize::Rsa4096, call)?)))
            }
            Kind::P256 => {
                call.budget.steps(2000)?;
                let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?;
                let pkcs8 = pair.to_pkcs8v1().map_err(failed)?;
                Self::from_pkcs8(pkcs8.as_ref(), call)
            }
            Kind::Ed25519 => {
                call.budget.steps(2000)?;
                let mut seed = Zeroizing::new(vec![0; 32]);
                call.random().fill_bytes(&mut seed);
                Self::ed25519(seed)
            }
        }
    }

    pub(super) fn ed25519(seed: Der) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|_| FunctionError::new("an Ed25519 private key has 32 bytes"))?;
        let public = pair.public_key().as_ref().to_vec();
        Ok(Self::Ed25519 { seed, public })
    }

    /// An elliptic-curve key, with its point.
    pub(super) fn ec(curve: &'static Curve, scalar: &[u8]) -> Option<Self> {
        let scalar = padded(scalar, curve.len)?;
        let key = agreement::PrivateKey::from_private_key(curve.agreement, &scalar).ok()?;
        let point = key.compute_public_key().ok()?.as_ref().to_vec();
        Some(Self::Ec(EcKey { curve, scalar, point }))
    }

    /// Parses PKCS#1, PKCS#8 or SEC 1.
    pub(super) fn from_der(bytes: &[u8], call: &mut Call<'_>) -> Result<Self> {
        if let Some(numbers) = read_rsa_numbers(bytes) {
            return Ok(Self::Rsa(Box::new(RsaKey::new(&numbers, call)?)));
        }
        match Self::from_pkcs8(bytes, call) {
            Ok(key) => Ok(key),
            Err(FunctionError::Failed(_)) => {
                Self::from_sec1(bytes, None).ok_or_else(|| FunctionError::new("unable to parse private key type"))
            }
            Err(exceeded) => Err(exceeded),
        }
    }

    /// Parses a PEM block according to its type.
    pub(super) fn from_pem(text: &[u8], call: &mut Call<'_>) -> Result<Self> {
        pem::pay(text, call)?;
        let Some((block, _)) = pem::decode(text) else {
            return Err(mistaken::or(text, Wanted::Pem, "no PEM data in input"));
        };
        let wrong = |form: &str| FunctionError::new(format!("parsing {form} private key from PEM: it is malformed"));
        match &*block.kind {
            b"PRIVATE KEY" => Self::from_pkcs8(&block.bytes, call),
            b"RSA PRIVATE KEY" => {
                let numbers = read_rsa_numbers(&block.bytes).ok_or_else(|| wrong("RSA"))?;
                Ok(Self::Rsa(Box::new(RsaKey::new(&numbers, call)?)))
            }
            b"EC PRIVATE KEY" => Self::from_sec1(&block.bytes, None).ok_or_else(|| wrong("EC")),
            b"DSA PRIVATE KEY" => Err(FunctionError::new("DSA keys are not supported: use RSA, ECDSA or Ed25519")),
            kind if kind.ends_with(b" PRIVATE KEY") => Err(FunctionError::new("invalid private key type in PEM block")),
            _ => Err(FunctionError::new("no private key data in PEM block")),
        }
    }

    pub(super) fn from_pkcs8(bytes: &[u8], call: &mut Call<'_>) -> Result<Self> {
        let malformed = || FunctionError::new("the private key is not PKCS#8");
        let mut reader = Reader::new(bytes).nested(der::SEQUENCE).ok_or_else(malformed)?;
        let _version = reader.small().ok_or_else(malformed)?;
        let mut algorithm = reader.nested(der::SEQUENCE).ok_or_else(malformed)?;
        let oid = algorithm.expect(der::OBJECT_IDENTIFIER).ok_or_else(malformed)?;
        let content = reader.expect(der::OCTET_STRING).ok_or_else(malformed)?;
        let curve_seed =
            || der::only(content, der::OCTET_STRING).filter(|seed| seed.len() == 32 && algorithm.is_empty());
        match oid {
            RSA => {
                let numbers = read_rsa_numbers(content).ok_or_else(malformed)?;
                Ok(Self::Rsa(Box::new(RsaKey::new(&numbers, call)?)))
            }
            EC => Self::from_sec1(content, algorithm.expect(der::OBJECT_IDENTIFIER))
                .ok_or_else(|| FunctionError::new("the EC private key is malformed, or not of P-256, P-384 or P-521")),
            ED25519 => Self::ed25519(Zeroizing::new(curve_seed().ok_or_else(malformed)?.to_vec())),
            X25519 => Ok(Self::X25519(Zeroizing::new(curve_seed().ok_or_else(malformed)?.to_vec()))),
            other => {
                let name = der::dotted(other).unwrap_or_default();
                Err(FunctionError::new(format!("PKCS#8 wrapping contained private key with unknown algorithm: {name}")))
            }
        }
    }

    /// Parses SEC 1; `curve` takes precedence over the curve in it.
    fn from_sec1(bytes: &[u8], curve: Option<&[u8]>) -> Option<Self> {
        let mut reader = Reader::new(bytes).nested(der::SEQUENCE)?;
        if reader.small()? != 1 {
            return None;
        }
        let scalar = reader.expect(der::OCTET_STRING)?;
        let inner = reader.expect(context(0)).and_then(|inner| der::only(inner, der::OBJECT_IDENTIFIER));
        Self::ec(Curve::by_oid(curve.or(inner)?)?, scalar)
    }

    /// PKCS#8.
    pub(super) fn to_pkcs8(&self) -> Der {
        let (algorithm, key) = match self {
            Self::Rsa(key) => (der::sequence(&[&der::oid(RSA), &der::null()]), key.pkcs1.clone()),
            Self::Ec(key) => (key.algorithm(), key.sec1(None)),
            Self::Ed25519 { seed, .. } => (der::sequence(&[&der::oid(ED25519)]), der::octet_string(seed)),
            Self::X25519(scalar) => (der::sequence(&[&der::oid(X25519)]), der::octet_string(scalar)),
        };
        der::sequence(&[&der::small(0), &algorithm, &der::octet_string(&key)])
    }

    /// PEM in the format that sprig chooses.
    pub(super) fn to_sprig_pem(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Rsa(key) => pem::encode("RSA PRIVATE KEY", &key.pkcs1),
            Self::Ec(key) => pem::encode("EC PRIVATE KEY", &key.sec1(Some(key.curve.oid))),
            other => pem::encode("PRIVATE KEY", &other.to_pkcs8()),
        }
    }

    /// The algorithm and bytes of the public key; `None` for a key that cannot sign.
    pub(super) fn public(&self) -> Option<PublicKey> {
        Some(match self {
            Self::Rsa(key) => PublicKey::rsa(&key.key.n().to_be_bytes(), &key.key.e().to_be_bytes()),
            Self::Ec(key) => PublicKey { algorithm: key.algorithm(), bytes: key.point.clone() },
            Self::Ed25519 { public, .. } => PublicKey::ed25519(public),
            Self::X25519(_) => return None,
        })
    }

    /// The identifier of the algorithm for signing certificates.
    pub(super) fn signature_algorithm(&self) -> Option<Der> {
        Some(match self {
            Self::Rsa(_) => der::sequence(&[&der::oid(SHA256_WITH_RSA), &der::null()]),
            Self::Ec(key) => der::sequence(&[&der::oid(key.curve.signature)]),
            Self::Ed25519 { .. } => der::sequence(&[&der::oid(ED25519)]),
            Self::X25519(_) => return None,
        })
    }

    /// Signs in the way certificates are signed.
    pub(super) fn sign(&self, message: &[u8], call: &mut VolatileCall<'_>) -> Result<Vec<u8>> {
        let failed = || FunctionError::new("error creating certificate: the key cannot sign");
        match self {
            Self::Rsa(key) => {
                pay_for_rsa(key.key.size() * 8, call)?;
                key.key.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message)).map_err(|_| failed())
            }
            Self::Ec(EcKey { curve, scalar, point }) => {
                call.budget.steps(2000)?;
                let pair = EcdsaKeyPair::from_private_key_and_public_key(curve.signing, scalar, point);
                let pair = pair.map_err(|_| failed())?;
                Ok(pair.sign(&SystemRandom::new(), message).map_err(|_| failed())?.as_ref().to_vec())
            }
            Self::Ed25519 { seed, .. } => {
                call.budget.steps(2000)?;
                let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| failed())?;
                Ok(pair.sign(message).as_ref().to_vec())
            }
            Self::X25519(_) => Err(failed()),
        }
    }
}

impl EcKey {
    fn algorithm(&self) -> Der {
        der::sequence(&[&der::oid(EC), &der::oid(self.curve.oid)])
    }

    fn sec1(&self, curve: Option<&[u8]>) -> Der {
        let curve = curve.map(|oid| der::element(context(0), &[&der::oid(oid)])).unwrap_or_default();
        let point = der::element(context(1), &[&der::bit_string(&self.point)]);
        der::sequence(&[&der::small(1), &der::octet_string(&self.scalar), &curve, &point])
    }
}

/// A public key.
#[derive(PartialEq, Eq)]
pub(super) struct PublicKey {
    /// The `AlgorithmIdentifier`.
    pub(super) algorithm: Der,
    /// The content of the bit string.
    pub(super) bytes: Vec<u8>,
}

impl PublicKey {
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Self {
        let bytes = der::sequence(&[&der::unsigned(n), &der::unsigned(e)]).to_vec();
        Self { algorithm: der::sequence(&[&der::oid(RSA), &der::null()]), bytes }
    }

    pub(super) fn ec(curve: &Curve, point: Vec<u8>) -> Self {
        Self { algorithm: der::sequence(&[&der::oid(EC), &der::oid(curve.oid)]), bytes: point }
    }

    pub(super) fn ed25519(bytes: &[u8]) -> Self {
        Self { algorithm: der::sequence(&[&der::oid(ED25519)]), bytes: bytes.to_vec() }
    }

    /// The `SubjectPublicKeyInfo`.
    pub(super) fn to_der(&self) -> Der {
        der::sequence(&[&self.algorithm, &der::bit_string(&self.bytes)])
    }
}
