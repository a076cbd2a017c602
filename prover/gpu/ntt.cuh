// Number-theoretic transforms of many vectors at once, and other work on whole vectors.
//
// The root's powers are a table of the caller's: root^0 .. root^(n/2 - 1). A transform down takes natural order to
// bit-reversed order, one up takes bit-reversed order back: between the two no permutation is needed.

#pragma once

#include "field.cuh"
#include "runtime.cuh"

namespace ng {

enum class Order : uint32_t { Down, Up };
enum class Root : uint32_t { Given, Inverse };

// Transforms `count` vectors of 2^log_size elements, one after the other in memory, in place: the values at the powers of the
// root or of its inverse. No factor 1/n.
void transform(runtime::Stream stream, Fr *data, uint64_t count, uint32_t log_size, const Fr *powers, Order order,
               Root root);

// out[i] = factor * base^i, i < count; at the place with i's log_size bits reversed where `reversed`.
void fill_powers(runtime::Stream stream, Fr *out, uint64_t count, const Fr &base, const Fr &factor, uint32_t log_size,
                 bool reversed);

// data[i] = data[i] * factor * base^i.
void scale_by_powers(runtime::Stream stream, Fr *data, uint64_t count, const Fr &base, const Fr &factor);

// Swaps elements with those at the reversed places.
void reverse_places(runtime::Stream stream, Fr *data, uint32_t log_size);

// left[i] = left[i] operation right[i], with an operation of nightingale_gpu.h.
void combine(runtime::Stream stream, Fr *left, const Fr *right, uint64_t count, uint32_t operation);

}  // namespace ng
