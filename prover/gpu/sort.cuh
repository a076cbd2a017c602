// Scalars to sorted bucket entries: the first half of Pippenger's method, for a batch of scalar vectors at once.

#pragma once

#include "field.cuh"
#include "layout.cuh"
#include "runtime.cuh"

namespace ng {

// How a set of bases is multiplied. A scalar, as a number of at most 253 bits with a sign, has `windows` signed digits of
// `window` bits. Window w = level * sets + set takes the points of table level `level`, which are 2^(window * sets * level)
// times the points, and puts them into the buckets of `set`. So the sum is that of 2^(window * set) times each set's, and
// with as many levels as windows there is one set and no doubling.
struct Shape {
    uint32_t points, window, windows, levels, sets;

    NG_INLINE uint32_t digits() const { return 1u << (window - 1); }
    NG_INLINE uint32_t buckets() const { return sets << (window - 1); }
    // Entries of one vector of scalars, at most.
    NG_INLINE uint64_t entries() const { return uint64_t(points) * windows; }

    // The cheapest by a count of field multiplications whose table fits into table_bytes; one level always does.
    static Shape choose(uint32_t points, size_t point_bytes, uint64_t table_bytes);
};

// Where the scalars are: vector v at base + v * stride, and in it scalar i at columns[i], or at i where columns is null.
struct ScalarSource {
    const Fr *base;
    uint64_t stride;
    const uint32_t *columns;
};

// An entry is a point of the table and, in the highest bit, whether it is negated.
constexpr uint32_t NEGATIVE = 0x80000000;

// The entries of all vectors by bucket: those of bucket b are entries[offsets[b] .. offsets[b + 1]]. The bucket of digit d in
// a set of vector v is (v * sets + set) * digits + d - 1.
struct Sorting {
    Shape shape;
    uint32_t batch;
    uint32_t *offsets;  // buckets() + 1
    uint32_t *cursors;  // buckets()
    uint32_t *totals;
    uint32_t *entries;

    static Sorting plan(Layout &layout, const Shape &shape, uint32_t batch);
    NG_INLINE uint32_t buckets() const { return batch * shape.buckets(); }
    NG_INLINE uint64_t capacity() const { return batch * shape.entries(); }
    // Whether positions and buckets fit 32 bits, with room.
    static bool fits(const Shape &shape, uint64_t batch);
};

void sort(runtime::Stream stream, const Sorting &sorting, const ScalarSource &scalars);

}  // namespace ng
