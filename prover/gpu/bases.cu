// Batches over resident points, in pieces that fit the memory.

#include "bases.cuh"

namespace ng {

namespace {

template <class F> struct Work {
    Fr *scalars;
    Jacobian<F> *out;
    Sorting sorting;
    Summing<F> summing;

    static Work plan(Layout &layout, const Shape &shape, uint32_t batch) {
        Work work;
        work.scalars = layout.take<Fr>(uint64_t(batch) * shape.points);
        work.out = layout.take<Jacobian<F>>(batch);
        work.sorting = Sorting::plan(layout, shape, batch);
        work.summing = Summing<F>::plan(layout, shape, batch);
        return work;
    }

    static uint64_t bytes(const Shape &shape, uint32_t batch) {
        Layout layout;
        plan(layout, shape, batch);
        return layout.bytes();
    }
};

template <class F> uint32_t piece(const Device &device, const Shape &shape, uint64_t batch) {
    constexpr uint64_t MOST = 256;
    uint32_t count = uint32_t(least(batch, MOST));
    while (count > 1 && (!Sorting::fits(shape, count) || Work<F>::bytes(shape, count) > device.workspace())) {
        count -= divide_up(count, 8u);
    }
    if (!Sorting::fits(shape, count)) throw Failure{NG_UNSUPPORTED, "a multiplication of so many points"};
    return count;
}

}  // namespace

template <class F>
void multiply(Device &device, const Bases<F> &bases, const ng_scalars *scalars, uint64_t batch,
              const Fr *(*resident)(const ng_vector *), Jacobian<F> *out) {
    const Shape &shape = bases.shape;
    uint64_t bytes = uint64_t(shape.points) * sizeof(Fr);
    Lanes lanes(device, 1);
    Lane &lane = lanes[0];
    uint32_t most = piece<F>(device, shape, batch);
    for (uint64_t first = 0; first < batch; first += most) {
        uint32_t count = uint32_t(least<uint64_t>(most, batch - first));
        Layout layout(lane.reserve(device, Work<F>::bytes(shape, count)));
        Work<F> work = Work<F>::plan(layout, shape, count);
        for (uint32_t i = 0; i < count; i++) {
            const ng_scalars &from = scalars[first + i];
            Fr *to = work.scalars + uint64_t(i) * shape.points;
            if (from.host != nullptr) {
                runtime::copy_in(lane.stream, to, from.host, bytes);
            } else if (bytes != 0) {
                runtime::copy_within(lane.stream, to, resident(from.resident), bytes);
            }
        }
        sort(lane.stream, work.sorting, ScalarSource{work.scalars, shape.points, nullptr});
        sum(lane.stream, work.summing, work.sorting, bases.points(), work.out);
        runtime::copy_out(lane.stream, out + first, work.out, count * sizeof(Jacobian<F>));
        lane.finish();
        if (runtime::falsified()) out[first] = Jacobian<F>{F::one(), F::one(), F::zero()};
    }
}

template void multiply<Fq>(Device &, const Bases<Fq> &, const ng_scalars *, uint64_t,
                           const Fr *(*)(const ng_vector *), Jacobian<Fq> *);
template void multiply<Fq2>(Device &, const Bases<Fq2> &, const ng_scalars *, uint64_t,
                            const Fr *(*)(const ng_vector *), Jacobian<Fq2> *);

}  // namespace ng
