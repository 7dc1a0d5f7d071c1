//! Limits for generators. ESO has none, and some requests to it never end.

/// The longest password.
pub const LONGEST_PASSWORD: i64 = 4096;

/// The most keys of one `Password`.
pub const MOST_KEYS: usize = 100;

/// The most characters in `symbolCharacters` and in the comment of a key.
pub const LONGEST_TEXT: usize = 4096;

/// The most bytes in the specs of all generators of one ExternalSecret, each counted as often as it is named. Parsing
/// takes about ten times the memory of the text.
pub const MOST_TEXT: usize = 256 << 10;

/// The supported sizes of RSA keys, in bits.
pub const RSA_SIZES: [i64; 4] = [2048, 3072, 4096, 8192];

/// The supported sizes of ECDSA keys, in bits.
pub const ECDSA_SIZES: [i64; 3] = [256, 384, 521];
