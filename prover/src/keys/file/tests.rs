//! Files of a small key: read back, damaged, and hostile with a right digest, so that only the reader's checks stand
//! between them and the prover.
#![expect(clippy::unwrap_used, reason = "a test ends where a value is not there")]

use super::*;
use crate::{
    device::Reference,
    groth16::{Blinding, Prover},
    reduction::System,
    setup::{Secrets, generate},
};
use ark_bn254::{Bn254, Fq};
use ark_ff::{Field, PrimeField};
use ark_groth16::{Groth16, Proof, ProvingKey, prepare_verifying_key};
use memmap2::MmapMut;
use nightingale_circuits::{Fr, r1cs::R1cs};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::{ops::ControlFlow, sync::OnceLock};

const DIGEST_OF_KEY: KeyDigest = KeyDigest([7; 32]);
const CONSTRAINTS: usize = 9;

/// A chain of products, with coefficients of one, minus one and others, and a column that B does not have.
fn system() -> (R1cs, Vec<Fr>) {
    let one = Fr::ONE;
    let mut values = [1u64, 11, 12, 13].map(Fr::from).to_vec();
    let mut r1cs = R1cs { public: 2, ..R1cs::default() };
    for i in 0..CONSTRAINTS {
        let last = values.len() - 1;
        let a = vec![(-one, 0), (one, 1 + i % 3), (Fr::from(3u64), last)];
        let b = vec![(one, 1), (Fr::from(5u64), last)];
        let at = |row: &[(Fr, usize)]| row.iter().map(|(k, i)| *k * values[*i]).sum::<Fr>();
        let product = at(&a) * at(&b);
        r1cs.a.push(a);
        r1cs.b.push(b);
        r1cs.c.push(vec![(one, values.len())]);
        values.push(product);
    }
    r1cs.variables = values.len();
    (r1cs, values)
}

struct Example {
    proving: ProvingKey<Bn254>,
    key: groth16::Key,
    file: Vec<u8>,
}

fn example() -> &'static Example {
    static EXAMPLE: OnceLock<Example> = OnceLock::new();
    EXAMPLE.get_or_init(|| {
        let (r1cs, _) = system();
        let proving = generate(&r1cs, &Secrets::development("test").unwrap()).unwrap();
        let key = groth16::Key::new(System::new(&r1cs).unwrap(), &proving).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        write(&path, &key, DIGEST_OF_KEY).unwrap();
        Example { proving, key, file: fs::read(&path).unwrap() }
    })
}

fn mapped(bytes: &[u8]) -> Arc<Mmap> {
    let mut memory = MmapMut::map_anon(bytes.len()).unwrap();
    memory.copy_from_slice(bytes);
    Arc::new(memory.make_read_only().unwrap())
}

fn load(bytes: &[u8]) -> Result<groth16::Key, String> {
    key(&mapped(bytes), &entry(), &example().key.system().digest())
}

/// Of a list that does not say which proving key it is, so that hostile ones reach the reader.
fn entry() -> Entry {
    let class = nightingale_circuits::claim::SizeClass::Two;
    Entry { class, digest: DIGEST_OF_KEY, kind: KeyKind::Development, proving: None }
}

/// The same content with the digest that belongs to it.
fn sealed(mut content: Vec<u8>) -> Vec<u8> {
    let sum = blake3::hash(&content);
    content.extend(sum.as_bytes());
    content
}

fn content() -> Vec<u8> {
    let file = &example().file;
    file[..file.len() - DIGEST].to_vec()
}

/// Where each section is, computed from the table as the layout's page describes it.
fn sections() -> Vec<std::ops::Range<usize>> {
    let file = &example().file;
    let mut at = 256;
    let lengths =
        file[80..80 + 19 * 8].chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap()));
    lengths
        .map(|length| {
            let range = at..at + usize::try_from(length).unwrap();
            at = range.end.div_ceil(64) * 64;
            range
        })
        .collect()
}

