//! Field arithmetic in vectors of eight, by AVX-512 with 52-bit multiply-add.
pub(crate) mod field;
pub(crate) mod integers;
pub(crate) mod lanes;
pub(crate) mod modulus;
pub(crate) mod pair;
pub(crate) mod words;
