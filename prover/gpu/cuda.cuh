// The machine as CUDA knows it. Every call is checked; what CUDA answers becomes a code that says what to do next.

#pragma once

#include "nightingale_gpu.h"
#include "runtime.cuh"

namespace ng {
namespace runtime {

inline int32_t code_of(cudaError_t error) {
    switch (error) {
    case cudaErrorMemoryAllocation:
        return NG_OUT_OF_MEMORY;
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorInitializationError:
    case cudaErrorStubLibrary:
    case cudaErrorSystemNotReady:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorDevicesUnavailable:
        return NG_ABSENT;
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidPtx:
    case cudaErrorUnsupportedPtxVersion:
        return NG_UNSUPPORTED;
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorInvalidResourceHandle:
    case cudaErrorInvalidDevicePointer:
    case cudaErrorLaunchOutOfResources:
        return NG_BROKEN;
    default:
        // An illegal address, a memory error, a reset: the context is gone.
        return NG_LOST;
    }
}

inline void check(cudaError_t error, const char *what) {
    if (error == cudaSuccess) return;
    cudaGetLastError();
    throw Failure{code_of(error), std::string(what) + ": " + cudaGetErrorString(error)};
}

using Stream = cudaStream_t;

inline uint32_t abi_version() { return NG_ABI_VERSION; }

inline uint32_t device_count() {
    int count = 0;
    cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaErrorNoDevice) {
        cudaGetLastError();
        return 0;
    }
    check(error, "counting devices");
    return uint32_t(count);
}

inline void use(uint32_t index) { check(cudaSetDevice(int(index)), "choosing the device"); }

inline void memory(uint64_t *available, uint64_t *total) {
    size_t free_bytes = 0, total_bytes = 0;
    check(cudaMemGetInfo(&free_bytes, &total_bytes), "asking for free memory");
    *available = free_bytes;
    *total = total_bytes;
}

inline void properties(uint32_t index, ng_properties *out) {
    cudaDeviceProp found;
    check(cudaGetDeviceProperties(&found, int(index)), "asking for properties");
    int driver = 0;
    check(cudaDriverGetVersion(&driver), "asking for the driver's version");
    use(index);
    memory(&out->free_bytes, &out->memory_bytes);
    for (size_t i = 0; i + 1 < sizeof out->name && found.name[i] != 0; i++) out->name[i] = found.name[i];
    out->compute_major = uint32_t(found.major);
    out->compute_minor = uint32_t(found.minor);
    out->processors = uint32_t(found.multiProcessorCount);
    out->driver_version = uint32_t(driver);
}

inline void *allocate(size_t bytes) {
    void *pointer = nullptr;
    check(cudaMalloc(&pointer, bytes), "allocating");
    return pointer;
}

inline void release(void *pointer) { cudaFree(pointer); }

inline Stream open_stream() {
    Stream stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a stream");
    return stream;
}

inline void close_stream(Stream stream) { cudaStreamDestroy(stream); }
inline void wait(Stream stream) { check(cudaStreamSynchronize(stream), "waiting for the device"); }

inline void copy_in(Stream stream, void *to, const void *from, size_t bytes) {
    if (bytes != 0) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream), "copying in");
}

inline void copy_within(Stream stream, void *to, const void *from, size_t bytes) {
    if (bytes != 0) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream), "copying");
}

// The bytes are there after the next wait.
inline void copy_out(Stream stream, void *to, const void *from, size_t bytes) {
    if (bytes != 0) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream), "copying out");
}

inline void zero(Stream stream, void *pointer, size_t bytes) {
    if (bytes != 0) check(cudaMemsetAsync(pointer, 0, bytes, stream), "zeroing");
}

template <class Body> __global__ void __launch_bounds__(Body::THREADS) each_kernel(const Body body, uint64_t count) {
    uint64_t i = uint64_t(blockIdx.x) * Body::THREADS + threadIdx.x;
    if (i < count) body(i);
}

template <class Body> __global__ void __launch_bounds__(Body::THREADS) blocks_kernel(const Body body) {
    __shared__ typename Body::Shared shared;
    uint32_t phases = body.phases();
    for (uint32_t phase = 0; phase < phases; phase++) {
        if (phase != 0) __syncthreads();
        body.run(shared, blockIdx.x, threadIdx.x, phase);
    }
}

template <class Body> void each(Stream stream, const Body &body, uint64_t count) {
    if (count == 0) return;
    uint64_t grid = divide_up<uint64_t>(count, Body::THREADS);
    if (grid > 0x7fffffff) throw Failure{NG_UNSUPPORTED, "a kernel of more than 2^31 blocks"};
    each_kernel<Body><<<uint32_t(grid), Body::THREADS, 0, stream>>>(body, count);
    check(cudaGetLastError(), "launching");
}

// threads is at most Body::THREADS.
template <class Body> void blocks(Stream stream, const Body &body, uint64_t count, uint32_t threads) {
    if (count == 0) return;
    if (count > 0x7fffffff) throw Failure{NG_UNSUPPORTED, "a kernel of more than 2^31 blocks"};
    blocks_kernel<Body><<<uint32_t(count), threads, 0, stream>>>(body);
    check(cudaGetLastError(), "launching");
}

// Only the emulation lies.
inline bool falsified() { return false; }

}  // namespace runtime
}  // namespace ng
