//! A file sealed under its tenant's data key, in chunks: bounded memory on both ways, and no plaintext before its chunk was verified.
//!
//! `NGSF1`, the key's version (4 bytes), the file's salt (32), the length of the content (8), all big-endian; then chunks of 64 KiB, each followed by
//! its tag. The file's own key comes from data key and salt, so that a chunk's nonce is its number and whether it is the last: chunks can be neither
//! reordered nor dropped, nor can the file be cut at a chunk. Every chunk is bound to the header and to what the file is.

use crate::{error::StoreError, store::seal::Seal};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce, aead::AeadInOut};
use std::io::{Error, ErrorKind, Read, Result};
use zeroize::Zeroizing;

const MAGIC: [u8; 5] = *b"NGSF1";
const HEADER_BYTES: usize = MAGIC.len() + 4 + 32 + 8;
const CHUNK_BYTES: usize = 1 << 16;
const TAG_BYTES: usize = 16;

/// What a sealed file is: it opens as nothing else.
#[derive(Clone, Copy)]
pub struct Purpose<'a> {
    /// The dataset's digest.
    pub dataset: &'a [u8; 32],
    /// The file's name in its folder.
    pub name: &'a str,
}

impl Purpose<'_> {
    /// Header, dataset and tenant have fixed lengths or an end of their own; the name is last.
    fn bound(&self, header: &[u8; HEADER_BYTES], tenant: &str) -> Vec<u8> {
        [header.as_slice(), self.dataset, tenant.as_bytes(), b"\0", self.name.as_bytes()].concat()
    }
}

/// Chunk by chunk: the key, what each is bound to, and how far it is.
struct Chunks {
    cipher: XChaCha20Poly1305,
    bound: Vec<u8>,
    number: u64,
}

impl Chunks {
    fn new(seal: &Seal, purpose: Purpose<'_>, header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let version = header.get(MAGIC.len()..)?.first_chunk::<4>()?;
        let salt = header.get(MAGIC.len() + 4..)?.first_chunk::<32>()?;
        let key = seal.file_key(u32::from_be_bytes(*version), salt)?;
        let bound = purpose.bound(header, seal.tenant().as_str());
        Some(Self { cipher: XChaCha20Poly1305::new(&(*key).into()), bound, number: 0 })
    }

    /// The nonce of the next chunk.
    fn nonce(&mut self, is_last: bool) -> XNonce {
        let mut nonce = [0; 24];
        nonce[..8].copy_from_slice(&self.number.to_be_bytes());
        nonce[8] = u8::from(is_last);
        self.number += 1;
        XNonce::from(nonce)
    }
}

/// The sealed form of what a reader gives.
pub struct Sealing<R> {
    inner: R,
    /// Content that was not read yet.
    left: u64,
    chunks: Chunks,
    /// Sealed bytes, and how many of them were given.
    out: Vec<u8>,
    given: usize,
    is_done: bool,
}

impl<R: Read> Sealing<R> {
    /// Seals `length` bytes of `inner` under the tenant's newest data key.
    ///
    /// # Errors
    /// None in practice: the newest key is there.
    pub fn new(
        inner: R,
        length: u64,
        seal: &Seal,
        purpose: Purpose<'_>,
    ) -> std::result::Result<Self, StoreError> {
        let salt: [u8; 32] = rand::random();
        let header = [MAGIC.as_slice(), &seal.version().to_be_bytes(), &salt, &length.to_be_bytes()].concat();
        let fixed: [u8; HEADER_BYTES] = header.as_slice().try_into().map_err(|_| StoreError::Sealed)?;
        let chunks = Chunks::new(seal, purpose, &fixed).ok_or(StoreError::Sealed)?;
        Ok(Self { inner, left: length, chunks, out: header, given: 0, is_done: false })
    }

    fn next_chunk(&mut self) -> Result<()> {
        let length = self.left.min(CHUNK_BYTES as u64);
        // Plaintext becomes ciphertext where it lies; what fails half-way is wiped.
        let mut chunk = Zeroizing::new(vec![0; length as usize]);
        self.inner.read_exact(&mut chunk)?;
        self.left -= length;
        let is_last = self.left == 0;
        if is_last && self.inner.read(&mut [0])? != 0 {
            return Err(Error::new(ErrorKind::InvalidData, "the file grew while it was read"));
        }
        let nonce = self.chunks.nonce(is_last);
        let sealed = self.chunks.cipher.encrypt_inout_detached(
            &nonce,
            &self.chunks.bound,
            chunk.as_mut_slice().into(),
        );
        let tag = sealed.map_err(|_| Error::new(ErrorKind::InvalidData, "a chunk cannot be sealed"))?;
        self.out.clear();
        self.out.extend_from_slice(&chunk);
        self.out.extend_from_slice(&tag);
        (self.given, self.is_done) = (0, is_last);
        Ok(())
    }
}

impl<R: Read> Read for Sealing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.given == self.out.len() && !self.is_done {
            self.next_chunk()?;
        }
        let read = self.out.get(self.given..).unwrap_or_default().read(buffer)?;
        self.given += read;
        Ok(read)
    }
}

/// The content of a sealed file, verified chunk by chunk. Zeroed on drop.
pub struct Opening<R> {
    inner: R,
    length: u64,
    left: u64,
    chunks: Chunks,
    chunk: Zeroizing<Vec<u8>>,
    given: usize,
    is_done: bool,
}

fn refused() -> Error {
    Error::new(ErrorKind::InvalidData, StoreError::Sealed)
}

