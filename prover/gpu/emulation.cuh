// The machine played on the processor, for tests where there is no GPU: the same kernels, one thread after the other.
//
// What a GPU would do in no particular order is done in three different orders in turn, and shared memory begins with
// garbage: a kernel that leans on an order or on zeros fails here too. Compiled with the address sanitizer it also catches
// what leaves an allocation. It cannot show what only true concurrency does, nor anything about speed.

#pragma once

#include "nightingale_gpu.h"
#include "runtime.cuh"
#if defined(NG_INTERPRETED)
#include "interpreter.hpp"
#include <typeinfo>
#endif
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace ng {
namespace runtime {

// How the emulated machine is; ng_emulate changes it.
struct Machine {
    std::atomic<uint32_t> version{NG_ABI_VERSION};
    std::atomic<uint32_t> devices{1};
    std::atomic<uint64_t> bytes{uint64_t(1) << 30};
    std::atomic<uint64_t> allocated{0};
    std::atomic<uint64_t> launches{0};
    std::atomic<uint64_t> lost_at{0};
    std::atomic<bool> lies{false}, keeping{false};
    std::mutex blocks_lock;
    std::vector<std::pair<const char *, size_t>> blocks;
};

inline Machine &machine() {
    static Machine machine;
    return machine;
}

constexpr uint32_t NO_DRIVER = 0xffffffff;

// A device has no streams of its own here: every call has ended when it returns.
using Stream = uint32_t;

inline uint32_t abi_version() { return machine().version; }

inline uint32_t device_count() {
    uint32_t count = machine().devices;
    if (count == NO_DRIVER) throw Failure{NG_ABSENT, "counting devices: there is no driver"};
    return count;
}

inline void use(uint32_t index) {
    if (index >= device_count()) throw Failure{NG_ABSENT, "choosing the device: there is no such device"};
}

inline void memory(uint64_t *available, uint64_t *total) {
    uint64_t all = machine().bytes, taken = machine().allocated;
    *total = all;
    *available = taken < all ? all - taken : 0;
}

inline void properties(uint32_t index, ng_properties *out) {
    use(index);
    memory(&out->free_bytes, &out->memory_bytes);
    std::strncpy(out->name, "emulation", sizeof out->name - 1);
    out->processors = 1;
}

inline void *allocate(size_t bytes) {
    constexpr size_t ALIGNMENT = 256;
    Machine &now = machine();
    void *memory = nullptr;
    if (now.allocated.fetch_add(bytes) + bytes <= now.bytes) {
        memory = std::aligned_alloc(ALIGNMENT, divide_up(bytes, ALIGNMENT) * ALIGNMENT);
    }
    if (memory == nullptr) {
        now.allocated -= bytes;
        throw Failure{NG_OUT_OF_MEMORY, "allocating: out of memory"};
    }
    std::memset(memory, 0xa5, bytes);
    std::lock_guard<std::mutex> lock(now.blocks_lock);
    now.blocks.emplace_back(static_cast<const char *>(memory), bytes);
    return memory;
}

inline void release(void *memory) {
    Machine &now = machine();
    std::lock_guard<std::mutex> lock(now.blocks_lock);
    for (size_t i = 0; i < now.blocks.size(); i++) {
        if (now.blocks[i].first != memory) continue;
        now.allocated -= now.blocks[i].second;
        if (now.keeping) return;
        now.blocks[i] = now.blocks.back();
        now.blocks.pop_back();
        std::free(memory);
        return;
    }
}

inline bool holds(const void *bytes, size_t length) {
    std::lock_guard<std::mutex> lock(machine().blocks_lock);
    for (auto &block : machine().blocks) {
        for (size_t i = 0; i + length <= block.second; i += length) {
            if (std::memcmp(block.first + i, bytes, length) == 0) return true;
        }
    }
    return false;
}

inline Stream open_stream() { return 0; }
inline void close_stream(Stream) {}
inline void wait(Stream) {}

inline void copy(void *to, const void *from, size_t bytes) {
    if (bytes != 0) std::memcpy(to, from, bytes);
}
inline void copy_in(Stream, void *to, const void *from, size_t bytes) { copy(to, from, bytes); }
inline void copy_within(Stream, void *to, const void *from, size_t bytes) { copy(to, from, bytes); }
inline void copy_out(Stream, void *to, const void *from, size_t bytes) { copy(to, from, bytes); }
inline void zero(Stream, void *pointer, size_t bytes) {
    if (bytes != 0) std::memset(pointer, 0, bytes);
}

// Counts a launch; it may be the one that loses the device.
inline uint64_t launch() {
    uint64_t number = ++machine().launches;
    uint64_t lost_at = machine().lost_at;
    if (lost_at != 0 && number >= lost_at) throw Failure{NG_LOST, "launching: the device fell off the bus"};
    return number;
}

// The i-th of count things in the order of this launch: upwards, downwards, or the odd ones after the even ones.
inline uint64_t ordered(uint64_t launch, uint64_t i, uint64_t count) {
    switch (launch % 3) {
    case 0: return i;
    case 1: return count - 1 - i;
    default: return i < (count + 1) / 2 ? 2 * i : 2 * (i - (count + 1) / 2) + 1;
    }
}

#if defined(NG_INTERPRETED)
template <class Body> void each(Stream, const Body &body, uint64_t count) {
    if (count == 0) return;
    launch();
    static const interpreter::Function *kernel = interpreter::find("each", typeid(Body).name());
    interpreter::run(kernel, {{&body, sizeof body}, {&count, sizeof count}}, divide_up<uint64_t>(count, Body::THREADS),
                     Body::THREADS);
}

template <class Body> void blocks(Stream, const Body &body, uint64_t count, uint32_t threads) {
    if (count == 0) return;
    launch();
    static const interpreter::Function *kernel = interpreter::find("blocks", typeid(Body).name());
    interpreter::run(kernel, {{&body, sizeof body}}, count, threads);
}
#else
template <class Body> void each(Stream, const Body &body, uint64_t count) {
    if (count == 0) return;
    uint64_t number = launch();
    for (uint64_t i = 0; i < count; i++) body(ordered(number, i, count));
}

template <class Body> void blocks(Stream, const Body &body, uint64_t count, uint32_t threads) {
    if (count == 0) return;
    uint64_t number = launch();
    auto shared = std::make_unique<typename Body::Shared>();
    for (uint64_t block = 0; block < count; block++) {
        std::memset(static_cast<void *>(shared.get()), 0xa5, sizeof *shared);
        for (uint32_t phase = 0; phase < body.phases(); phase++) {
            for (uint32_t thread = 0; thread < threads; thread++) {
                body.run(*shared, uint32_t(ordered(number, block, count)),
                         uint32_t(ordered(number + phase, thread, threads)), phase);
            }
        }
    }
}
#endif

inline bool falsified() { return machine().lies; }

}  // namespace runtime
}  // namespace ng
