//! BLAKE2b-512 digests: of files, as `b2sum` prints them, and of contributions, as snarkjs prints them.

use blake2::{Blake2b512, Digest};
use std::{fmt, str::FromStr};

/// Bytes of a BLAKE2b-512 digest.
pub(super) const LENGTH: usize = 64;

fn parse(text: &str) -> Option<[u8; LENGTH]> {
    // snarkjs prints groups of eight digits on four lines.
    let digits: String = text.split_whitespace().collect();
    let mut bytes = [0; LENGTH];
    hex::decode_to_slice(digits.to_ascii_lowercase(), &mut bytes).ok()?;
    Some(bytes)
}

macro_rules! digest {
    ($(#[$about:meta])* $name:ident) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub [u8; LENGTH]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl FromStr for $name {
            type Err = &'static str;

            /// Reads 128 hexadecimal digits, with blanks between them or not.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse(text).map(Self).ok_or("expected 128 hexadecimal digits: a BLAKE2b digest of 64 bytes")
            }
        }
    };
}

digest!(
    /// What `b2sum` prints of a file.
    FileDigest
);
digest!(
    /// What snarkjs prints as `contribution hash`.
    ContributionHash
);

impl FileDigest {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Blake2b512::digest(bytes).into())
    }
}
