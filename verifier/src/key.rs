//! Verifying keys: their file format, their digest, and the directory they are kept in.
//!
//! A key file is `NGVK`, a version byte (1), the kind (1 development, 2 production), the length of the class name and
//! the name, the number of public inputs (two bytes), then alpha (G1), beta, gamma, delta (G2) and one G1 point for
//! the constant and each input, all as in EIP-197. The key's digest is the SHA-256 of the whole file, so it names the
//! class and the kind as well.

use crate::{
    VerifyError, development,
    encoding::{Reader, g1_to_words, g2_to_words},
    groth16::Prepared,
};
use ark_bn254::{Bn254, Fr};
use ark_ec::AffineRepr;
use ark_groth16::Proof;
use nightingale_circuits::claim::{SizeClass, public::FIXED_INPUTS};
use sha2::{Digest, Sha256};
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

const MAGIC: [u8; 4] = *b"NGVK";
const VERSION: u8 = 1;

/// SHA-256 of a verifying key file: a key's address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest(pub [u8; 32]);

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyDigest({self})")
    }
}

impl FromStr for KeyDigest {
    type Err = VerifyError;

    fn from_str(text: &str) -> Result<Self, VerifyError> {
        let bad = || VerifyError::malformed("key digest", "must be 64 lower-case hexadecimal digits");
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(bad());
        }
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map_err(|_| bad())?;
        Ok(Self(digest))
    }
}

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// From a public seed: anybody can forge proofs under it. For development and demonstration only.
    Development,
    /// From a ceremony.
    Production,
}

impl KeyKind {
    /// Its name in files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }

    /// What is to be said beside everything that a proof under such a key is shown by.
    #[must_use]
    pub const fn warning(self) -> Option<&'static str> {
        match self {
            Self::Development => Some("anybody can forge its proofs"),
            Self::Production => None,
        }
    }

    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Development => 1,
            Self::Production => 2,
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Development),
            2 => Some(Self::Production),
            _ => None,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyKind {
    type Err = VerifyError;

    fn from_str(text: &str) -> Result<Self, VerifyError> {
        let named = [Self::Development, Self::Production].into_iter().find(|kind| kind.name() == text);
        named.ok_or_else(|| VerifyError::malformed("key kind", "must be `development` or `production`"))
    }
}

/// The class with this name.
///
/// # Errors
/// There is none.
pub fn class_from_name(name: &str) -> Result<SizeClass, VerifyError> {
    let named = SizeClass::ALL.into_iter().find(|class| class.name() == name);
    named.ok_or_else(|| VerifyError::malformed("class", "must be `claim-2` or `claim-8`"))
}

/// Public inputs of a class.
#[must_use]
pub const fn public_inputs(class: SizeClass) -> usize {
    FIXED_INPUTS + class.lines()
}

/// A checked verifying key of one size class, prepared for verification.
#[derive(Clone)]
pub struct VerifyingKey {
    class: SizeClass,
    kind: KeyKind,
    digest: KeyDigest,
    groth16: ark_groth16::VerifyingKey<Bn254>,
    prepared: Prepared,
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}, {}, {})", self.class.name(), self.kind, self.digest)
    }
}

impl VerifyingKey {
    /// Checks a key and prepares it.
    ///
    /// # Errors
    /// A number of inputs that is not the class's; a point that is infinite; two of beta, gamma and delta that are equal or opposite, with
    /// which anybody can forge; a production key that has a point of the development secrets.
    pub fn new(
        class: SizeClass,
        kind: KeyKind,
        groth16: ark_groth16::VerifyingKey<Bn254>,
    ) -> Result<Self, VerifyError> {
        let inputs = public_inputs(class);
        if groth16.gamma_abc_g1.len() != inputs + 1 {
            return Err(VerifyError::UnsafeKey("its number of public inputs is not its class's"));
        }
        let [beta, gamma, delta] = [groth16.beta_g2, groth16.gamma_g2, groth16.delta_g2];
        if groth16.alpha_g1.is_zero() || [beta, gamma, delta].iter().any(AffineRepr::is_zero) {
            return Err(VerifyError::UnsafeKey("one of its points is infinite"));
        }
        // With I the inputs' sum: gamma = delta accepts (alpha, beta, -I), beta = gamma (alpha + I, beta + delta, alpha + I) and
        // beta = delta (I, gamma, -alpha), each up to signs.
        if beta.x == gamma.x || gamma.x == delta.x || delta.x == beta.x {
            return Err(VerifyError::UnsafeKey(
                "two of beta, gamma and delta are equal or opposite, so anybody can forge proofs",
            ));
        }
        if groth16.gamma_abc_g1.iter().any(AffineRepr::is_zero) {
            return Err(VerifyError::UnsafeKey("it does not bind one of the public inputs"));
        }
        if kind == KeyKind::Production {
            development::refuse_claim_key(&groth16)?;
        }
        let prepared = Prepared::new(&groth16);
        let digest = KeyDigest(Sha256::digest(encode(class, kind, &groth16)).into());
        Ok(Self { class, kind, digest, groth16, prepared })
    }