fn prove(key: groth16::Key) -> Result<Proof<Bn254>, ProveError> {
    let prover = Prover::new(Arc::new(key), &Reference)?;
    let blinding = Blinding::fixed(Fr::from(5u64), Fr::from(6u64));
    prover.prove(&system().1, &blinding, &mut |_| ControlFlow::Continue(()))
}

/// Whether a hostile file is refused. If it is not, proving with it must end, in whatever result.
fn refused(content: Vec<u8>) -> bool {
    match load(&sealed(content)) {
        Err(_) => true,
        Ok(key) => {
            let _ = key.to_arkworks();
            let _ = prove(key);
            false
        }
    }
}

#[test]
fn a_key_is_the_same_after_its_file() {
    let Example { proving, key, file } = example();
    let read = load(file).unwrap();
    assert_eq!(&read.to_arkworks(), proving);
    assert_eq!(read.system().digest(), key.system().digest());
    let matrices = |key: &groth16::Key| {
        let system = key.system();
        [system.a(), system.b(), system.c()]
            .map(|m| (m.starts().to_vec(), m.terms().to_vec(), m.coefficients().to_vec()))
    };
    assert!(matrices(&read) == matrices(key));
    assert!(read.b_g1.columns.len() < read.system().variables(), "no point of B is infinite");
    let (_, values) = system();
    let prepared = prepare_verifying_key(read.verifying());
    let proof = prove(read).unwrap();
    assert!(Groth16::<Bn254>::verify_proof(&prepared, &proof, &values[1..=2]).unwrap());
}

#[test]
fn a_file_has_the_documented_bytes() {
    let Example { proving, key, file } = example();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!(&file[..8], b"NGPK\x02\0\0\0");
    assert_eq!([word(8), word(12)], [2, 4 + CONSTRAINTS as u32]);
    assert_eq!((&file[16..48], &file[48..80]), (&DIGEST_OF_KEY.0[..], &key.system().digest()[..]));
    let sections = sections();
    assert_eq!(sections.last().unwrap().end.div_ceil(64) * 64 + DIGEST, file.len());
    // Alpha's and the last H point's x in Montgomery form, by arithmetic.
    let montgomery = |x: Fq| {
        let limbs = (x * Fq::from(2u64).pow([256])).into_bigint().0;
        limbs.map(u64::to_le_bytes).concat()
    };
    assert_eq!(file[256..288], montgomery(proving.vk.alpha_g1.x));
    let last = sections[18].end - 64;
    assert_eq!(file[last..last + 32], montgomery(proving.h_query[15].x));
    // The second row of A: minus one at column 0, one at 2, three at 4.
    let (starts, terms) = (sections[2].start, sections[3].start);
    assert_eq!([word(starts + 4), word(starts + 8)], [3, 6]);
    assert_eq!([0, 1, 2, 3, 4, 5].map(|i| word(terms + 24 + 4 * i)), [1, 0, 0, 2, 2, 4]);
}

#[test]
fn refuses_an_altered_key_that_the_list_does_not_name_however_right_its_own_digest_is() {
    let mut content = content();
    // A coefficient's index: what a prover computes changes, and no check of the format sees it.
    let terms = sections()[3].start;
    content[terms] ^= 1;
    let altered = sealed(content);
    assert!(load(&altered).is_ok(), "without the list, it is taken");
    let system = example().key.system().digest();
    let sum = |file: &[u8]| *file.last_chunk::<DIGEST>().unwrap();
    let listed = Entry { proving: Some(sum(&example().file)), ..entry() };
    assert!(key(&mapped(&example().file), &listed, &system).is_ok());
    assert!(key(&mapped(&altered), &listed, &system).err().unwrap().contains("keys.json lists"));
    assert!(key(&mapped(&altered), &Entry { proving: Some(sum(&altered)), ..entry() }, &system).is_ok());
    // What was imported is never taken unlisted.
    let imported = Entry { kind: KeyKind::Production, ..entry() };
    assert!(key(&mapped(&example().file), &imported, &system).err().unwrap().contains("keys.json lists"));
}

