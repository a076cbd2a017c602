// A counting sort: count the entries of each bucket, sum the counts up, put every entry in its place. The order within a
// bucket is left open; no sum depends on it.

#include "sort.cuh"

namespace ng {

namespace {

// Whether the number is above half the modulus; then the modulus minus it is the shorter, with the other sign.
NG_INLINE bool above_half(const Fr &number) {
    Carry carry;
    Fr other;
    other.limb[0] = carry.subtract_start(ScalarField::modulus(0), number.limb[0]);
    NG_UNROLL
    for (int i = 1; i < 8; i++) other.limb[i] = carry.subtract_next(ScalarField::modulus(i), number.limb[i]);
    carry.subtract_start(other.limb[0], number.limb[0]);
    NG_UNROLL
    for (int i = 1; i < 8; i++) carry.subtract_next(other.limb[i], number.limb[i]);
    return carry.subtract_end(0, 0) != 0;
}

// Calls visit(window, digit, negative) for each digit that is not 0; digits are 1 .. 2^(window - 1).
template <class Visit> NG_INLINE void for_each_digit(const Fr &scalar, const Shape &shape, Visit visit) {
    Fr number = scalar.canonical();
    bool negative = above_half(number);
    if (negative) number = number.negated();
    uint32_t carry = 0;
    for (uint32_t window = 0; window < shape.windows; window++) {
        uint32_t digit = (number.limb[0] & ((1u << shape.window) - 1)) + carry;
        carry = digit > shape.digits() ? 1 : 0;
        uint32_t size = carry ? (1u << shape.window) - digit : digit;
        if (size != 0) visit(window, size, negative != (carry != 0));
        NG_UNROLL
        for (int i = 0; i < 7; i++) {
            number.limb[i] = (number.limb[i] >> shape.window) | (number.limb[i + 1] << (32 - shape.window));
        }
        number.limb[7] >>= shape.window;
    }
}

struct Place {
    uint32_t bucket, entry;
};

NG_INLINE Place place(const Shape &shape, uint32_t vector, uint32_t point, uint32_t window, uint32_t digit,
                      bool negative) {
    uint32_t level = window / shape.sets, set = window % shape.sets;
    return {(vector * shape.sets + set) * shape.digits() + digit - 1,
            (level * shape.points + point) | (negative ? NEGATIVE : 0)};
}

NG_INLINE Fr scalar_of(const ScalarSource &scalars, uint32_t vector, uint32_t point) {
    return scalars.base[vector * scalars.stride + (scalars.columns ? scalars.columns[point] : point)];
}

struct CountDigits {
    static constexpr uint32_t THREADS = 128;
    Sorting sorting;
    ScalarSource scalars;

    NG_INLINE void operator()(uint64_t i) const {
        const Shape &shape = sorting.shape;
        uint32_t vector = uint32_t(i / shape.points), point = uint32_t(i % shape.points);
        for_each_digit(scalar_of(scalars, vector, point), shape, [&](uint32_t window, uint32_t digit, bool negative) {
            fetch_add(&sorting.cursors[place(shape, vector, point, window, digit, negative).bucket], 1);
        });
    }
};

struct PlaceDigits {
    static constexpr uint32_t THREADS = 128;
    Sorting sorting;
    ScalarSource scalars;

    NG_INLINE void operator()(uint64_t i) const {
        const Shape &shape = sorting.shape;
        uint32_t vector = uint32_t(i / shape.points), point = uint32_t(i % shape.points);
        for_each_digit(scalar_of(scalars, vector, point), shape, [&](uint32_t window, uint32_t digit, bool negative) {
            Place at = place(shape, vector, point, window, digit, negative);
            sorting.entries[fetch_add(&sorting.cursors[at.bucket], 1)] = at.entry;
        });
    }
};

// Exclusive sums within blocks of TILE counts, and each block's total.
struct SumBlocks {
    static constexpr uint32_t THREADS = 256, EACH = 8, TILE = THREADS * EACH, STEPS = 8;
    struct Shared {
        uint32_t sums[2][THREADS];
    };
    Sorting sorting;

    NG_INLINE uint32_t phases() const { return STEPS + 2; }

    NG_INLINE void run(Shared &shared, uint32_t block, uint32_t thread, uint32_t phase) const {
        uint32_t first = block * TILE + thread * EACH, count = sorting.buckets();
        if (phase == 0) {
            uint32_t sum = 0;
            for (uint32_t i = first; i < least(first + EACH, count); i++) sum += sorting.cursors[i];
            shared.sums[0][thread] = sum;
        } else if (phase <= STEPS) {
            // Hillis and Steele: after step s a place holds the sum of the 2^s up to it.
            uint32_t distance = 1u << (phase - 1);
            const uint32_t *from = shared.sums[(phase - 1) % 2];
            shared.sums[phase % 2][thread] = from[thread] + (thread >= distance ? from[thread - distance] : 0);
        } else {
            const uint32_t *sums = shared.sums[STEPS % 2];
            uint32_t sum = thread == 0 ? 0 : sums[thread - 1];
            for (uint32_t i = first; i < least(first + EACH, count); i++) {
                sorting.offsets[i] = sum;
                sum += sorting.cursors[i];
            }
            if (thread == THREADS - 1) sorting.totals[block] = sums[thread];
        }
    }
};

// The totals' exclusive sums in place, by one block, and the sum of all as the last offset.
struct SumTotals {
    static constexpr uint32_t THREADS = 256;
    struct Shared {
        uint32_t sums[THREADS + 1];
    };
    Sorting sorting;
    uint32_t count;

