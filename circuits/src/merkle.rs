//! 4-ary Merkle trees and registers of interval leaves.
//!
//! A register's leaves are `(key, next key, value)`, sorted by key, so one path answers every question: the leaf
//! with `key <= q < next` is unique, and it shows the presence of `q` when `key = q` and its absence otherwise.

use crate::{Fr, poseidon, tag::Tag};
use thiserror::Error;

/// Children of a node.
pub const ARITY: usize = 4;

/// A node's digest.
#[must_use]
pub fn node(children: [Fr; ARITY]) -> Fr {
    poseidon::hash(&children)
}

/// The siblings of a leaf up to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The leaf's index; base-4 digit `i` is its place among the four children at level `i`.
    pub index: u32,
    /// The three other children at each level, in order, from the leaves up.
    pub siblings: Vec<[Fr; ARITY - 1]>,
}

impl Path {
    /// The four children at each level when `leaf` stands at this path's index, and the root above them.
    #[must_use]
    pub fn climb(&self, leaf: Fr) -> (Vec<[Fr; ARITY]>, Fr) {
        let mut current = leaf;
        let mut index = self.index as usize;
        let mut levels = Vec::with_capacity(self.siblings.len());
        for [a, b, c] in &self.siblings {
            let children = match index % ARITY {
                0 => [current, *a, *b, *c],
                1 => [*a, current, *b, *c],
                2 => [*a, *b, current, *c],
                _ => [*a, *b, *c, current],
            };
            levels.push(children);
            current = node(children);
            index /= ARITY;
        }
        (levels, current)
    }

    /// A path of zeros, for a lookup that the statement switches off.
    #[must_use]
    pub fn empty(depth: usize) -> Self {
        Self { index: 0, siblings: vec![[Fr::from(0u64); ARITY - 1]; depth] }
    }
}

/// A tree of fixed depth whose unused leaves are zero.
#[derive(Clone, Debug)]
pub struct Tree {
    /// `levels[0]` are the leaves in use, the last level is the root alone.
    levels: Vec<Vec<Fr>>,
    /// The digest of an unused subtree of each height.
    unused: Vec<Fr>,
}

impl Tree {
    /// Builds the tree; `None` when there are more than `4^depth` leaves.
    #[must_use]
    pub fn new(depth: usize, leaves: Vec<Fr>) -> Option<Self> {
        if leaves.len() as u128 > 1u128 << (2 * depth) {
            return None;
        }
        let mut unused = vec![Fr::from(0u64)];
        let mut levels = vec![leaves];
        for height in 0..depth {
            let blank = unused[height];
            let parents = levels[height]
                .chunks(ARITY)
                .map(|chunk| {
                    let mut children = [blank; ARITY];
                    children[..chunk.len()].copy_from_slice(chunk);
                    node(children)
                })
                .collect();
            unused.push(node([blank; ARITY]));
            levels.push(parents);
        }
        Some(Self { levels, unused })
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Fr {
        let top = self.levels.len() - 1;
        self.levels[top].first().copied().unwrap_or(self.unused[top])
    }

    /// The path of leaf `index`.
    #[must_use]
    pub fn path(&self, index: u32) -> Path {
        let mut place = index as usize;
        let siblings = (0..self.levels.len() - 1)
            .map(|height| {
                let first = place - place % ARITY;
                let mut out = [self.unused[height]; ARITY - 1];
                let others = (first..first + ARITY).filter(|&i| i != place);
                for (slot, i) in out.iter_mut().zip(others) {
                    *slot = self.levels[height].get(i).copied().unwrap_or(self.unused[height]);
                }
                place /= ARITY;
                out
            })
            .collect();
        Path { index, siblings }
    }
}

/// A record that stands in a register.
pub trait Record: Clone {
    /// The domain of its leaf hash.
    const TAG: Tag;
    /// Depth of its register: at most `4^DEPTH - 1` records.
    const DEPTH: usize;
    /// Keys are below `2^KEY_BITS`.
    const KEY_BITS: u32;
    /// Elements of the encoded value.
    const WIDTH: usize;
    /// What the register calls itself in errors.
    const NAME: &'static str;

