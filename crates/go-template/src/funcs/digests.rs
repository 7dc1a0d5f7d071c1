//! Checksums and password hashes.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use super::{Result, Table, hex, mismatch};
use crate::functions::{Call, Function, FunctionError, VolatileCall};
use crate::value::{Type, Uint, Value};

const TEXT: Type = Type::String;
const UINT32: Type = Type::Uint(Uint::Uint32);

pub(super) const TABLE: Table = &[
    ("adler32sum", Function::fixed(&[TEXT], |arguments, _| sum(arguments, |text| adler32(text).to_string()))),
    ("bcrypt", Function::volatile(&[TEXT], bcrypt)),
    ("derivePassword", Function::fixed(&[UINT32, TEXT, TEXT, TEXT, TEXT], derive_password)),
    ("htpasswd", Function::volatile(&[TEXT, TEXT, TEXT], htpasswd)),
    ("sha1sum", Function::fixed(&[TEXT], |arguments, _| sum(arguments, hashed::<Sha1>))),
    ("sha256sum", Function::fixed(&[TEXT], |arguments, _| sum(arguments, hashed::<Sha256>))),
    ("sha512sum", Function::fixed(&[TEXT], |arguments, _| sum(arguments, hashed::<Sha512>))),
];

fn sum(arguments: &[Value], sum: fn(&[u8]) -> String) -> Result {
    let [Value::String(text)] = arguments else { return Err(mismatch()) };
    Ok(Value::string(&sum(text)))
}

fn hashed<D: Digest>(text: &[u8]) -> String {
    hex(&D::digest(text))
}

/// The checksum of RFC 1950.
fn adler32(text: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    let (a, b) = text.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % MODULUS;
        (a, (b + a) % MODULUS)
    });
    b << 16 | a
}

/// A hash of a password with Go's default cost.
fn bcrypt(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    let [Value::String(password)] = arguments else { return Err(mismatch()) };
    Ok(Value::string(&hash_password(password, call)?))
}

fn hash_password(password: &[u8], call: &mut VolatileCall<'_>) -> Result<String> {
    const COST: u32 = 10;
    const MAX_LEN: usize = 72;
    if password.len() > MAX_LEN {
        // As in sprig, which returns the error as the hash.
        return Ok("failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".to_owned());
    }
    // The cost allows a password file with a hundred users in one rendering.
    call.budget.steps(8000)?;
    let mut salt = [0; 16];
    call.random().fill_bytes(&mut salt);
    let hash = bcrypt::hash_with_salt(password, COST, salt)
        .map_err(|_| FunctionError::new("failed to encrypt string with bcrypt"))?;
    Ok(hash.format_for_version(bcrypt::Version::TwoA))
}

/// A line of a password file. The hash is bcrypt's or, with `sha`, SHA-1.
fn htpasswd(arguments: &[Value], call: &mut VolatileCall<'_>) -> Result {
    let [Value::String(user), Value::String(password), Value::String(algorithm)] = arguments else {
        return Err(mismatch());
    };
    if user.contains(&b':') {
        return Ok(Value::String([b"invalid username: ", &**user].concat().into()));
    }
    let hash = match &**algorithm {
        b"sha" => format!("{{SHA}}{}", STANDARD.encode(Sha1::digest(&**password))),
        _ => hash_password(password, call)?,
    };
    Ok(Value::String([&**user, b":", hash.as_bytes()].concat().into()))
}

/// Held while a key is derived.
static SCRYPT: Mutex<()> = Mutex::new(());

/// A password of Master Password, version 1, from a counter, a type, the master password, the user and the site.
fn derive_password(arguments: &[Value], call: &mut Call<'_>) -> Result {
    const SEED: &[u8] = b"com.lyndir.masterpassword";
    let [
        Value::Uint(_, counter),
        Value::String(kind),
        Value::String(password),
        Value::String(user),
        Value::String(site),
    ] = arguments
    else {
        return Err(mismatch());
    };
    let Some(templates) = templates(kind) else {
        return Ok(Value::String([b"cannot find password template ", &**kind].concat().into()));
    };
    let failed = || FunctionError::new("failed to derive password");
    let len = |text: &[u8]| u32::try_from(text.len()).map(u32::to_be_bytes).map_err(|_| failed());
    let counter = u32::try_from(*counter).map_err(|_| failed())?.to_be_bytes();

    call.budget.steps(100_000)?;
    let salt = [SEED, &len(user)?, user].concat();
    let mut key = Zeroizing::new([0; 64]);
    let parameters = scrypt::Params::new(15, 8, 2).map_err(|_| failed())?;
    {
        // It takes 32 MiB, which two threads need not do at the same time.
        let _one_at_a_time = SCRYPT.lock().unwrap_or_else(PoisonError::into_inner);
        scrypt::scrypt(password, &salt, &parameters, &mut *key).map_err(|_| failed())?;
    }

    let mut mac = Hmac::<Sha256>::new_from_slice(&*key).map_err(|_| failed())?;
    mac.update(&[SEED, &len(site)?, site, &counter].concat());
    let seed = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
    let (first, rest) = seed.split_first().ok_or_else(failed)?;
    let template = choose(templates, *first).ok_or_else(failed)?;
    let character = |(class, byte): (u8, &u8)| choose(characters(class), *byte).copied();
    let derived: Option<Vec<u8>> = template.bytes().zip(rest).map(character).collect();
    Ok(Value::String(derived.ok_or_else(failed)?.into()))
}

fn choose<T>(choices: &[T], byte: u8) -> Option<&T> {
    choices.get(usize::from(byte).checked_rem(choices.len())?)
}

/// The templates of a type of password, in which a letter stands for a class of characters.
fn templates(kind: &[u8]) -> Option<&'static [&'static str]> {
    Some(match kind {
        b"maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        b"long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        b"medium" => &["CvcnoCvc", "CvcCvcno"],
        b"short" => &["Cvcn"],
        b"basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        b"pin" => &["nnnn"],
        _ => return None,
    })
}

/// The characters of a class.
const fn characters(class: u8) -> &'static [u8] {
    match class {
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        b'x' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
        _ => b"",
    }
}