    NG_INLINE uint32_t phases() const { return 3; }

    NG_INLINE void run(Shared &shared, uint32_t, uint32_t thread, uint32_t phase) const {
        uint32_t share = divide_up(count, THREADS);
        uint32_t first = least(thread * share, count), end = least(first + share, count);
        if (phase == 0) {
            uint32_t sum = 0;
            for (uint32_t i = first; i < end; i++) sum += sorting.totals[i];
            shared.sums[thread + 1] = sum;
        } else if (phase == 1) {
            if (thread != 0) return;
            shared.sums[0] = 0;
            for (uint32_t i = 1; i <= THREADS; i++) shared.sums[i] += shared.sums[i - 1];
        } else {
            uint32_t sum = shared.sums[thread];
            for (uint32_t i = first; i < end; i++) {
                uint32_t total = sorting.totals[i];
                sorting.totals[i] = sum;
                sum += total;
            }
            if (thread == THREADS - 1) sorting.offsets[sorting.buckets()] = shared.sums[THREADS];
        }
    }
};

struct AddTotals {
    static constexpr uint32_t THREADS = 256;
    Sorting sorting;

    NG_INLINE void operator()(uint64_t i) const {
        uint32_t offset = sorting.offsets[i] + sorting.totals[i / SumBlocks::TILE];
        sorting.offsets[i] = offset;
        sorting.cursors[i] = offset;
    }
};

}  // namespace

Shape Shape::choose(uint32_t points, size_t point_bytes, uint64_t table_bytes) {
    // Field multiplications: 10 for an entry's mixed addition; for a bucket two additions of 14 each and a share of the
    // multiplications of chunk sums; 9 for a doubling, whose latency at the end counts for more.
    constexpr double ENTRY = 10, BUCKET = 40, DOUBLING = 9 * 64;
    Shape best = {points, 4, 64, 1, 64};
    double least_cost = -1;
    for (uint32_t window = 4; window <= 20; window++) {
        uint32_t windows = 253 / window + 1;
        for (uint32_t sets = 1; sets <= windows; sets++) {
            uint32_t levels = divide_up(windows, sets);
            bool fits = uint64_t(points) * levels * point_bytes <= table_bytes && uint64_t(points) * levels < NEGATIVE;
            if (levels > 1 && !fits) continue;
            double cost = ENTRY * points * windows + BUCKET * sets * (1u << (window - 1)) + DOUBLING * window * (sets - 1);
            if (least_cost < 0 || cost < least_cost) {
                least_cost = cost;
                best = {points, window, windows, levels, sets};
            }
        }
    }
    return best;
}

bool Sorting::fits(const Shape &shape, uint64_t batch) {
    constexpr uint64_t MOST = uint64_t(1) << 31;
    return batch * shape.entries() < MOST && batch * shape.buckets() < MOST && batch * shape.points < MOST;
}

Sorting Sorting::plan(Layout &layout, const Shape &shape, uint32_t batch) {
    Sorting sorting = {shape, batch, nullptr, nullptr, nullptr, nullptr};
    sorting.offsets = layout.take<uint32_t>(uint64_t(sorting.buckets()) + 1);
    sorting.cursors = layout.take<uint32_t>(sorting.buckets());
    sorting.totals = layout.take<uint32_t>(divide_up(sorting.buckets(), SumBlocks::TILE));
    sorting.entries = layout.take<uint32_t>(sorting.capacity());
    return sorting;
}

void sort(runtime::Stream stream, const Sorting &sorting, const ScalarSource &scalars) {
    uint64_t count = uint64_t(sorting.batch) * sorting.shape.points;
    uint32_t tiles = divide_up(sorting.buckets(), SumBlocks::TILE);
    runtime::zero(stream, sorting.cursors, sizeof(uint32_t) * uint64_t(sorting.buckets()));
    runtime::each(stream, CountDigits{sorting, scalars}, count);
    runtime::blocks(stream, SumBlocks{sorting}, tiles, SumBlocks::THREADS);
    runtime::blocks(stream, SumTotals{sorting, tiles}, 1, SumTotals::THREADS);
    runtime::each(stream, AddTotals{sorting}, sorting.buckets());
    runtime::each(stream, PlaceDigits{sorting, scalars}, count);
}

}  // namespace ng
