//! PFX files, also called PKCS#12 (RFC 7292), for use outside of templates. Uses the reader of the template functions,
//! which pays in advance for what a file demands.

use zeroize::Zeroizing;

use super::pbe::Password;
use super::pkcs12::{self, CERT_BAG, KEY_BAG, SHROUDED_KEY_BAG};
use crate::budget::{Allowance, Budget, Limits};
use crate::environment::Environment;
use crate::functions::{Call, FunctionError, State};

/// The most hash iterations in all parts of a file together. Tools use some thousands per part; this takes about a
/// second.
pub const MOST_ITERATIONS: usize = 4_000_000;

/// Iterations per step.
const ITERATIONS_PER_STEP: usize = 16;

/// The most keys in a file.
const MOST_KEYS: usize = 4;

/// The contents of a file.
#[derive(Default)]
pub struct Contents {
    /// The certificates in DER, in the file's order.
    pub certificates: Vec<Vec<u8>>,
    /// The keys in PKCS#8.
    pub keys: Vec<Zeroizing<Vec<u8>>>,
}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is not a PFX file, or of an unsupported kind.
    #[error("it is not a PFX file of a supported kind")]
    Malformed,
    /// It is encrypted with another password.
    #[error("the password is not that of the file")]
    WrongPassword,
    /// It demands more hashing than [`MOST_ITERATIONS`], or has too many keys.
    #[error("it asks for more than {MOST_ITERATIONS} iterations, or has more than {MOST_KEYS} keys")]
    TooCostly,
}

impl From<FunctionError> for Unreadable {
    fn from(error: FunctionError) -> Self {
        match error {
            FunctionError::Exceeded(_) => Self::TooCostly,
            FunctionError::Failed(_) => Self::Malformed,
        }
    }
}

/// Reads a file with this password.
///
/// # Errors
/// If it cannot be read.
pub fn read(file: &[u8], password: &str) -> Result<Contents, Unreadable> {
    let limits = Limits { steps: MOST_ITERATIONS / ITERATIONS_PER_STEP + 10_000, ..Limits::default() };
    let (mut budget, mut state) = (Budget::new(limits, &Allowance::new(), &Environment::system()), State::default());
    let call = &mut Call::new(&mut budget, &mut state);
    let wrong_password = |error: FunctionError| match error {
        FunctionError::Failed(message) if pkcs12::is_of_password(&message) => Unreadable::WrongPassword,
        other => other.into(),
    };
    let (bags, password) =
        pkcs12::read_bags(file, Password::new(password.as_bytes())?, call).map_err(wrong_password)?;
    let mut contents = Contents::default();
    for bag in bags {
        let key = match &*bag.kind {
            CERT_BAG => {
                contents.certificates.push(pkcs12::read_certificate(&bag.content)?.raw);
                continue;
            }
            KEY_BAG => Zeroizing::new(bag.content.to_vec()),
            SHROUDED_KEY_BAG => pkcs12::decrypt_key(&bag.content, &password, call).map_err(wrong_password)?,
            _ => continue,
        };
        if contents.keys.len() == MOST_KEYS {
            return Err(Unreadable::TooCostly);
        }
        contents.keys.push(key);
    }
    Ok(contents)
}