    /// Reads a key file, to its last byte.
    ///
    /// # Errors
    /// Whatever is not exactly a key file, and what [`VerifyingKey::new`] refuses.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VerifyError> {
        let mut reader = Reader::new(bytes);
        let unreadable = |problem: &str| VerifyError::Unreadable {
            what: "verifying key file",
            problem: problem.to_owned(),
        };
        if reader.take("magic").ok() != Some(MAGIC) {
            return Err(unreadable("it does not start with NGVK"));
        }
        if reader.byte("version")? != VERSION {
            return Err(unreadable("its version is unknown; update this program"));
        }
        let kind = KeyKind::from_byte(reader.byte("kind")?)
            .ok_or_else(|| VerifyError::malformed("kind", "must be 1 (development) or 2 (production)"))?;
        let length = reader.byte("class")?;
        let name =
            (0..length).map(|_| reader.byte("class").map(char::from)).collect::<Result<String, _>>()?;
        let class = class_from_name(&name)?;
        let inputs = u16::from_be_bytes(reader.take("inputs")?);
        if usize::from(inputs) != public_inputs(class) {
            return Err(VerifyError::malformed("inputs", "is not the class's number of public inputs"));
        }
        let alpha_g1 = reader.g1("alpha")?;
        let beta_g2 = reader.g2("beta")?;
        let gamma_g2 = reader.g2("gamma")?;
        let delta_g2 = reader.g2("delta")?;
        let gamma_abc_g1 =
            (0..=inputs).map(|i| reader.g1(&format!("input {i}"))).collect::<Result<_, _>>()?;
        reader.end()?;
        let groth16 = ark_groth16::VerifyingKey { alpha_g1, beta_g2, gamma_g2, delta_g2, gamma_abc_g1 };
        Self::new(class, kind, groth16)
    }

    /// The key file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self.class, self.kind, &self.groth16)
    }

    /// Its address.
    #[must_use]
    pub const fn digest(&self) -> KeyDigest {
        self.digest
    }

    /// Where it comes from.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The class that it verifies.
    #[must_use]
    pub const fn class(&self) -> SizeClass {
        self.class
    }

    /// The bare Groth16 key.
    #[must_use]
    pub const fn groth16(&self) -> &ark_groth16::VerifyingKey<Bn254> {
        &self.groth16
    }

    /// Whether the pairing equation holds for these inputs. This alone says nothing about a claim: see
    /// [`verify_claim`](crate::verify_claim).
    #[must_use]
    pub fn accepts(&self, proof: &Proof<Bn254>, inputs: &[Fr]) -> bool {
        self.prepared.accepts(proof, inputs)
    }
}

fn encode(class: SizeClass, kind: KeyKind, key: &ark_groth16::VerifyingKey<Bn254>) -> Vec<u8> {
    let name = class.name();
    let mut out = MAGIC.to_vec();
    // A class name has a few letters and a class a few inputs: both lengths fit.
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    let inputs = u16::try_from(public_inputs(class)).unwrap_or(u16::MAX);
    out.extend([VERSION, kind.byte(), length]);
    out.extend(name.bytes());
    out.extend(inputs.to_be_bytes());
    out.extend(g1_to_words(&key.alpha_g1).iter().flatten());
    for point in [&key.beta_g2, &key.gamma_g2, &key.delta_g2] {
        out.extend(g2_to_words(point).iter().flatten().flatten());
    }
    for point in &key.gamma_abc_g1 {
        out.extend(g1_to_words(point).iter().flatten());
    }
    out
}

/// The file of a verifying key in a key directory.
#[must_use]
pub fn file_name(class: SizeClass, digest: KeyDigest) -> String {
    format!("{}.{digest}.vk", class.name())
}

/// A directory of verifying key files, each at `<class>.<digest>.vk`.
#[derive(Clone, Debug)]
pub struct KeyDirectory(PathBuf);

impl KeyDirectory {
    /// Keys in `path`; nothing is read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Reads the key with this digest.
    ///
    /// # Errors
    /// No such file, one that cannot be read, or one whose digest is not its name's.
    pub fn key(&self, class: SizeClass, digest: KeyDigest) -> Result<VerifyingKey, VerifyError> {
        let path = self.0.join(file_name(class, digest));
        let bytes = std::fs::read(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => {
                VerifyError::UnknownKey { class: class.name(), digest, directory: self.0.clone() }
            }
            _ => VerifyError::Io { path: path.clone(), source },
        })?;
        let found = KeyDigest(Sha256::digest(&bytes).into());
        if found != digest {
            let problem =
                "is not the key that its name says: the file is corrupt or was replaced; get it again";
            return Err(VerifyError::malformed(path.display().to_string(), problem));
        }
        VerifyingKey::from_bytes(&bytes)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}