#[test]
fn refuses_a_key_of_another_circuit_and_of_another_verifying_key() {
    let file = mapped(&example().file);
    let system = example().key.system().digest();
    let problem = key(&file, &entry(), &[1; 32]).err().unwrap();
    assert!(problem.contains("another version of the statement's circuit"), "{problem}");
    let problem = key(&file, &Entry { digest: KeyDigest([8; 32]), ..entry() }, &system).err().unwrap();
    assert!(problem.contains("another verifying key"), "{problem}");
}

#[test]
fn refuses_a_file_with_any_byte_changed() {
    let file = &example().file;
    for at in 0..file.len() {
        let mut bytes = file.clone();
        bytes[at] ^= 1 << (at % 8);
        let problem = load(&bytes).err().unwrap();
        assert!(at < 8 || problem.contains("corrupt"), "byte {at}: {problem}");
    }
}

#[test]
fn refuses_a_file_that_is_cut_off_or_longer() {
    let (file, content) = (&example().file, content());
    let ends = sections().into_iter().flat_map(|section| [section.start, section.end]);
    let lengths = ends.chain([1, 5, 8, 20, 32, 255, 256, 257, content.len() - 64]);
    for length in lengths.flat_map(|end| [end - 1, end, end + 1]) {
        if length > 0 {
            assert!(load(&file[..length]).is_err(), "{length} bytes");
        }
        if length < content.len() {
            assert!(refused(content[..length].to_vec()), "{length} bytes with a digest");
        }
    }
    assert!(load(&file[..file.len() - 1]).is_err());
    assert!(load(&[file, &b"x"[..]].concat()).is_err());
    for more in [1, 32, 64, 4096] {
        assert!(refused([&content[..], &vec![0; more]].concat()), "{more} bytes more");
    }
    // An empty file cannot be mapped as one with content, but it can be opened.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    fs::write(&path, b"").unwrap();
    let result = read(&path, &entry(), &[0; 32]);
    assert!(matches!(result, Err(ProveError::Corrupt { problem, .. }) if problem.contains("cut off")));
}

#[test]
fn refuses_headers_that_lie() {
    let content = content();
    let put = |at: usize, bytes: &[u8]| {
        let mut content = content.clone();
        content[at..at + bytes.len()].copy_from_slice(bytes);
        content
    };
    for version in [0u8, 1, 3, 255] {
        assert!(refused(put(4, &[version])));
    }
    for at in (5..8).chain(16..80).chain(232..256) {
        assert!(refused(put(at, &[content[at] ^ 1])), "byte {at}");
    }
    for public in [0u32, 1, 3, 12, 13, 1 << 27, u32::MAX - 1, u32::MAX] {
        assert!(refused(put(8, &public.to_le_bytes())), "{public} public inputs");
    }
    for columns in [0u32, 1, 2, 3, 12, 1 << 16, 1 << 27, u32::MAX - 1, u32::MAX] {
        assert!(refused(put(12, &columns.to_le_bytes())), "{columns} columns");
    }
    for (number, section) in sections().into_iter().enumerate() {
        let length = section.len() as u64;
        for other in [
            0,
            1,
            length - 1,
            length + 1,
            length + 64,
            2 * length,
            1 << 31,
            1 << 32,
            1 << 63,
            u64::MAX - 63,
            u64::MAX,
        ] {
            assert!(refused(put(80 + 8 * number, &other.to_le_bytes())), "section {number} of {other} bytes");
        }
        for bytes in [4u64, 8, 32, 64, 128] {
            // Some of these are sound: a coefficient more, that no term names.
            refused(put(80 + 8 * number, &length.wrapping_sub(bytes).to_le_bytes()));
            refused(put(80 + 8 * number, &(length + bytes).to_le_bytes()));
        }
    }
}

