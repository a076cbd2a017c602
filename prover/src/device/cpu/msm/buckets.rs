//! Sums the points of each bucket.
//!
//! A bucket's entries are cut into segments of bounded length, and each lane adds up one segment, one point a step,
//! beside the other lanes and vectors of a block: the accumulators stay where they are, in vectors. Segments are taken
//! by falling length, so that those of a block end together. What the segments of a long bucket give is added in
//! further rounds, by pairs.

use super::digits::wipe;
use crate::device::cpu::{
    batch::{Additions, Bench},
    lanes::{Arkworks, Form, Lanes, NOTHING, Own, Place, Work},
};
use bytemuck::Zeroable;

/// Segments in a block.
pub(crate) const BLOCK: usize = 4096;
/// Entries of a segment that are laid out at a time.
const STAGE: usize = 16;
/// How many vectors ahead points are asked for.
const AHEAD: usize = 4;

/// Some entries of one bucket.
#[derive(Clone, Copy)]
struct Segment {
    start: u32,
    length: u32,
    /// Where its sum goes.
    target: u32,
}

/// The sums of buckets: entries `ends[b - 1]..ends[b]` name the points of bucket b.
pub(crate) fn sums<L: Lanes>(
    proof: L::Proof,
    bench: &mut Bench<L>,
    points: &[L::Point],
    in_own_form: bool,
    entries: &[u32],
    ends: &[u32],
) -> Vec<L::Point> {
    let average = entries.len() / ends.len().max(1);
    let mut round = Round::new(ends, (2 * average).clamp(16, 512));
    let mut sums = vec![L::Point::zeroed(); round.targets];
    let mut careful = if in_own_form {
        L::run(
            proof,
            Accumulate::<L, Own>::new(proof, bench, points, entries, &mut round.segments, &mut sums, false),
        )
    } else {
        let work = Accumulate::<L, Arkworks>::new(
            proof,
            bench,
            points,
            entries,
            &mut round.segments,
            &mut sums,
            false,
        );
        L::run(proof, work)
    };
    while !round.long.is_empty() {
        let mut partial = sums.split_off(ends.len());
        let entries: Vec<u32> = (0..partial.len() as u32).collect();
        round = Round::again(&round.long, ends.len());
        sums.resize(round.targets, L::Point::zeroed());
        let work = Accumulate::<L, Own>::new(
            proof,
            bench,
            &partial,
            &entries,
            &mut round.segments,
            &mut sums,
            careful,
        );
        careful |= L::run(proof, work);
        wipe(&mut partial);
    }
    sums
}

/// One round of adding up segments.
struct Round {
    segments: Vec<Segment>,
    /// Buckets cut into several: which, and where among the partial sums theirs begin and end.
    long: Vec<[u32; 3]>,
    buckets: u32,
    /// The buckets and, behind them, the partial sums.
    targets: usize,
}

impl Drop for Round {
    fn drop(&mut self) {
        self.segments.fill(Segment { start: 0, length: 0, target: 0 });
        std::hint::black_box(&mut self.segments);
        wipe(&mut self.long);
    }
}

impl Round {
    fn new(ends: &[u32], longest: usize) -> Self {
        let mut round = Self {
            segments: Vec::with_capacity(ends.len()),
            long: Vec::new(),
            buckets: ends.len() as u32,
            targets: ends.len(),
        };
        let mut start = 0;
        for (bucket, &end) in ends.iter().enumerate() {
            round.bucket(bucket as u32, start, end, longest as u32);
            start = end;
        }
        round
    }

    /// The partial sums of long buckets, by pairs.
    fn again(long: &[[u32; 3]], buckets: usize) -> Self {
        let mut round =
            Self { segments: Vec::new(), long: Vec::new(), buckets: buckets as u32, targets: buckets };
        for &[bucket, start, end] in long {
            round.bucket(bucket, start, end, 2);
        }
        round
    }

    fn bucket(&mut self, bucket: u32, start: u32, end: u32, longest: u32) {
        let length = end - start;
        if length == 0 {
            return;
        }
        if length <= longest {
            self.segments.push(Segment { start, length, target: bucket });
            return;
        }
        let parts = length.div_ceil(longest);
        let first = self.targets as u32;
        for part in 0..parts {
            let cut = |part: u32| start + (u64::from(length) * u64::from(part) / u64::from(parts)) as u32;
            let (start, end) = (cut(part), cut(part + 1));
            self.segments.push(Segment { start, length: end - start, target: first + part });
        }
        self.targets += parts as usize;
        // Counted from the first partial sum.
        let first = first - self.buckets;
        self.long.push([bucket, first, first + parts]);
    }
}

/// Adds up segments.
struct Accumulate<'a, L: Lanes, F> {
    proof: L::Proof,
    bench: &'a mut Bench<L>,
    points: &'a [L::Point],
    entries: &'a [u32],
    segments: &'a [Segment],
    sums: &'a mut [L::Point],
    careful: bool,
    form: std::marker::PhantomData<F>,
}

impl<'a, L: Lanes, F: Form> Accumulate<'a, L, F> {
    fn new(
        proof: L::Proof,
        bench: &'a mut Bench<L>,
        points: &'a [L::Point],
        entries: &'a [u32],
        segments: &'a mut [Segment],
        sums: &'a mut [L::Point],
        careful: bool,
    ) -> Self {
        segments.sort_unstable_by_key(|segment| std::cmp::Reverse(segment.length));
        Self { proof, bench, points, entries, segments, sums, careful, form: std::marker::PhantomData }
    }
}

