// Points resident on a device, with the multiples of them that its memory allows.

#pragma once

#include "device.cuh"
#include "msm.cuh"

namespace ng {

template <class F> struct Bases {
    Shape shape;
    Memory table;

    // From affine points in the caller's memory. Without room for a table of multiples it does without.
    static Bases load(Device &device, Lane &lane, const void *points, uint32_t count, uint64_t table_bytes) {
        Shape shape = Shape::choose(count, sizeof(Affine<F>), table_bytes);
        try {
            return load_as(device, lane, points, shape);
        } catch (const Failure &failure) {
            if (failure.code != NG_OUT_OF_MEMORY || shape.levels == 1) throw;
        }
        return load_as(device, lane, points, Shape::choose(count, sizeof(Affine<F>), 0));
    }

    static Bases load_as(Device &device, Lane &lane, const void *points, const Shape &shape) {
        uint64_t bytes = uint64_t(shape.points) * sizeof(Affine<F>);
        Bases bases = {shape, Memory(device, shape.levels * bytes)};
        runtime::copy_in(lane.stream, bases.points(), points, bytes);
        fill_table(lane.stream, shape, bases.points());
        runtime::wait(lane.stream);
        return bases;
    }

    Affine<F> *points() const { return table.as<Affine<F>>(); }
};

// For each of the batch's vectors of scalars, each resident or in the caller's memory, its sum.
template <class F>
void multiply(Device &device, const Bases<F> &bases, const ng_scalars *scalars, uint64_t batch,
              const Fr *(*resident)(const ng_vector *), Jacobian<F> *out);

}  // namespace ng