#[test]
fn refuses_sections_that_would_lead_a_prover_astray() {
    let (content, sections) = (content(), sections());
    let columns = 4 + CONSTRAINTS as u32;
    let put = |section: usize, word: usize, value: u32| {
        let at = sections[section].start + 4 * word;
        let mut content = content.clone();
        content[at..at + 4].copy_from_slice(&value.to_le_bytes());
        content
    };
    for matrix in 0..3 {
        let (starts, terms, table) = (2 + 3 * matrix, 3 + 3 * matrix, 4 + 3 * matrix);
        let coefficients = u32::try_from(sections[table].len() / 32).unwrap();
        for (word, value) in [(0, 1), (1, u32::MAX), (4, 0), (CONSTRAINTS, 0), (CONSTRAINTS, u32::MAX)] {
            assert!(refused(put(starts, word, value)), "start {word} of {value}");
        }
        for value in [coefficients, u32::MAX] {
            assert!(refused(put(terms, 2, value)), "coefficient {value}");
        }
        for value in [columns, u32::MAX] {
            assert!(refused(put(terms, 3, value)), "column {value}");
        }
        // One and minus one must be themselves, and every coefficient below the modulus.
        assert!(refused(put(table, 0, 0)) && refused(put(table, 8, 0)));
        for element in 0..coefficients as usize {
            assert!(refused(put(table, 8 * element + 7, u32::MAX)), "coefficient {element}");
        }
    }
    // The columns of A, B and L: not ascending, twice the same, outside, and of a public input.
    for section in [11, 12, 13] {
        let last = sections[section].len() / 4 - 1;
        for (word, value) in [(0, columns), (1, 0), (last, columns), (last, u32::MAX), (last, 1)] {
            assert!(refused(put(section, word, value)), "column {word} of section {section} is {value}");
        }
    }
    assert!(refused(put(13, 0, 2)));
    // The modulus itself as a coordinate, all ones, and infinity.
    for section in [0, 1, 14, 15, 16, 17, 18] {
        for coordinate in 0..sections[section].len() / 32 {
            let at = sections[section].start + 32 * coordinate;
            for limbs in [Fq::MODULUS.0, [u64::MAX; 4]] {
                let mut content = content.clone();
                content[at..at + 32].copy_from_slice(&limbs.map(u64::to_le_bytes).concat());
                assert!(refused(content), "coordinate {coordinate} of section {section}");
            }
        }
    }
    // Reduced, and no points: on these the pairing that compares G1 with G2 has no value.
    for (point, x) in [(0, Fq::ONE), (1, Fq::ONE), (2, Fq::ONE), (2, Fq::from(2u64))] {
        let at = sections[1].start + 128 * point;
        let mut content = content.clone();
        content[at..at + 128].fill(0);
        content[at..at + 32].copy_from_slice(&x.0.0.map(u64::to_le_bytes).concat());
        assert!(refused(content), "point {point} of G2");
    }
    for (section, size) in [(14, 64), (15, 64), (16, 128), (17, 64)] {
        let at = sections[section].start + size;
        let mut content = content.clone();
        content[at..at + size].fill(0);
        assert!(refused(content), "infinity in section {section}");
    }
}

#[test]
fn no_random_damage_makes_the_prover_panic() {
    let (content, mut rng) = (content(), ChaCha20Rng::seed_from_u64(4));
    let words = content.len() / 4;
    // Half of the damage goes where the small numbers are: header, matrices and columns.
    let numbers = sections()[13].end / 4;
    let mut accepted = 0;
    for _ in 0..1500 {
        let mut bytes = content.clone();
        for _ in 0..rng.random_range(1..4) {
            let word = if rng.random() { rng.random_range(0..numbers) } else { rng.random_range(0..words) };
            let old = u32::from_le_bytes(bytes[4 * word..4 * word + 4].try_into().unwrap());
            let new = match rng.random_range(0..6) {
                0 => rng.random(),
                1 => old.wrapping_add(1),
                2 => old.wrapping_sub(1),
                3 => old ^ (1 << rng.random_range(0..32)),
                4 => rng.random_range(0..16),
                _ => u32::MAX,
            };
            bytes[4 * word..4 * word + 4].copy_from_slice(&new.to_le_bytes());
        }
        accepted += u32::from(!refused(bytes));
    }
    // Points off the curve and other coefficients pass; if nothing did, the test would not reach the prover.
    assert!(accepted > 20, "only {accepted} files reached the prover");
}
