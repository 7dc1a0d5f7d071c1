//! What a generator may ask for. ESO has no bounds, and some of what is asked for there never ends.

/// The longest password.
pub const LONGEST_PASSWORD: i64 = 4096;

/// The most keys of one `Password`.
pub const MOST_KEYS: usize = 100;

/// The most characters of `symbolCharacters` and of the comment of a key.
pub const LONGEST_TEXT: usize = 4096;

/// The sizes of RSA keys that are made, in bits.
pub const RSA_SIZES: [i64; 4] = [2048, 3072, 4096, 8192];

/// The sizes of ECDSA keys that are made, in bits.
pub const ECDSA_SIZES: [i64; 3] = [256, 384, 521];
