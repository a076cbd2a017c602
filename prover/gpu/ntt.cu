// Passes over memory, each doing up to ten of the log2(n) steps on a tile in shared memory. A step h pairs the elements i and
// i + 2^h. Down goes from the highest step to the lowest: (a, b) to (a + b, (a - b) w); up the other way round: (a, b) to
// (a + b w, a - b w); w = root^((i mod 2^h) n / 2^(h+1)).

#include "ntt.cuh"
#include "nightingale_gpu.h"

namespace ng {

namespace {

constexpr uint32_t LOG_TILE = 10;

// The steps low .. low + steps - 1. A tile has 2^steps elements that are 2^low apart, for each of 2^log_columns neighbours,
// so that memory is read in runs.
struct Pass {
    static constexpr uint32_t THREADS = 1u << (LOG_TILE - 1);
    struct Shared {
        Fr tile[1u << LOG_TILE];
    };
    Fr *data;
    const Fr *powers;
    uint32_t log_size, low, steps, log_columns;
    Order order;
    Root root;

    NG_INLINE uint32_t log_tile() const { return steps + log_columns; }
    NG_INLINE uint32_t phases() const { return steps + 2; }

    // Where element `local` of the block's tile is in memory, within its vector.
    NG_INLINE uint32_t place(uint32_t tile, uint32_t local) const {
        uint32_t runs = low - log_columns;  // log2 of how many runs of columns lie side by side
        uint32_t column = local & ((1u << log_columns) - 1), row = local >> log_columns;
        uint32_t run = tile & ((1u << runs) - 1), high = tile >> runs;
        return (high << (low + steps)) | (row << low) | (run << log_columns) | column;
    }

    // root^exponent or its inverse, for exponent < n / 2, up to the sign: root^(-e) = -root^(n/2 - e).
    NG_INLINE const Fr &power(uint32_t exponent, bool &negative) const {
        negative = root == Root::Inverse && exponent != 0;
        return powers[negative ? (1u << (log_size - 1)) - exponent : exponent];
    }

    NG_INLINE void run(Shared &shared, uint32_t block, uint32_t thread, uint32_t phase) const {
        uint32_t log_tiles = log_size - log_tile(), half = 1u << (log_tile() - 1);
        uint32_t tile = block & ((1u << log_tiles) - 1);
        Fr *vector = data + (uint64_t(block >> log_tiles) << log_size);
        if (phase == 0) {
            shared.tile[thread] = vector[place(tile, thread)];
            shared.tile[thread + half] = vector[place(tile, thread + half)];
        } else if (phase <= steps) {
            step(shared, tile, thread, order == Order::Down ? steps - phase : phase - 1);
        } else {
            vector[place(tile, thread)] = shared.tile[thread];
            vector[place(tile, thread + half)] = shared.tile[thread + half];
        }
    }

    NG_INLINE void step(Shared &shared, uint32_t tile, uint32_t thread, uint32_t bit) const {
        uint32_t column = thread & ((1u << log_columns) - 1), pair = thread >> log_columns;
        uint32_t row = ((pair >> bit) << (bit + 1)) | (pair & ((1u << bit) - 1));
        uint32_t first = (row << log_columns) | column, second = first + (1u << (bit + log_columns));
        uint32_t h = low + bit, index = place(tile, first) & ((1u << h) - 1);
        bool negative;
        const Fr &w = power(index << (log_size - 1 - h), negative);
        Fr a = shared.tile[first], b = shared.tile[second];
        if (order == Order::Down) {
            shared.tile[first] = a + b;
            shared.tile[second] = (negative ? b - a : a - b) * w;
        } else {
            Fr product = b * w;
            Fr sum = a + product, difference = a - product;
            shared.tile[first] = negative ? difference : sum;
            shared.tile[second] = negative ? sum : difference;
        }
    }
};

// Each thread takes a few in a row, so that it needs one power and then products.
struct Powers {
    static constexpr uint32_t THREADS = 128, EACH = 8;
    Fr *data;
    uint64_t count;
    Fr base, factor;
    uint32_t log_size;
    bool reversed, scale;

    NG_INLINE void operator()(uint64_t i) const {
        uint64_t first = i * EACH;
        Fr power = factor * base.power(first);
        for (uint64_t k = first; k < least(first + EACH, count); k++) {
            uint64_t place = reversed ? reverse_bits(uint32_t(k), log_size) : k;
            data[place] = scale ? data[place] * power : power;
            power = power * base;
        }
    }
};

struct ReversePlaces {
    static constexpr uint32_t THREADS = 256;
    Fr *data;
    uint32_t log_size;

    NG_INLINE void operator()(uint64_t i) const {
        uint32_t other = reverse_bits(uint32_t(i), log_size);
        if (other <= i) return;
        Fr element = data[i];
        data[i] = data[other];
        data[other] = element;
    }
};

struct Combine {
    static constexpr uint32_t THREADS = 256;
    Fr *left;
    const Fr *right;
    uint32_t operation;

    NG_INLINE void operator()(uint64_t i) const {
        Fr a = left[i], b = right[i];
        left[i] = operation == NG_ADD ? a + b : operation == NG_SUBTRACT ? a - b : a * b;
    }
};

void pass(runtime::Stream stream, Pass pass, uint64_t count) {
    uint64_t tiles = count << (pass.log_size - pass.log_tile());
    runtime::blocks(stream, pass, tiles, 1u << (pass.log_tile() - 1));
}

}  // namespace

void transform(runtime::Stream stream, Fr *data, uint64_t count, uint32_t log_size, const Fr *powers, Order order,
               Root root) {
    if (log_size == 0) return;
    // The lowest pass takes whole tiles in a row; the others share what is left evenly, in runs as long as a tile allows.
    uint32_t lowest = least(log_size, LOG_TILE), rest = log_size - lowest;
    uint32_t passes = divide_up(rest, LOG_TILE - 3);
    auto upper = [&](uint32_t i) {
        uint32_t begin = lowest + rest * i / passes, end = lowest + rest * (i + 1) / passes;
        pass(stream, {data, powers, log_size, begin, end - begin, LOG_TILE - (end - begin), order, root}, count);
    };
    auto lower = [&] { pass(stream, {data, powers, log_size, 0, lowest, 0, order, root}, count); };
    if (order == Order::Down) {
        for (uint32_t i = passes; i > 0; i--) upper(i - 1);
        lower();
    } else {
        lower();
        for (uint32_t i = 0; i < passes; i++) upper(i);
    }
}

void fill_powers(runtime::Stream stream, Fr *out, uint64_t count, const Fr &base, const Fr &factor, uint32_t log_size,
                 bool reversed) {
    Powers body = {out, count, base, factor, log_size, reversed, false};
    runtime::each(stream, body, divide_up<uint64_t>(count, Powers::EACH));
}

void scale_by_powers(runtime::Stream stream, Fr *data, uint64_t count, const Fr &base, const Fr &factor) {
    Powers body = {data, count, base, factor, 0, false, true};
    runtime::each(stream, body, divide_up<uint64_t>(count, Powers::EACH));
}

void reverse_places(runtime::Stream stream, Fr *data, uint32_t log_size) {
    runtime::each(stream, ReversePlaces{data, log_size}, uint64_t(1) << log_size);
}

void combine(runtime::Stream stream, Fr *left, const Fr *right, uint64_t count, uint32_t operation) {
    runtime::each(stream, Combine{left, right, operation}, count);
}

}  // namespace ng
