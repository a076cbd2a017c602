//! Tables of multiples of fixed points: copy t holds the points times `2^(bits * sets * t)`.
#![expect(clippy::needless_range_loop, reason = "closures would not be compiled for these instructions")]

use super::digits::Layout;
use crate::device::cpu::{
    batch::{Additions, Bench},
    lanes::{Arkworks, Lanes, Place, Work},
};
use crate::device::points::Slab;
use bytemuck::Zeroable;
use memmap2::MmapMut;
use rayon::prelude::*;
use std::sync::Arc;

/// Points doubled together, in vectors of one lane.
const TOGETHER: usize = 4096;

/// The table, in the lanes' own form. It lies in huge pages where the system has them: it is read at random.
pub(crate) fn multiples<L: Lanes>(proof: L::Proof, points: &[L::Point], layout: &Layout) -> Slab<L::Point> {
    let count = layout.windows.div_ceil(layout.sets) * points.len();
    let bytes = count * size_of::<L::Point>();
    if let Ok(mut memory) = MmapMut::map_anon(bytes) {
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        if let Ok(table) = bytemuck::try_cast_slice_mut(&mut memory) {
            fill::<L>(proof, points, layout, table);
        }
        if let Some(table) =
            memory.make_read_only().ok().and_then(|memory| Slab::mapped(Arc::new(memory), 0..bytes))
        {
            return table;
        }
    }
    let mut table = vec![L::Point::zeroed(); count];
    fill::<L>(proof, points, layout, &mut table);
    Slab::from(table)
}

fn fill<L: Lanes>(proof: L::Proof, points: &[L::Point], layout: &Layout, table: &mut [L::Point]) {
    // The same part of every copy goes to the same task.
    let mut parts: Vec<Vec<&mut [L::Point]>> = points.chunks(TOGETHER).map(|_| Vec::new()).collect();
    for copy in table.chunks_mut(points.len()) {
        for (part, place) in parts.iter_mut().zip(copy.chunks_mut(TOGETHER)) {
            part.push(place);
        }
    }
    parts.into_par_iter().zip(points.par_chunks(TOGETHER)).for_each(|(copies, points)| {
        L::run(proof, Fill::<L> { proof, points, copies, doublings: layout.bits * layout.sets });
    });
}

/// Fills the part of a table.
struct Fill<'a, L: Lanes> {
    proof: L::Proof,
    points: &'a [L::Point],
    copies: Vec<&'a mut [L::Point]>,
    doublings: usize,
}

impl<L: Lanes> Work for Fill<'_, L> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let vectors = self.points.len().div_ceil(L::WIDTH);
        let mut bench = Bench::new(self.proof, vectors);
        let mut places = Vec::with_capacity(vectors);
        for vector in 0..vectors {
            let mut entries = [0; 8];
            for lane in 0..L::WIDTH {
                entries[lane] = (vector * L::WIDTH + lane) as u32;
            }
            places.push(L::settle(L::gather::<Arkworks>(self.proof, self.points, &entries)));
        }
        for (t, copy) in self.copies.into_iter().enumerate() {
            if t > 0 {
                for _ in 0..self.doublings {
                    bench.add(self.proof, &mut Doublings(&mut places), false);
                }
            }
            for (place, points) in places.iter().zip(copy.chunks_mut(L::WIDTH)) {
                points.copy_from_slice(&L::put(place)[..points.len()]);
            }
        }
    }
}

/// Places doubled.
struct Doublings<'a, L>(&'a mut [Place<L>]);

impl<L: Lanes> Additions<L> for Doublings<'_, L> {
    const DOUBLINGS: bool = true;
    const WATCHED: bool = true;

    #[inline(always)]
    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn first(&self, vector: usize) -> &Place<L> {
        &self.0[vector]
    }

    #[inline(always)]
    fn second(&self, vector: usize) -> (Place<L>, u8) {
        (self.0[vector], 0)
    }

    #[inline(always)]
    fn put(&mut self, vector: usize, sum: Place<L>) {
        self.0[vector] = sum;
    }

    #[inline(always)]
    fn expect(&self, _: usize) {}

    #[inline(always)]
    fn passed(&self, _: usize) {}
}
