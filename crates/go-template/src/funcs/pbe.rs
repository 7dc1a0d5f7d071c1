//! Password-based encryption in PKCS#12 files, with the schemes that go-pkcs12 supports.

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{
    BlockCipherDecrypt, BlockModeDecrypt as _, BlockModeEncrypt as _, InnerIvInit as _, KeyInit, KeyIvInit as _,
};
use des::TdesEde3;
use hmac::{EagerHash, Hmac, Mac as _};
use pbkdf2::pbkdf2_hmac;
use rc2::Rc2;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use super::Result;
use super::der::{self, Der, Reader};
use crate::functions::{Call, FunctionError, VolatileCall};

/// `pbeWithSHAAnd3-KeyTripleDES-CBC`, 1.2.840.113549.1.12.1.3
const TRIPLE_DES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1, 3];
/// `pbeWithSHAAnd128BitRC2-CBC`
const RC2_128: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1, 5];
/// `pbeWithSHAAnd40BitRC2-CBC`
const RC2_40: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1, 6];
/// `PBES2`, 1.2.840.113549.1.5.13
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
/// `PBKDF2`, 1.2.840.113549.1.5.12
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
/// `PBMAC1`, 1.2.840.113549.1.5.14
const PBMAC1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 14];
/// `hmacWithSHA1`, 1.2.840.113549.2.7
const HMAC_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 7];
/// `hmacWithSHA256`
const HMAC_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9];
/// `hmacWithSHA512`
const HMAC_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 11];
/// `aes128-CBC`, 2.16.840.1.101.3.4.1.2
const AES_128: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2];
/// `aes192-CBC`
const AES_192: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22];
/// `aes256-CBC`
const AES_256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];
/// `id-sha1`, 1.3.14.3.2.26
const SHA1: &[u8] = &[0x2b, 14, 3, 2, 26];
/// `id-sha256`, 2.16.840.1.101.3.4.2.1
pub(super) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
/// `id-sha512`
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];

/// The iterations in a new file, and the length of its salts, as in go-pkcs12.
pub(super) const ITERATIONS: u32 = 2048;
pub(super) const SALT_LEN: usize = 16;

/// A password in PKCS#12's form: UTF-16, big-endian, with a terminating zero.
pub(super) struct Password {
    wide: Zeroizing<Vec<u8>>,
    text: Zeroizing<String>,
}

impl Password {
    pub(super) fn new(text: &[u8]) -> Result<Self> {
        let text = Zeroizing::new(String::from_utf8_lossy(text).into_owned());
        let mut wide = wide(&text)?;
        wide.extend_from_slice(&[0, 0]);
        Ok(Self { wide, text })
    }

