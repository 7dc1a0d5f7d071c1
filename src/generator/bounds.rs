//! What a generator may ask for. ESO has no bounds, and some of what is asked for there never ends.

/// The longest password.
pub const LONGEST_PASSWORD: i64 = 4096;

/// The most keys of one `Password`.
pub const MOST_KEYS: usize = 100;

/// The most characters of `symbolCharacters` and of the comment of a key.
pub const LONGEST_TEXT: usize = 4096;

/// The most bytes that the specs of all generators of one ExternalSecret have together, each as often as it is named. What is read of a
/// text takes some ten times its memory.
pub const MOST_TEXT: usize = 256 << 10;

/// The sizes of RSA keys that are made, in bits.
pub const RSA_SIZES: [i64; 4] = [2048, 3072, 4096, 8192];

/// The sizes of ECDSA keys that are made, in bits.
pub const ECDSA_SIZES: [i64; 3] = [256, 384, 521];