impl<R: Read> Opening<R> {
    /// Opens the header and the first chunk.
    ///
    /// # Errors
    /// It was sealed for something else or under another key, or is damaged; `inner` cannot be read.
    pub fn new(mut inner: R, seal: &Seal, purpose: Purpose<'_>) -> Result<Self> {
        let mut header = [0; HEADER_BYTES];
        inner.read_exact(&mut header)?;
        let length = header.last_chunk::<8>().copied().map(u64::from_be_bytes).ok_or_else(refused)?;
        let chunks = Some(&header).filter(|header| header.starts_with(&MAGIC));
        let chunks = chunks.and_then(|header| Chunks::new(seal, purpose, header)).ok_or_else(refused)?;
        let chunk = Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES));
        let mut opening = Self { inner, length, left: length, chunks, chunk, given: 0, is_done: false };
        opening.next_chunk()?;
        Ok(opening)
    }

    /// How long the content is: verified with the first chunk, before anybody makes room for it.
    pub const fn length(&self) -> u64 {
        self.length
    }

    fn next_chunk(&mut self) -> Result<()> {
        let length = self.left.min(CHUNK_BYTES as u64);
        self.chunk.clear();
        self.chunk.resize(length as usize + TAG_BYTES, 0);
        self.inner.read_exact(&mut self.chunk)?;
        self.left -= length;
        let is_last = self.left == 0;
        let nonce = self.chunks.nonce(is_last);
        let opened = self.chunks.cipher.decrypt_in_place(&nonce, &self.chunks.bound, &mut *self.chunk);
        opened.map_err(|_| refused())?;
        // The end below says whether all of it was what was stored.
        if is_last && self.inner.read(&mut [0])? != 0 {
            return Err(refused());
        }
        (self.given, self.is_done) = (0, is_last);
        Ok(())
    }
}

impl<R: Read> Read for Opening<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.given == self.chunk.len() && !self.is_done {
            self.next_chunk()?;
        }
        let read = self.chunk.get(self.given..).unwrap_or_default().read(buffer)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::seal::tests::seal_of;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    const DATASET: [u8; 32] = [9; 32];
    const PURPOSE: Purpose<'static> = Purpose { dataset: &DATASET, name: "private/t.table" };

    fn sealed(seal: &Seal, content: &[u8]) -> std::result::Result<Vec<u8>, Box<dyn std::error::Error>> {
        let mut bytes = Vec::new();
        Sealing::new(content, content.len() as u64, seal, PURPOSE)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn opened(seal: &Seal, bytes: &[u8], purpose: Purpose<'_>) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        Opening::new(bytes, seal, purpose)?.read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn what_is_sealed_opens_as_it_was_whatever_its_length() -> Outcome {
        let seal = seal_of("t", &[[1; 32]], false)?;
        for length in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES] {
            let content: Vec<u8> = (0..length).map(|i| (i % 253) as u8).collect();
            let bytes = sealed(&seal, &content)?;
            assert_eq!(opened(&seal, &bytes, PURPOSE)?, content, "{length} bytes");
            assert_eq!(Opening::new(bytes.as_slice(), &seal, PURPOSE)?.length(), length as u64);
        }
        assert!(
            Sealing::new(b"abc".as_slice(), 2, &seal, PURPOSE)?.read_to_end(&mut Vec::new()).is_err(),
            "grew"
        );
        assert!(
            Sealing::new(b"abc".as_slice(), 4, &seal, PURPOSE)?.read_to_end(&mut Vec::new()).is_err(),
            "shrank"
        );
        Ok(())
    }

    #[test]
    fn it_opens_as_nothing_else_and_under_no_other_key() -> Outcome {
        let seal = seal_of("t", &[[1; 32]], false)?;
        let bytes = sealed(&seal, b"content")?;
        assert!(opened(&seal, &bytes, Purpose { name: "private/u.table", ..PURPOSE }).is_err());
        assert!(opened(&seal, &bytes, Purpose { dataset: &[8; 32], ..PURPOSE }).is_err());
        assert!(opened(&seal_of("u", &[[1; 32]], false)?, &bytes, PURPOSE).is_err(), "another tenant");
        assert!(opened(&seal_of("t", &[[2; 32]], false)?, &bytes, PURPOSE).is_err(), "another key");
        let rotated = seal_of("t", &[[1; 32], [2; 32]], false)?;
        assert_eq!(opened(&rotated, &bytes, PURPOSE)?, b"content", "an earlier version still opens");
        Ok(())
    }

    #[test]
    fn a_byte_changed_a_chunk_moved_dropped_or_added_is_refused() -> Outcome {
        let seal = seal_of("t", &[[1; 32]], false)?;
        let bytes = sealed(&seal, &vec![5; 2 * CHUNK_BYTES + 10])?;
        let places =
            (0..HEADER_BYTES).chain((HEADER_BYTES..bytes.len()).step_by(4999)).chain([bytes.len() - 1]);
        for place in places {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(opened(&seal, &damaged, PURPOSE).is_err(), "byte {place}");
        }
        let whole = CHUNK_BYTES + TAG_BYTES;
        let (head, body) = bytes.split_at(HEADER_BYTES);
        let swapped = [head, &body[whole..2 * whole], &body[..whole], &body[2 * whole..]].concat();
        assert!(opened(&seal, &swapped, PURPOSE).is_err(), "two chunks changed places");
        assert!(opened(&seal, &bytes[..HEADER_BYTES + whole], PURPOSE).is_err(), "cut at a chunk");
        assert!(opened(&seal, &[bytes.as_slice(), b"x"].concat(), PURPOSE).is_err(), "longer");
        let mut shorter = bytes[..HEADER_BYTES + 2 * whole].to_vec();
        shorter[HEADER_BYTES - 8..HEADER_BYTES].copy_from_slice(&(2 * CHUNK_BYTES as u64).to_be_bytes());
        assert!(opened(&seal, &shorter, PURPOSE).is_err(), "its length changed to fit");
        Ok(())
    }
}
