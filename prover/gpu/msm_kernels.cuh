// The kernels behind msm.cuh, as templates over the coordinate field.

#pragma once

#include "msm.cuh"

namespace ng {

// The last bucket in [from, buckets) that begins at or before the entry, which lies in one of them: the one that holds it,
// as empty buckets end where they begin.
NG_INLINE uint32_t bucket_of(const Sorting &sorting, uint32_t from, uint32_t entry) {
    uint32_t low = from, high = sorting.buckets() - 1;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (sorting.offsets[middle] <= entry) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

template <class F> struct Accumulate {
    static constexpr uint32_t THREADS = 128;
    Summing<F> summing;
    Sorting sorting;
    const Affine<F> *table;

    NG_INLINE void operator()(uint64_t i) const {
        uint32_t thread = uint32_t(i), first = thread * summing.grain;
        uint32_t total = sorting.offsets[sorting.buckets()];
        if (first >= total) return;
        uint32_t end = least(first + summing.grain, total), entry = first, bucket = 0;
        while (entry < end) {
            bucket = bucket_of(sorting, bucket, entry);
            uint32_t bucket_begin = sorting.offsets[bucket], bucket_end = sorting.offsets[bucket + 1];
            Extended<F> sum = Extended<F>::infinity();
            for (; entry < least(bucket_end, end); entry++) {
                uint32_t which = sorting.entries[entry];
                sum.add(table[which & ~NEGATIVE].negated_if((which & NEGATIVE) != 0));
            }
            if (bucket_begin < first) {
                summing.heads[thread] = sum;
            } else if (bucket_end > end) {
                summing.tails[thread] = sum;
            } else {
                summing.buckets[bucket] = sum;
            }
        }
    }
};

// One round: piece k takes in the pieces k + distance .. k + 15 distance, if 16 distance divides k. Two threads look at
// each thread of Accumulate: one at its head, one at its tail.
template <class F> struct Merge {
    static constexpr uint32_t THREADS = 128;
    Summing<F> summing;
    Sorting sorting;
    uint32_t distance;

    NG_INLINE void operator()(uint64_t i) const {
        uint32_t thread = uint32_t(i / 2), first = thread * summing.grain;
        bool tail = (i & 1) != 0;
        uint32_t total = sorting.offsets[sorting.buckets()];
        if (first >= total) return;
        uint32_t end = least(first + summing.grain, total);
        uint32_t bucket = bucket_of(sorting, 0, tail ? end - 1 : first);
        uint32_t begins = sorting.offsets[bucket], ends = sorting.offsets[bucket + 1];
        // A head began before its thread, a tail begins in its thread and goes on after it.
        if (tail ? begins < first || ends <= end : begins >= first) return;
        uint32_t first_thread = begins / summing.grain, last_thread = (ends - 1) / summing.grain;
        uint32_t piece = thread - first_thread, pieces = last_thread - first_thread + 1;
        if (piece % (FAN_IN * distance) != 0 || distance >= pieces) return;
        Extended<F> sum = tail ? summing.tails[thread] : summing.heads[thread];
        for (uint32_t k = 1; k < FAN_IN && piece + k * distance < pieces; k++) {
            sum.add(summing.heads[thread + k * distance]);
        }
        if (!tail) {
            summing.heads[thread] = sum;
        } else if (FAN_IN * distance >= pieces) {
            summing.buckets[bucket] = sum;
        } else {
            summing.tails[thread] = sum;
        }
    }
};

// The sum of d * bucket(d) over the chunk's digits d: from the top down every running sum is added once more, which weights
// bucket first + k by k; then first times the sum of all is added.
template <class F> struct Reduce {
    static constexpr uint32_t THREADS = 64;
    Summing<F> summing;

    NG_INLINE void operator()(uint64_t i) const {
        uint32_t set = uint32_t(i / summing.chunks), first = uint32_t(i % summing.chunks) * summing.chunk;
        const Extended<F> *buckets = summing.buckets + uint64_t(set) * summing.shape.digits();
        Extended<F> running = Extended<F>::infinity(), weighted = Extended<F>::infinity();
        for (uint32_t d = least(first + summing.chunk, summing.shape.digits()); d > first; d--) {
            running.add(buckets[d - 1]);
            weighted.add(running);
        }
        weighted.add(running.times(first));
        summing.pieces[i] = weighted;
    }
};

template <class F> struct AddChunks {
    static constexpr uint32_t THREADS = 64;
    Summing<F> summing;
    uint32_t distance;

    NG_INLINE void operator()(uint64_t i) const {
        uint32_t groups = divide_up(summing.chunks, FAN_IN * distance);
        uint32_t set = uint32_t(i / groups), first = uint32_t(i % groups) * FAN_IN * distance;
        Extended<F> *pieces = summing.pieces + uint64_t(set) * summing.chunks;
        Extended<F> sum = pieces[first];
        for (uint32_t k = 1; k < FAN_IN && first + k * distance < summing.chunks; k++) {
            sum.add(pieces[first + k * distance]);
        }
        pieces[first] = sum;
    }
};

template <class F> struct Finish {
    static constexpr uint32_t THREADS = 32;
    Summing<F> summing;
    Jacobian<F> *out;

    NG_INLINE void operator()(uint64_t vector) const {
        Extended<F> sum = Extended<F>::infinity();
        for (uint32_t set = summing.shape.sets; set > 0; set--) {
            for (uint32_t k = 0; k < summing.shape.window && !sum.is_infinity(); k++) sum = sum.doubled();
            sum.add(summing.pieces[(vector * summing.shape.sets + set - 1) * summing.chunks]);
        }
        out[vector] = sum.jacobian();
    }
};

template <class F> struct FillTable {
    static constexpr uint32_t THREADS = 64;
    Shape shape;
    Affine<F> *table;

    NG_INLINE void operator()(uint64_t point) const {
        for (uint32_t level = 1; level < shape.levels; level++) {
            Extended<F> multiple = Extended<F>::from(table[uint64_t(level - 1) * shape.points + point]);
            for (uint32_t k = 0; k < shape.window * shape.sets; k++) multiple = multiple.doubled();
            table[uint64_t(level) * shape.points + point] = multiple.affine();
        }
    }
};

template <class F> struct AddSums {
    static constexpr uint32_t THREADS = 32;
    Jacobian<F> *left;
    const Jacobian<F> *right;

    NG_INLINE static Extended<F> extended(const Jacobian<F> &point) {
        F zz = point.z.squared();
        return {point.x, point.y, zz, zz * point.z};
    }

    NG_INLINE void operator()(uint64_t i) const {
        Extended<F> sum = extended(left[i]);
        sum.add(extended(right[i]));
        left[i] = sum.jacobian();
    }
};

template <class F> Summing<F> Summing<F>::plan(Layout &layout, const Shape &shape, uint32_t batch) {
    // Enough threads to fill a large GPU several times over, and no more: each costs two sums in memory.
    constexpr uint64_t ENOUGH = 1 << 17;
    uint64_t entries = batch * shape.entries(), buckets = uint64_t(batch) * shape.buckets();
    Summing s = {};
    s.shape = shape;
    s.batch = batch;
    for (s.grain = 64; s.grain > 8 && entries / s.grain < ENOUGH; s.grain /= 2) {}
    for (s.chunk = 32; s.chunk > 4 && buckets / s.chunk < ENOUGH / 8; s.chunk /= 2) {}
    s.threads = uint32_t(divide_up<uint64_t>(entries, s.grain));
    s.chunks = divide_up(shape.digits(), s.chunk);
    s.buckets = layout.take<Extended<F>>(buckets);
    s.heads = layout.take<Extended<F>>(s.threads);
    s.tails = layout.take<Extended<F>>(s.threads);
    s.pieces = layout.take<Extended<F>>(uint64_t(batch) * shape.sets * s.chunks);
    return s;
}

template <class F>
void sum(runtime::Stream stream, const Summing<F> &summing, const Sorting &sorting, const Affine<F> *table,
         Jacobian<F> *out) {
    uint64_t sets = uint64_t(summing.batch) * summing.shape.sets;
    runtime::zero(stream, summing.buckets, sizeof(Extended<F>) * sets * summing.shape.digits());
    runtime::each(stream, Accumulate<F>{summing, sorting, table}, summing.threads);
    for (uint64_t distance = 1; distance < summing.threads; distance *= FAN_IN) {
        runtime::each(stream, Merge<F>{summing, sorting, uint32_t(distance)}, 2 * uint64_t(summing.threads));
    }
    runtime::each(stream, Reduce<F>{summing}, sets * summing.chunks);
    for (uint64_t distance = 1; distance < summing.chunks; distance *= FAN_IN) {
        uint64_t groups = divide_up<uint64_t>(summing.chunks, FAN_IN * distance);
        runtime::each(stream, AddChunks<F>{summing, uint32_t(distance)}, sets * groups);
    }
    runtime::each(stream, Finish<F>{summing, out}, summing.batch);
}

template <class F> void fill_table(runtime::Stream stream, const Shape &shape, Affine<F> *table) {
    if (shape.levels > 1) runtime::each(stream, FillTable<F>{shape, table}, shape.points);
}

template <class F> void add_sums(runtime::Stream stream, Jacobian<F> *left, const Jacobian<F> *right, uint64_t count) {
    runtime::each(stream, AddSums<F>{left, right}, count);
}

#define NG_MAKE_MSM(F)                                                                                            \
    template struct Summing<F>;                                                                                   \
    template void sum<F>(runtime::Stream, const Summing<F> &, const Sorting &, const Affine<F> *, Jacobian<F> *); \
    template void fill_table<F>(runtime::Stream, const Shape &, Affine<F> *);                                     \
    template void add_sums<F>(runtime::Stream, Jacobian<F> *, const Jacobian<F> *, uint64_t);

}  // namespace ng
