// From assignments to the values of A B - C on the coset of odd points, which the H query multiplies: the reduction of circom
// and snarkjs (docs and reasons in prover/src/reduction.rs), for a batch of assignments at once.

#pragma once

#include "layout.cuh"
#include "ntt.cuh"

namespace ng {

// Rows side by side; a term is an index into the table of coefficients and a column. The table begins with 1 and -1, which are
// added without a product.
struct Matrix {
    const uint32_t *starts;
    const uint32_t *terms;
    const Fr *table;
    uint32_t rows;
};

struct Reduction {
    Matrix a, b, c;
    uint32_t public_inputs, log_size;
    const Fr *powers;  // of the domain's root
    const Fr *shifts;  // shift^i / n at the place with i's bits reversed
};

constexpr uint32_t NO_ROW = 0xffffffff;

struct Quotients {
    Fr *a, *b, *c;     // batch vectors of 2^log_size each, side by side; the result is in a
    uint32_t *broken;  // for each assignment the first row that it does not satisfy, or NO_ROW

    // a and broken stay taken, the others are given back.
    static Quotients plan(Layout &layout, uint32_t log_size, uint64_t batch);
};

// Assignment v is at assignments + v * stride.
void quotients(runtime::Stream stream, const Reduction &reduction, const Quotients &out, const Fr *assignments,
               uint64_t stride, uint64_t batch);

}  // namespace ng
