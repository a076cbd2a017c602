// An open device: its budget of memory, its lanes (a stream with a piece of memory to work in), its tables of roots.

#pragma once

#include "field.cuh"
#include "nightingale_gpu.h"
#include "runtime.cuh"
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

namespace ng {

class Device;

// Whether memory stays while what it belongs to lives, or only holds what a call works on.
enum class Use { Resident, Work };

// Device memory, counted against the device's budget, freed with the value. Its device outlives it.
class Memory {
  public:
    Memory() = default;
    Memory(Device &device, uint64_t bytes, Use use = Use::Resident);
    Memory(Memory &&other) noexcept;
    Memory &operator=(Memory &&other) noexcept;
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;
    ~Memory() { release(); }

    void release();
    uint64_t bytes() const { return size; }
    template <class T> T *as() const { return static_cast<T *>(pointer); }

  private:
    friend class Device;
    Device *device = nullptr;
    void *pointer = nullptr;
    uint64_t size = 0;
    Use use = Use::Resident;
};

// A stream and the memory that its work uses. Used by one call at a time.
class Lane {
  public:
    runtime::Stream stream;
    Memory workspace;
    // How much of the workspace holds what must be zeroed.
    uint64_t dirty = 0;

    // Makes the workspace at least so large and gives it; its contents are lost.
    void *reserve(Device &device, uint64_t bytes);
    // Zeroes what was used and waits for the stream.
    void finish();
};

// Lanes taken from a device; given back, zeroed and at rest, with the value.
class Lanes {
  public:
    // At least one, waited for if need be, and at most `wanted`.
    Lanes(Device &device, uint64_t wanted);
    Lanes(const Lanes &) = delete;
    Lanes &operator=(const Lanes &) = delete;
    ~Lanes();
    size_t size() const { return lanes.size(); }
    Lane &operator[](size_t i) { return *lanes[i]; }

  private:
    Device &device;
    std::vector<Lane *> lanes;
};

// root^0 .. root^(n/2 - 1).
struct RootTable {
    uint32_t log_size;
    Fr root;
    Memory powers;
};

class Device {
  public:
    const uint32_t index;

    Device(uint32_t index, const ng_options &options);
    ~Device();
    Device(const Device &) = delete;
    Device &operator=(const Device &) = delete;

    // To be called first by whatever uses the device on this thread.
    void enter() const;
    void mark_lost() { lost = true; }

    uint64_t used() const;
    uint64_t budget() const { return most; }
    uint64_t table_bytes() const { return tables; }
    uint64_t streams() const { return lanes.size(); }
    // What each lane may use for its work as things are.
    uint64_t workspace() const;

    // The powers of a root, made once. A few are kept.
    std::shared_ptr<const RootTable> root(Lane &lane, uint32_t log_size, const Fr &root);

  private:
    friend class Memory;
    friend class Lanes;
    void *allocate(uint64_t bytes, Use use);
    void *allocate_within_budget(uint64_t bytes, Use use);
    void count(uint64_t bytes, Use use);
    void discount(uint64_t bytes, Use use);
    void release_idle_workspaces();

    std::atomic<bool> lost{false};
    uint64_t most = 0, tables = 0;
    mutable std::mutex accounts;
    uint64_t allocated = 0, working = 0;  // working is a part of allocated
    std::mutex roots_lock;
    std::vector<std::shared_ptr<const RootTable>> roots;
    std::mutex lanes_lock;
    std::condition_variable lane_is_free;
    std::vector<std::unique_ptr<Lane>> lanes;
    std::vector<Lane *> idle;
};

}  // namespace ng
