//! The keys themselves, made by aws-lc-rs.

use aws_lc_rs::encoding::{AsBigEndian, AsDer as _, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use rand::RngExt as _;
use zeroize::Zeroizing;

use super::openssh::{Fields, mpint};
use crate::generator::MintError;

/// A pair of keys in the fields of SSH.
pub(super) struct Made {
    pub(super) public: Fields,
    pub(super) private: Fields,
}

/// RSA of one of the sizes that are made.
#[allow(clippy::many_single_char_names, reason = "the names of RFC 8017")]
pub(super) fn rsa(size: i64) -> Result<Made, MintError> {
    let size = match size {
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        8192 => KeySize::Rsa8192,
        _ => KeySize::Rsa2048,
    };
    let pair = RsaKeyPair::generate(size).map_err(|_| MintError::KeyGeneration)?;
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| MintError::KeyGeneration)?;
    let [n, e, d, p, q, _dp, _dq, iqmp] = rsa_numbers(pkcs8.as_ref()).ok_or(MintError::KeyGeneration)?;
    let algorithm = "ssh-rsa";
    Ok(Made {
        public: Fields { algorithm, fields: vec![mpint(e), mpint(n)] },
        private: Fields { algorithm, fields: [n, e, d, iqmp, p, q].map(mpint).into() },
    })
}

/// ECDSA on the curve of one of the sizes that are made.
pub(super) fn ecdsa(size: i64) -> Result<Made, MintError> {
    let (algorithm, curve, signing): (_, _, &'static EcdsaSigningAlgorithm) = match size {
        384 => ("ecdsa-sha2-nistp384", "nistp384", &signature::ECDSA_P384_SHA384_ASN1_SIGNING),
        521 => ("ecdsa-sha2-nistp521", "nistp521", &signature::ECDSA_P521_SHA512_ASN1_SIGNING),
        _ => ("ecdsa-sha2-nistp256", "nistp256", &signature::ECDSA_P256_SHA256_ASN1_SIGNING),
    };
    let pair = EcdsaKeyPair::generate(signing).map_err(|_| MintError::KeyGeneration)?;
    let scalar: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().map_err(|_| MintError::KeyGeneration)?;
    let plain = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
    let (curve, point) = (plain(curve.as_bytes()), plain(pair.public_key().as_ref()));
    Ok(Made {
        public: Fields { algorithm, fields: vec![curve.clone(), point.clone()] },
        private: Fields { algorithm, fields: vec![curve, point, mpint(scalar.as_ref())] },
    })
}

/// Ed25519.
pub(super) fn ed25519(random: &mut impl rand::CryptoRng) -> Result<Made, MintError> {
    let mut seed = Zeroizing::new([0; 32]);
    random.fill(&mut *seed);
    let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| MintError::KeyGeneration)?;
    let public = Zeroizing::new(pair.public_key().as_ref().to_vec());
    // The seed, and the public key after it.
    let mut both = Zeroizing::new(Vec::with_capacity(seed.len() + public.len()));
    both.extend_from_slice(&*seed);
    both.extend_from_slice(&public);
    let algorithm = "ssh-ed25519";
    Ok(Made {
        public: Fields { algorithm, fields: vec![public.clone()] },
        private: Fields { algorithm, fields: vec![public, both] },
    })
}

/// The numbers n, e, d, p, q, dp, dq and qi of an RSA key in PKCS#8 (RFC 5208, and RFC 8017, appendix A.1.2).
fn rsa_numbers(pkcs8: &[u8]) -> Option<[&[u8]; 8]> {
    const INTEGER: u8 = 0x02;
    const OCTET_STRING: u8 = 0x04;
    const SEQUENCE: u8 = 0x30;
    let (info, _) = element(pkcs8, SEQUENCE)?;
    let (_version, rest) = element(info, INTEGER)?;
    let (_algorithm, rest) = element(rest, SEQUENCE)?;
    let (key, _) = element(rest, OCTET_STRING)?;
    let (numbers, _) = element(key, SEQUENCE)?;
    let (_version, mut rest) = element(numbers, INTEGER)?;
    let mut found = [&[] as &[u8]; 8];
    for number in &mut found {
        (*number, rest) = element(rest, INTEGER)?;
    }
    Some(found)
}

/// The content of the element of DER at the beginning, if it has this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..0x80 => (usize::from(short), rest),
        long => {
            let (bytes, rest) =
                rest.split_at_checked(usize::from(long & 0x7f)).filter(|(bytes, _)| bytes.len() <= 4)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    (*found == tag).then_some((content, rest))
}
