//! The Fiat-Shamir transcript of halo2 proofs, in the form that the generated contract recomputes: Keccak-256 over 32-byte
//! big-endian words, as the `EvmTranscript` of the crate `snark-verifier` has it, which generates the contract.

use super::point::{Words, point_to_words, reduce, scalar_to_word};
use halo2_proofs::{
    halo2curves::bn256::{Fr, G1Affine},
    transcript::{
        EncodedChallenge, Transcript, TranscriptRead, TranscriptReadBuffer, TranscriptWrite,
        TranscriptWriterBuffer,
    },
};
use nightingale_circuits::cohort::digest::keccak;
use std::io;

/// A challenge: a digest, reduced.
#[derive(Clone, Copy, Debug)]
pub struct Challenge(Fr);

impl EncodedChallenge<G1Affine> for Challenge {
    type Input = [u8; 32];

    fn new(digest: &[u8; 32]) -> Self {
        Self(reduce(digest))
    }

    fn get_scalar(&self) -> Fr {
        self.0
    }
}

/// What was absorbed since the last challenge; after a challenge, its digest.
#[derive(Clone, Default)]
struct Absorbed(Vec<u8>);

impl Absorbed {
    fn point(&mut self, point: &G1Affine) {
        self.0.extend(point_to_words(point).as_flattened());
    }

    fn scalar(&mut self, scalar: &Fr) {
        self.0.extend(scalar_to_word(scalar));
    }

    fn squeeze(&mut self) -> Challenge {
        // Two challenges in a row must differ.
        if self.0.len() == 32 {
            self.0.push(1);
        }
        let digest = keccak(&self.0);
        self.0 = digest.to_vec();
        Challenge::new(&digest)
    }
}

/// Reads a proof, strictly: canonical scalars, points on the curve and not infinite.
pub struct ProofReader<'a> {
    words: Words<'a>,
    absorbed: Absorbed,
}

/// Writes a proof.
pub struct ProofWriter {
    bytes: Vec<u8>,
    absorbed: Absorbed,
}

impl Transcript<G1Affine, Challenge> for ProofReader<'_> {
    fn squeeze_challenge(&mut self) -> Challenge {
        self.absorbed.squeeze()
    }

    fn common_point(&mut self, point: G1Affine) -> io::Result<()> {
        self.absorbed.point(&point);
        Ok(())
    }

    fn common_scalar(&mut self, scalar: Fr) -> io::Result<()> {
        self.absorbed.scalar(&scalar);
        Ok(())
    }
}

impl TranscriptRead<G1Affine, Challenge> for ProofReader<'_> {
    fn read_point(&mut self) -> io::Result<G1Affine> {
        let point = self.words.point("proof").map_err(io::Error::other)?;
        self.absorbed.point(&point);
        Ok(point)
    }

    fn read_scalar(&mut self) -> io::Result<Fr> {
        let scalar = self.words.scalar("proof").map_err(io::Error::other)?;
        self.absorbed.scalar(&scalar);
        Ok(scalar)
    }
}

impl<'a> TranscriptReadBuffer<&'a [u8], G1Affine, Challenge> for ProofReader<'a> {
    fn init(bytes: &'a [u8]) -> Self {
        Self { words: Words::new(bytes), absorbed: Absorbed::default() }
    }
}

impl Transcript<G1Affine, Challenge> for ProofWriter {
    fn squeeze_challenge(&mut self) -> Challenge {
        self.absorbed.squeeze()
    }

    fn common_point(&mut self, point: G1Affine) -> io::Result<()> {
        self.absorbed.point(&point);
        Ok(())
    }

    fn common_scalar(&mut self, scalar: Fr) -> io::Result<()> {
        self.absorbed.scalar(&scalar);
        Ok(())
    }
}

impl TranscriptWrite<G1Affine, Challenge> for ProofWriter {
    fn write_point(&mut self, point: G1Affine) -> io::Result<()> {
        self.absorbed.point(&point);
        self.bytes.extend(point_to_words(&point).as_flattened());
        Ok(())
    }

    fn write_scalar(&mut self, scalar: Fr) -> io::Result<()> {
        self.absorbed.scalar(&scalar);
        self.bytes.extend(scalar_to_word(&scalar));
        Ok(())
    }
}

impl TranscriptWriterBuffer<Vec<u8>, G1Affine, Challenge> for ProofWriter {
    fn init(bytes: Vec<u8>) -> Self {
        Self { bytes, absorbed: Absorbed::default() }
    }

    fn finalize(self) -> Vec<u8> {
        self.bytes
    }
}