    /// The key it is sorted by, never 0.
    fn key(&self) -> u128;
    /// The value: `WIDTH` elements, packed as the statement's page lists them.
    fn encode(&self) -> Vec<Fr>;
    /// Whether every field is within its width and meaning, so that the encoding is one-to-one.
    ///
    /// # Errors
    /// Names the field and what was expected.
    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }
    /// What only all records together can break.
    ///
    /// # Errors
    /// Says what clashes.
    fn check_all(_records: &[Self]) -> Result<(), String> {
        Ok(())
    }
    /// Whether this record and the next one in key order may stand side by side.
    ///
    /// # Errors
    /// Says what overlaps.
    fn follows(&self, _next: &Self) -> Result<(), String> {
        Ok(())
    }
}

/// One leaf of a register, `record: None` for the first, which holds no record and has key 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf<T> {
    /// Its key.
    pub key: u128,
    /// The key of the leaf after it, `2^KEY_BITS` for the last.
    pub next: u128,
    /// What it holds.
    pub record: Option<T>,
}

impl<T: Record> Leaf<T> {
    /// The value's elements, zeros for the first leaf.
    #[must_use]
    pub fn value(&self) -> Vec<Fr> {
        self.record.as_ref().map_or_else(|| vec![Fr::from(0u64); T::WIDTH], Record::encode)
    }

    /// `P(tag, key, next, value..)`.
    #[must_use]
    pub fn digest(&self) -> Fr {
        let mut inputs = vec![Fr::from(self.key), Fr::from(self.next)];
        inputs.extend(self.value());
        poseidon::tagged(T::TAG, &inputs)
    }
}

/// A leaf with its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening<T> {
    /// The leaf with `key <= q < next`.
    pub leaf: Leaf<T>,
    /// Its path.
    pub path: Path,
}

impl<T: Record> Opening<T> {
    /// The root that this opening leads to.
    #[must_use]
    pub fn root(&self) -> Fr {
        self.path.climb(self.leaf.digest()).1
    }

    /// Whether the leaf answers a question about `key`: `leaf.key <= key < leaf.next`.
    #[must_use]
    pub fn answers(&self, key: u128) -> bool {
        self.leaf.key <= key && key < self.leaf.next
    }
}

/// Why a register cannot be built.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RegisterError {
    /// Two records have one key.
    #[error("{register}: two records have the key {key:#x}; keep one")]
    Duplicate {
        /// The register.
        register: &'static str,
        /// The key.
        key: u128,
    },
    /// A key is 0 or too wide.
    #[error("{register}: the key {key:#x} is outside 1..2^{bits}")]
    Key {
        /// The register.
        register: &'static str,
        /// The key.
        key: u128,
        /// The width of keys.
        bits: u32,
    },
    /// A field is outside its range.
    #[error("{register}: {problem}")]
    Field {
        /// The register.
        register: &'static str,
        /// The field, and what was expected.
        problem: &'static str,
    },
    /// Two records overlap.
    #[error("{register}: {what}")]
    Overlap {
        /// The register.
        register: &'static str,
        /// What overlaps.
        what: String,
    },
    /// More records than the tree holds.
    #[error("{register}: {records} records, but it holds at most {capacity}")]
    Full {
        /// The register.
        register: &'static str,
        /// Records given.
        records: usize,
        /// Records it can hold.
        capacity: u128,
    },
}

/// A sorted register and its tree.
#[derive(Clone, Debug)]
pub struct Register<T> {
    leaves: Vec<Leaf<T>>,
    tree: Tree,
}

