// A sparse product for each row, three transforms there and back, and a product of values.

#include "qap.cuh"

namespace ng {

namespace {

NG_INLINE Fr product(const Matrix &matrix, uint32_t row, const Fr *values) {
    Fr sum = Fr::zero();
    if (row >= matrix.rows) return sum;
    for (uint32_t term = matrix.starts[row]; term < matrix.starts[row + 1]; term++) {
        uint32_t coefficient = matrix.terms[2 * uint64_t(term)];
        Fr value = values[matrix.terms[2 * uint64_t(term) + 1]];
        if (coefficient == 0) {
            sum = sum + value;
        } else if (coefficient == 1) {
            sum = sum - value;
        } else {
            sum = sum + value * matrix.table[coefficient];
        }
    }
    return sum;
}

// The left factors, the right factors and the products of all rows. The rows after the matrices' hold the one and the public
// inputs in A, and nothing in B.
struct Factors {
    static constexpr uint32_t THREADS = 128;
    Reduction reduction;
    Quotients out;
    const Fr *assignments;
    uint64_t stride;

    NG_INLINE void operator()(uint64_t i) const {
        uint32_t row = uint32_t(i & ((uint64_t(1) << reduction.log_size) - 1));
        const Fr *values = assignments + (i >> reduction.log_size) * stride;
        Fr left = product(reduction.a, row, values), right = product(reduction.b, row, values);
        if (row >= reduction.a.rows && row - reduction.a.rows <= reduction.public_inputs) {
            left = values[row - reduction.a.rows];
        }
        Fr both = left * right;
        if (row < reduction.c.rows && !(both == product(reduction.c, row, values))) {
            lower(&out.broken[i >> reduction.log_size], row);
        }
        out.a[i] = left;
        out.b[i] = right;
        // On the domain these are C's values, if the assignment satisfies the constraints.
        out.c[i] = both;
    }
};

struct ClearBroken {
    static constexpr uint32_t THREADS = 32;
    uint32_t *broken;

    NG_INLINE void operator()(uint64_t i) const { broken[i] = NO_ROW; }
};

struct Shift {
    static constexpr uint32_t THREADS = 256;
    Fr *data;
    const Fr *shifts;
    uint32_t log_size;

    NG_INLINE void operator()(uint64_t i) const {
        data[i] = data[i] * shifts[i & ((uint64_t(1) << log_size) - 1)];
    }
};

struct Quotient {
    static constexpr uint32_t THREADS = 256;
    Quotients out;

    NG_INLINE void operator()(uint64_t i) const { out.a[i] = out.a[i] * out.b[i] - out.c[i]; }
};

}  // namespace

Quotients Quotients::plan(Layout &layout, uint32_t log_size, uint64_t batch) {
    uint64_t count = batch << log_size;
    Quotients q;
    q.a = layout.take<Fr>(count);
    q.broken = layout.take<uint32_t>(batch);
    uint64_t mark = layout.mark();
    q.b = layout.take<Fr>(count);
    q.c = layout.take<Fr>(count);
    layout.back_to(mark);
    return q;
}

void quotients(runtime::Stream stream, const Reduction &reduction, const Quotients &out, const Fr *assignments,
               uint64_t stride, uint64_t batch) {
    uint32_t log_size = reduction.log_size;
    uint64_t count = batch << log_size;
    runtime::each(stream, ClearBroken{out.broken}, batch);
    runtime::each(stream, Factors{reduction, out, assignments, stride}, count);
    for (Fr *data : {out.a, out.b, out.c}) {
        transform(stream, data, batch, log_size, reduction.powers, Order::Down, Root::Inverse);
        runtime::each(stream, Shift{data, reduction.shifts, log_size}, count);
        transform(stream, data, batch, log_size, reduction.powers, Order::Up, Root::Given);
    }
    runtime::each(stream, Quotient{out}, count);
}

}  // namespace ng
