// Sorted bucket entries to sums of points: the second half of Pippenger's method, for a batch at once. The kernels are the
// same for G1 and G2; msm_g1.cu and msm_g2.cu make them, so that the compiler works on both at a time.
//
// 1. Accumulate: a thread adds up `grain` entries in a row, whatever their buckets, so that a bucket that most scalars fall
//    into (that of 1, in a witness) is shared by many threads. What a bucket has in one thread alone is its sum; what it has
//    in several are its pieces: the first in tails[], the others in heads[], at the place of their thread.
// 2. Merge: pieces are added sixteen to one until one is left.
// 3. Reduce: threads take `chunk` buckets in a row and weight them by their digits; the chunks' sums are added sixteen to one.
// 4. Finish: each vector's sets are put together by doublings, and leave in Jacobian coordinates.

#pragma once

#include "curve.cuh"
#include "sort.cuh"

namespace ng {

constexpr uint32_t FAN_IN = 16;

template <class F> struct Summing {
    Shape shape;
    uint32_t batch;
    uint32_t grain, threads;  // entries of a thread, and how many threads that takes at most
    uint32_t chunk, chunks;   // buckets of a thread, and how many threads a set takes
    Extended<F> *buckets, *heads, *tails, *pieces;

    static Summing plan(Layout &layout, const Shape &shape, uint32_t batch);
};

// table holds shape.levels times shape.points points. Writes one sum for each vector.
template <class F>
void sum(runtime::Stream stream, const Summing<F> &summing, const Sorting &sorting, const Affine<F> *table,
         Jacobian<F> *out);

// Fills the levels above the first of a table whose first level is there.
template <class F> void fill_table(runtime::Stream stream, const Shape &shape, Affine<F> *table);

// left[i] += right[i].
template <class F> void add_sums(runtime::Stream stream, Jacobian<F> *left, const Jacobian<F> *right, uint64_t count);

}  // namespace ng