impl<T: Record> Register<T> {
    /// Sorts, checks and builds.
    ///
    /// # Errors
    /// A duplicate or invalid key, overlapping records, or too many records.
    pub fn build(mut records: Vec<T>) -> Result<Self, RegisterError> {
        let register = T::NAME;
        let capacity = (1u128 << (2 * T::DEPTH)) - 1;
        if records.len() as u128 > capacity {
            return Err(RegisterError::Full { register, records: records.len(), capacity });
        }
        records.sort_by_key(Record::key);
        for record in &records {
            record.check().map_err(|problem| RegisterError::Field { register, problem })?;
            let key = record.key();
            if key == 0 || key >> T::KEY_BITS != 0 {
                return Err(RegisterError::Key { register, key, bits: T::KEY_BITS });
            }
        }
        T::check_all(&records).map_err(|what| RegisterError::Overlap { register, what })?;
        for (record, next) in records.iter().zip(records.iter().skip(1)) {
            if record.key() == next.key() {
                return Err(RegisterError::Duplicate { register, key: record.key() });
            }
            record.follows(next).map_err(|what| RegisterError::Overlap { register, what })?;
        }
        let keys: Vec<u128> = std::iter::once(0).chain(records.iter().map(Record::key)).collect();
        let held = std::iter::once(None).chain(records.into_iter().map(Some));
        let leaves: Vec<Leaf<T>> = held
            .enumerate()
            .map(|(i, record)| Leaf {
                key: keys[i],
                next: keys.get(i + 1).copied().unwrap_or(1 << T::KEY_BITS),
                record,
            })
            .collect();
        let digests = leaves.iter().map(Leaf::digest).collect();
        let tree = Tree::new(T::DEPTH, digests).ok_or(RegisterError::Full {
            register,
            records: leaves.len(),
            capacity,
        })?;
        Ok(Self { leaves, tree })
    }

    /// The register's root.
    #[must_use]
    pub fn root(&self) -> Fr {
        self.tree.root()
    }

    /// Its leaves in key order, the empty first one included.
    #[must_use]
    pub fn leaves(&self) -> &[Leaf<T>] {
        &self.leaves
    }

    /// The one leaf with `key <= q < next`, for a `q` below `2^KEY_BITS`.
    #[must_use]
    pub fn open(&self, q: u128) -> Opening<T> {
        let index = self.leaves.partition_point(|leaf| leaf.key <= q).saturating_sub(1);
        Opening { leaf: self.leaves[index].clone(), path: self.tree.path(index as u32) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Item(u128);

    impl Record for Item {
        const TAG: Tag = Tag::Account;
        const DEPTH: usize = 2;
        const KEY_BITS: u32 = 8;
        const WIDTH: usize = 1;
        const NAME: &'static str = "items";
        fn key(&self) -> u128 {
            self.0
        }
        fn encode(&self) -> Vec<Fr> {
            vec![Fr::from(self.0 * 10)]
        }
    }

    #[test]
    fn one_path_shows_presence_and_absence() -> Result<(), RegisterError> {
        let register = Register::build(vec![Item(200), Item(3), Item(40)])?;
        for q in [0, 1, 3, 4, 39, 40, 199, 200, 255] {
            let opening = register.open(q);
            assert!(opening.answers(q));
            assert_eq!(opening.root(), register.root());
            assert_eq!(opening.leaf.key == q && opening.leaf.record.is_some(), [3, 40, 200].contains(&q));
            for other in [0, 3, 40, 200].into_iter().filter(|k| *k != opening.leaf.key) {
                assert!(!register.open(other).answers(q), "two leaves answer {q}");
            }
        }
        Ok(())
    }

    #[test]
    fn the_root_depends_on_every_leaf_and_its_place() -> Result<(), RegisterError> {
        let root = Register::build(vec![Item(1), Item(2)])?.root();
        assert_ne!(root, Register::build(vec![Item(1), Item(3)])?.root());
        assert_ne!(root, Register::build(vec![Item(1)])?.root());
        Ok(())
    }

    #[test]
    fn refuses_duplicates_wide_keys_and_overflow() {
        assert!(matches!(
            Register::build(vec![Item(1), Item(1)]),
            Err(RegisterError::Duplicate { key: 1, .. })
        ));
        assert!(matches!(Register::build(vec![Item(256)]), Err(RegisterError::Key { .. })));
        assert!(matches!(Register::build(vec![Item(0)]), Err(RegisterError::Key { .. })));
        assert!(matches!(
            Register::build((1..=16).map(Item).collect()),
            Err(RegisterError::Full { records: 16, capacity: 15, .. })
        ));
    }
}