    /// No password, which differs from an empty one.
    pub(super) fn none() -> Self {
        Self { wide: Zeroizing::default(), text: Zeroizing::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// Text in big-endian UTF-16.
pub(super) fn wide(text: &str) -> Result<Zeroizing<Vec<u8>>> {
    let mut units = Zeroizing::new(Vec::with_capacity(2 * text.len() + 2));
    for character in text.chars() {
        let unit = u16::try_from(u32::from(character))
            .map_err(|_| FunctionError::new("pkcs12: string contains characters that cannot be encoded in UCS-2"))?;
        units.extend_from_slice(&unit.to_be_bytes());
    }
    Ok(units)
}

fn unsupported(what: &str, oid: &[u8]) -> FunctionError {
    FunctionError::new(format!("pkcs12: {what} {} is not supported", der::dotted(oid).unwrap_or_default()))
}

fn malformed() -> FunctionError {
    FunctionError::new("pkcs12: the parameters of an algorithm are malformed")
}

/// Pays for this many iterations, which the author of a file chooses.
fn pay(iterations: u32, call: &mut Call<'_>) -> Result<()> {
    Ok(call.budget.steps(100 + usize::try_from(iterations).unwrap_or(usize::MAX) / 16)?)
}

/// Decrypts data that was encrypted with the algorithm of an identifier.
pub(super) fn decrypt(mut algorithm: Reader<'_>, data: &[u8], password: &Password, call: &mut Call<'_>) -> Result<Der> {
    if data.is_empty() {
        return Err(FunctionError::new("pkcs12: empty encrypted data"));
    }
    let oid = algorithm.expect(der::OBJECT_IDENTIFIER).ok_or_else(malformed)?;
    match oid {
        PBES2 => decrypt_pbes2(algorithm, data, password, call),
        TRIPLE_DES | RC2_128 | RC2_40 => {
            let mut parameters = algorithm.nested(der::SEQUENCE).ok_or_else(malformed)?;
            let salt = parameters.expect(der::OCTET_STRING).ok_or_else(malformed)?;
            let iterations = parameters.small().ok_or_else(malformed)?;
            let mut derive = |id, len| {
                pay(iterations, call)?;
                Ok::<_, FunctionError>(derive::<Sha1>(&Source { password: &password.wide, salt, iterations, id }, len))
            };
            let iv = derive(IV, 8)?;
            match oid {
                TRIPLE_DES => decrypt_cbc::<TdesEde3>(&derive(KEY, 24)?, &iv, data),
                RC2_128 => decrypt_cbc::<Rc2>(&derive(KEY, 16)?, &iv, data),
                _ => decrypt_cbc::<Rc2>(&derive(KEY, 5)?, &iv, data),
            }
        }
        other => Err(unsupported("pbe algorithm", other)),
    }
}

fn decrypt_pbes2(mut algorithm: Reader<'_>, data: &[u8], password: &Password, call: &mut Call<'_>) -> Result<Der> {
    let mut parameters = algorithm.nested(der::SEQUENCE).ok_or_else(malformed)?;
    let derivation = parameters.nested(der::SEQUENCE).ok_or_else(malformed)?;
    let mut scheme = parameters.nested(der::SEQUENCE).ok_or_else(malformed)?;
    let cipher = scheme.expect(der::OBJECT_IDENTIFIER).ok_or_else(malformed)?;
    let iv = scheme.expect(der::OCTET_STRING).ok_or_else(malformed)?;
    let mut key = |len| pbkdf2(derivation, Some(len), password, call);
    match cipher {
        AES_256 => decrypt_cbc::<Aes256>(&key(32)?, iv, data),
        AES_192 => decrypt_cbc::<Aes192>(&key(24)?, iv, data),
        AES_128 => decrypt_cbc::<Aes128>(&key(16)?, iv, data),
        other => Err(unsupported("pbes2 algorithm", other)),
    }
}

fn decrypt_cbc<C: BlockCipherDecrypt + KeyInit>(key: &[u8], iv: &[u8], data: &[u8]) -> Result<Der> {
    let failed = || FunctionError::new("pkcs12: decryption error, incorrect padding");
    let cipher = C::new_from_slice(key).map_err(|_| malformed())?;
    let decryptor = cbc::Decryptor::<C>::inner_iv_slice_init(cipher, iv).map_err(|_| malformed())?;
    decryptor.decrypt_padded_vec::<Pkcs7>(data).map(Zeroizing::new).map_err(|_| failed())
}

/// Derives a key with the parameters of `PBKDF2`; `len` takes precedence over the length in them.
fn pbkdf2(mut algorithm: Reader<'_>, len: Option<usize>, password: &Password, call: &mut Call<'_>) -> Result<Der> {
    const MAX_LEN: u32 = 1024;
    match algorithm.expect(der::OBJECT_IDENTIFIER) {
        Some(PBKDF2) => {}
        Some(other) => return Err(unsupported("pbes2 kdf algorithm", other)),
        None => return Err(malformed()),
    }
    let mut parameters = algorithm.nested(der::SEQUENCE).ok_or_else(malformed)?;
    let salt = parameters
        .expect(der::OCTET_STRING)
        .ok_or_else(|| FunctionError::new("pkcs12: only octet string salts are supported for pbes2/pbkdf2"))?;
    let iterations = parameters.small().ok_or_else(malformed)?;
    let given = parameters.small().filter(|len| (1..=MAX_LEN).contains(len)).and_then(|len| usize::try_from(len).ok());
    let prf = parameters.nested(der::SEQUENCE).and_then(|mut prf| prf.expect(der::OBJECT_IDENTIFIER));
    let len =
        len.or(given).ok_or_else(|| FunctionError::new("pkcs12: PBMAC1 requires explicit KeyLength parameter"))?;
    for _ in 0..len.div_ceil(20) {
        pay(iterations, call)?;
    }
    let mut key = Zeroizing::new(vec![0; len]);
    match prf {
        None | Some(HMAC_SHA1) => pbkdf2_hmac::<Sha1>(password.text.as_bytes(), salt, iterations, &mut key),
        Some(HMAC_SHA256) => pbkdf2_hmac::<Sha256>(password.text.as_bytes(), salt, iterations, &mut key),
        Some(HMAC_SHA512) => pbkdf2_hmac::<Sha512>(password.text.as_bytes(), salt, iterations, &mut key),
        Some(other) => return Err(unsupported("pbes2 prf", other)),
    }
    Ok(key)
}

/// The code that proves that a file has this password.
pub(super) fn mac(
    mut algorithm: Reader<'_>,
    (salt, iterations): (&[u8], u32),
    message: &[u8],
    password: &Password,
    call: &mut Call<'_>,
) -> Result<Vec<u8>> {
    let source = Source { password: &password.wide, salt, iterations, id: MAC };
    match algorithm.expect(der::OBJECT_IDENTIFIER).ok_or_else(malformed)? {
        PBMAC1 => pbmac1(algorithm, message, password, call),
        oid @ (SHA1 | SHA256 | SHA512) => {
            pay(iterations, call)?;
            Ok(match oid {
                SHA1 => hmac::<Sha1>(&derive::<Sha1>(&source, 20), message),
                SHA256 => hmac::<Sha256>(&derive::<Sha256>(&source, 32), message),
                _ => hmac::<Sha512>(&derive::<Sha512>(&source, 64), message),
            })
        }
        other => Err(unsupported("MAC digest algorithm", other)),
    }
}

fn pbmac1(mut algorithm: Reader<'_>, message: &[u8], password: &Password, call: &mut Call<'_>) -> Result<Vec<u8>> {
    let mut parameters = algorithm.nested(der::SEQUENCE).ok_or_else(malformed)?;
    let derivation = parameters.nested(der::SEQUENCE).ok_or_else(malformed)?;
    let mut code = parameters.nested(der::SEQUENCE).ok_or_else(malformed)?;
    let key = pbkdf2(derivation, None, password, call)?;
    match code.expect(der::OBJECT_IDENTIFIER).ok_or_else(malformed)? {
        HMAC_SHA1 => Ok(hmac::<Sha1>(&key, message)),
        HMAC_SHA256 => Ok(hmac::<Sha256>(&key, message)),
        HMAC_SHA512 => Ok(hmac::<Sha512>(&key, message)),
        other => Err(unsupported("PBMAC1 MAC algorithm", other)),
    }
}

fn hmac<D: EagerHash>(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC accepts keys of any length.
    let Ok(mut mac) = Hmac::<D>::new_from_slice(key) else { return Vec::new() };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// The purpose of a key, in RFC 7292, appendix B.3.
const KEY: u8 = 1;
const IV: u8 = 2;
const MAC: u8 = 3;

/// The input of a key derivation.
struct Source<'a> {
    password: &'a [u8],
    salt: &'a [u8],
    iterations: u32,
    id: u8,
}

/// Derives a key according to RFC 7292, appendix B.2.
fn derive<D: Digest + hmac::digest::block_api::BlockSizeUser>(source: &Source<'_>, len: usize) -> Der {
    let block = <D as hmac::digest::block_api::BlockSizeUser>::block_size();
    let id = vec![source.id; block];
    let mut input = Zeroizing::new(repeated(source.salt, block));
    input.extend_from_slice(&Zeroizing::new(repeated(source.password, block)));
    let mut key = Zeroizing::new(Vec::with_capacity(len + 64));
    loop {
        let mut hash = Zeroizing::new(D::new().chain_update(&id).chain_update(&*input).finalize().to_vec());
        for _ in 1..source.iterations {
            *hash = D::digest(&*hash).to_vec();
        }
        key.extend_from_slice(&hash);
        if key.len() >= len {
            key.truncate(len);
            return key;
        }
        let addend = repeated(&hash, block);
        input.chunks_exact_mut(block).for_each(|part| add_with_one(part, addend.get(..block).unwrap_or_default()));
    }
}

/// `pattern` repeated up to a multiple of `block` bytes.
fn repeated(pattern: &[u8], block: usize) -> Vec<u8> {
    pattern.iter().copied().cycle().take(pattern.len().div_ceil(block) * block).collect()
}

/// Adds another number of the same length, and one, dropping the carry.
fn add_with_one(number: &mut [u8], addend: &[u8]) {
    let mut carry = 1;
    for (digit, other) in number.iter_mut().zip(addend).rev() {
        let sum = u16::from(*digit) + u16::from(*other) + carry;
        let [high, low] = sum.to_be_bytes();
        (carry, *digit) = (u16::from(high), low);
    }
}

/// Encrypts with AES-256 and a key of PBKDF2 with SHA-256. Returns the identifier and the data.
pub(super) fn encrypt(data: &[u8], password: &Password, call: &mut VolatileCall<'_>) -> Result<(Der, Vec<u8>)> {
    let mut salt = [0; SALT_LEN];
    let mut iv = [0; 16];
    call.random().fill_bytes(&mut salt);
    call.random().fill_bytes(&mut iv);
    pay(ITERATIONS, call)?;
    pay(ITERATIONS, call)?;
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2_hmac::<Sha256>(password.text.as_bytes(), &salt, ITERATIONS, &mut *key);
    let encryptor = cbc::Encryptor::<Aes256>::new_from_slices(&*key, &iv).map_err(|_| malformed())?;
    let encrypted = encryptor.encrypt_padded_vec::<Pkcs7>(data);

    let prf = der::sequence(&[&der::oid(HMAC_SHA256)]);
    let derivation = der::sequence(&[&der::octet_string(&salt), &der::small(ITERATIONS), &prf]);
    let derivation = der::sequence(&[&der::oid(PBKDF2), &derivation]);
    let scheme = der::sequence(&[&der::oid(AES_256), &der::octet_string(&iv)]);
    let parameters = der::sequence(&[&derivation, &scheme]);
    Ok((der::sequence(&[&der::oid(PBES2), &parameters]), encrypted))
}
