//! Encryption and decryption of texts.

use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::{NoPadding, Pkcs7};
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use rsa::Oaep;
use rsa::traits::PublicKeyParts as _;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use super::keys::{self, PrivateKey};
use super::{Result, Table, mismatch, pem, while_doing};
use crate::functions::{Call, Function, FunctionError, VolatileCall};
use crate::value::{Type, Value};

const TEXT: Type = Type::String;

pub(super) const TABLE: Table = &[
    ("decryptAES", Function::fixed(&[TEXT, TEXT], decrypt_aes)),
    ("encryptAES", Function::volatile(&[TEXT, TEXT], encrypt_aes)),
    ("rsaDecrypt", Function::fixed(&[TEXT, TEXT, TEXT, TEXT], rsa_decrypt)),
];

/// The block size of AES in bytes.
const BLOCK: usize = 16;

/// The first 32 bytes of the password, padded with zeros.
fn aes_key(password: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    key.iter_mut().zip(password).for_each(|(place, byte)| *place = *byte);
    key
}

/// AES-256-CBC in Base64: the initialization vector, then the text.
fn encrypt_aes(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    let [Value::String(password), Value::String(text)] = arguments else { return Err(mismatch()) };
    if text.is_empty() {
        return Ok(Value::string(""));
    }
    call.budget.room(text.len().saturating_mul(4))?;
    let mut iv = [0; BLOCK];
    call.random().fill_bytes(&mut iv);
    let encryptor = cbc::Encryptor::<Aes256>::new_from_slices(&*aes_key(password), &iv);
    let encryptor = encryptor.map_err(|_| FunctionError::new("the key does not fit"))?;
    let encrypted = [iv.as_slice(), &encryptor.encrypt_padded_vec::<Pkcs7>(text)].concat();
    Ok(Value::string(&STANDARD.encode(encrypted)))
}

/// Decrypts the result of `encryptAES`. As in sprig, only the last byte of the padding is checked.
fn decrypt_aes(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(password), Value::String(text)] = arguments else { return Err(mismatch()) };
    if text.is_empty() {
        return Ok(Value::string(""));
    }
    call.budget.room(text.len().saturating_mul(4))?;
    let failed = || FunctionError::new("the text is not encrypted with this password by encryptAES");
    let encrypted = pem::standard_base64(text).ok_or_else(|| FunctionError::new("the text is not Base64"))?;
    let (iv, encrypted) = encrypted.split_at_checked(BLOCK).ok_or_else(failed)?;
    let decryptor = cbc::Decryptor::<Aes256>::new_from_slices(&*aes_key(password), iv).map_err(|_| failed())?;
    let decrypted = decryptor.decrypt_padded_vec::<NoPadding>(encrypted).map(Zeroizing::new).map_err(|_| failed())?;
    let padding = usize::from(*decrypted.last().ok_or_else(failed)?);
    let end = decrypted.len().checked_sub(padding).ok_or_else(failed)?;
    Ok(Value::String(decrypted.get(..end).unwrap_or_default().into()))
}

/// Decrypts with RSA-OAEP or, with the scheme `None`, not at all.
fn rsa_decrypt(arguments: &[Value], call: &mut Call<'_>) -> Result {
    let [Value::String(scheme), Value::String(hash), Value::String(text), Value::String(key)] = arguments else {
        return Err(mismatch());
    };
    match &**scheme {
        b"None" => return Ok(Value::String(text.clone())),
        b"RSA-OAEP" => {}
        _ => return Err(FunctionError::new("decryption scheme is not supported: use None or RSA-OAEP")),
    }
    pem::pay(key, call)?;
    let (block, _) = pem::decode(key).ok_or_else(|| FunctionError::new("failed to decode PEM block"))?;
    let key =
        PrivateKey::from_der(&block.bytes, call).map_err(|error| while_doing("could not parse private key", error))?;
    let PrivateKey::Rsa(key) = key else { return Err(FunctionError::new("could not parse RSA private key")) };
    keys::pay_for_rsa(key.key.size() * 8, call)?;
    let decrypted = match &**hash {
        b"SHA1" => key.key.decrypt(Oaep::<Sha1>::new(), text),
        b"SHA512" => key.key.decrypt(Oaep::<Sha512>::new(), text),
        _ => key.key.decrypt(Oaep::<Sha256>::new(), text),
    };
    let decrypted = decrypted.map_err(|_| FunctionError::new("error decrypting data with RSA"))?;
    Ok(Value::String(Zeroizing::new(decrypted).into()))
}
