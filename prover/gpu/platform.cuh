// What the two builds of these sources share: nvcc makes the GPU library, any C++17 compiler makes the emulation, which
// runs the same kernels on the processor, so that they can be tested where there is no GPU.

#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#define NG_INLINE __host__ __device__ __forceinline__
#define NG_CALL __host__ __device__ __noinline__
#define NG_UNROLL _Pragma("unroll")
#else
#define NG_INLINE inline
#define NG_CALL __attribute__((noinline))
#define NG_UNROLL
#endif

namespace ng {

// Adds to a counter that other threads add to, and returns what it held.
NG_INLINE uint32_t fetch_add(uint32_t *counter, uint32_t amount) {
#if defined(__CUDA_ARCH__)
    return atomicAdd(counter, amount);
#else
    uint32_t before = *counter;
    *counter += amount;
    return before;
#endif
}

// Lowers a number that other threads lower.
NG_INLINE void lower(uint32_t *number, uint32_t value) {
#if defined(__CUDA_ARCH__)
    atomicMin(number, value);
#else
    if (value < *number) *number = value;
#endif
}

NG_INLINE uint32_t reverse_bits(uint32_t value, uint32_t bits) {
    if (bits == 0) return 0;
#if defined(__CUDA_ARCH__)
    return __brev(value) >> (32 - bits);
#else
    uint32_t reversed = 0;
    for (uint32_t i = 0; i < bits; i++) reversed |= ((value >> i) & 1u) << (bits - 1 - i);
    return reversed;
#endif
}

template <class T> NG_INLINE T least(T a, T b) { return a < b ? a : b; }
template <class T> NG_INLINE T divide_up(T a, T b) { return (a + b - 1) / b; }

}  // namespace ng
