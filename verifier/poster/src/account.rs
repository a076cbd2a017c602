//! The account that signs: read from a file or the environment, never from arguments, and never shown.

use crate::PosterError;
use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use std::{env, fs, path::Path};
use zeroize::Zeroizing;

/// The environment variable that holds the key when no file is named.
pub const KEY_VARIABLE: &str = "NIGHTINGALE_POSTER_KEY";

/// A signing account. No `Debug`; the key is zeroed when it is dropped.
#[derive(Clone)]
pub struct Account(PrivateKeySigner);

/// A signed transaction: its hash and the bytes that a node takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) hash: B256,
    pub(crate) raw: Bytes,
}

impl Account {
    /// The account of a key file, or of the environment variable [`KEY_VARIABLE`] where none is named.
    ///
    /// # Errors
    /// Neither is there, the file can be read by others, or it does not hold a key.
    pub fn find(file: Option<&Path>) -> Result<Self, PosterError> {
        match file {
            Some(path) => Self::from_file(path),
            None => match env::var(KEY_VARIABLE) {
                Ok(text) => Self::from_hex(&Zeroizing::new(text)),
                Err(_) => Err(PosterError::SigningKey(format!(
                    "there is none; put it into a file for --key-file, or into {KEY_VARIABLE}"
                ))),
            },
        }
    }

    /// Reads a file that holds 64 hexadecimal digits, with or without `0x`.
    ///
    /// # Errors
    /// The file cannot be read, can be read by others, or holds something else.
    pub fn from_file(path: &Path) -> Result<Self, PosterError> {
        let io = |source| PosterError::Io { path: path.to_owned(), source };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(path).map_err(io)?.permissions().mode();
            if mode & 0o077 != 0 {
                let path = path.display();
                return Err(PosterError::SigningKey(format!("others may read {path}; run chmod 600 {path}")));
            }
        }
        Self::from_hex(&Zeroizing::new(fs::read_to_string(path).map_err(io)?))
    }

    /// From 64 hexadecimal digits, with or without `0x`.
    ///
    /// # Errors
    /// Anything else.
    pub fn from_hex(text: &str) -> Result<Self, PosterError> {
        // The parser's own words could repeat what it read.
        let signer = text.trim().parse::<PrivateKeySigner>();
        signer
            .map(Self)
            .map_err(|_| PosterError::SigningKey("must be 64 hexadecimal digits of a secp256k1 key".into()))
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.0.address()
    }

    /// Signs a digest, in the 64 bytes of EIP-2098.
    ///
    /// # Errors
    /// The signer's own.
    pub fn sign_digest(&self, digest: B256) -> Result<[u8; 64], PosterError> {
        Ok(self.sign(digest)?.as_erc2098())
    }

    pub(crate) fn sign_transaction(&self, transaction: TxEip1559) -> Result<Signed, PosterError> {
        let signature = self.sign(transaction.signature_hash())?;
        let signed = transaction.into_signed(signature);
        Ok(Signed { hash: *signed.hash(), raw: signed.encoded_2718().into() })
    }

    fn sign(&self, digest: B256) -> Result<alloy_primitives::Signature, PosterError> {
        self.0
            .sign_hash_sync(&digest)
            .map_err(|error| PosterError::SigningKey(format!("cannot sign: {error}")))
    }
}