impl<L: Lanes, F: Form> Work for Accumulate<'_, L, F> {
    type Output = bool;

    #[inline(always)]
    fn call(self) -> bool {
        let zero = L::zero(self.proof);
        let mut places = vec![Place { x: zero, y: zero }; BLOCK / L::WIDTH];
        let mut staged = vec![NOTHING; STAGE * BLOCK];
        let mut any_careful = self.careful;
        for block in self.segments.chunks(BLOCK) {
            stage(&mut staged, self.entries, block, 0);
            let step = Step::<L, F> {
                proof: self.proof,
                places: &mut places,
                points: self.points,
                staged: &staged[..BLOCK],
                next: &[],
                active: block.len(),
                form: std::marker::PhantomData,
            };
            for vector in 0..step.len() {
                step.places[vector] = L::settle(step.gathered(vector));
            }
            let mut careful = self.careful;
            let (mut active, mut number) = (block.len(), 0);
            loop {
                number += 1;
                while active > 0 && block[active - 1].length <= number {
                    active -= 1;
                }
                if active == 0 {
                    break;
                }
                let row = number as usize % STAGE;
                if row == 0 {
                    stage(&mut staged, self.entries, &block[..active], number);
                }
                let mut step = Step::<L, F> {
                    proof: self.proof,
                    places: &mut places,
                    points: self.points,
                    staged: &staged[row * BLOCK..(row + 1) * BLOCK],
                    next: staged.get((row + 1) * BLOCK..(row + 2) * BLOCK).unwrap_or_default(),
                    active,
                    form: std::marker::PhantomData,
                };
                careful |= self.bench.add(self.proof, &mut step, careful);
            }
            any_careful |= careful;
            for (vector, segments) in block.chunks(L::WIDTH).enumerate() {
                for (segment, point) in segments.iter().zip(L::put(&places[vector])) {
                    self.sums[segment.target as usize] = point;
                }
            }
        }
        wipe(&mut staged);
        places.fill(Place { x: zero, y: zero });
        std::hint::black_box(&mut places);
        any_careful
    }
}

/// Lays out the next entries of segments, from number `first` on: rows of the first, the second, ... of each. Read from
/// the segments themselves, every step would touch a cache line for each.
fn stage(staged: &mut [u32], entries: &[u32], segments: &[Segment], first: u32) {
    for (place, segment) in segments.iter().enumerate() {
        let start = (segment.start + first) as usize;
        let end = (start + STAGE).min((segment.start + segment.length) as usize);
        for (row, &entry) in entries.get(start..end).unwrap_or_default().iter().enumerate() {
            staged[row * BLOCK + place] = entry;
        }
    }
}

/// The next point of every active segment.
struct Step<'a, L: Lanes, F> {
    proof: L::Proof,
    places: &'a mut [Place<L>],
    points: &'a [L::Point],
    /// The entries of the segments.
    staged: &'a [u32],
    /// Those of the next step, if laid out already.
    next: &'a [u32],
    /// How many segments have such an entry: the first ones.
    active: usize,
    form: std::marker::PhantomData<F>,
}

impl<L: Lanes, F: Form> Step<'_, L, F> {
    #[inline(always)]
    fn gathered(&self, vector: usize) -> Place<L> {
        let mut entries = [NOTHING; 8];
        let first = vector * L::WIDTH;
        entries[..L::WIDTH].copy_from_slice(&self.staged[first..first + L::WIDTH]);
        let left = self.active - first;
        if left < L::WIDTH {
            entries[left..].fill(NOTHING);
        }
        L::gather::<F>(self.proof, self.points, &entries)
    }
}

impl<L: Lanes, F: Form> Additions<L> for Step<'_, L, F> {
    const DOUBLINGS: bool = false;
    const WATCHED: bool = false;

    #[inline(always)]
    fn len(&self) -> usize {
        self.active.div_ceil(L::WIDTH)
    }

    #[inline(always)]
    fn first(&self, vector: usize) -> &Place<L> {
        &self.places[vector]
    }

    #[inline(always)]
    fn second(&self, vector: usize) -> (Place<L>, u8) {
        let left = self.active - vector * L::WIDTH;
        let absent = if left < L::WIDTH { L::ALL << left } else { 0 };
        (self.gathered(vector), absent)
    }

    #[inline(always)]
    fn put(&mut self, vector: usize, sum: Place<L>) {
        self.places[vector] = sum;
    }

    #[inline(always)]
    fn expect(&self, vector: usize) {
        let first = (vector + AHEAD) * L::WIDTH;
        if let Some(entries) = self.staged.get(first..first + L::WIDTH) {
            for entry in entries {
                if let Some(point) = self.points.get((entry & NOTHING) as usize) {
                    L::fetch_near(point);
                }
            }
        }
    }

    #[inline(always)]
    fn passed(&self, vector: usize) {
        let first = vector * L::WIDTH;
        if let Some(entries) = self.next.get(first..first + L::WIDTH) {
            for entry in entries {
                if let Some(point) = self.points.get((entry & NOTHING) as usize) {
                    L::fetch_far(point);
                }
            }
        }
    }
}
