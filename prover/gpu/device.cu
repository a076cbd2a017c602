// The budget, the lanes and the tables of roots of an open device.

#include "device.cuh"
#include "ntt.cuh"
#include <utility>

namespace ng {

Memory::Memory(Device &device, uint64_t bytes, Use use)
    : device(&device), pointer(device.allocate(bytes, use)), size(bytes), use(use) {}

Memory::Memory(Memory &&other) noexcept { *this = std::move(other); }

Memory &Memory::operator=(Memory &&other) noexcept {
    if (this != &other) {
        release();
        std::swap(device, other.device);
        std::swap(pointer, other.pointer);
        std::swap(size, other.size);
        std::swap(use, other.use);
    }
    return *this;
}

void Memory::release() {
    if (pointer == nullptr) return;
    runtime::release(pointer);
    device->discount(size, use);
    pointer = nullptr;
    size = 0;
}

void *Lane::reserve(Device &device, uint64_t bytes) {
    if (workspace.bytes() < bytes) {
        workspace.release();
        workspace = Memory(device, bytes, Use::Work);
    }
    dirty = bytes;
    return workspace.as<void>();
}

void Lane::finish() {
    if (dirty != 0) runtime::zero(stream, workspace.as<void>(), dirty);
    dirty = 0;
    runtime::wait(stream);
}

Lanes::Lanes(Device &device, uint64_t wanted) : device(device) {
    std::unique_lock<std::mutex> lock(device.lanes_lock);
    device.lane_is_free.wait(lock, [&] { return !device.idle.empty(); });
    while (!device.idle.empty() && (lanes.empty() || lanes.size() < wanted)) {
        lanes.push_back(device.idle.back());
        device.idle.pop_back();
    }
}

Lanes::~Lanes() {
    for (Lane *lane : lanes) {
        try {
            lane->finish();
        } catch (const Failure &) {
            // Only after a failure that was already reported; a lost device has nothing left to zero.
        }
        lane->dirty = 0;
    }
    {
        std::lock_guard<std::mutex> lock(device.lanes_lock);
        device.idle.insert(device.idle.end(), lanes.begin(), lanes.end());
    }
    device.lane_is_free.notify_all();
}

Device::Device(uint32_t index, const ng_options &options) : index(index) {
    runtime::use(index);
    uint64_t available = 0, total = 0;
    runtime::memory(&available, &total);
    most = options.memory_bytes != 0 ? options.memory_bytes : available / 10 * 9;
    tables = options.table_bytes != 0 ? options.table_bytes : most / 16;
    uint32_t streams = options.streams != 0 ? options.streams : 2;
    for (uint32_t i = 0; i < streams; i++) {
        lanes.push_back(std::make_unique<Lane>());
        lanes.back()->stream = runtime::open_stream();
        idle.push_back(lanes.back().get());
    }
}

Device::~Device() {
    try {
        runtime::use(index);
    } catch (const Failure &) {
        // A lost device cannot be chosen; what it held is gone.
    }
    for (auto &lane : lanes) {
        lane->workspace.release();
        runtime::close_stream(lane->stream);
    }
}

void Device::enter() const {
    if (lost) throw Failure{NG_LOST, "the device was lost earlier; open it anew"};
    runtime::use(index);
}

uint64_t Device::used() const {
    std::lock_guard<std::mutex> lock(accounts);
    return allocated;
}

uint64_t Device::workspace() const {
    std::lock_guard<std::mutex> lock(accounts);
    uint64_t resident = allocated - working;
    return resident < most ? (most - resident) / lanes.size() : 0;
}

void Device::count(uint64_t bytes, Use use) {
    std::lock_guard<std::mutex> lock(accounts);
    if (bytes > most || allocated > most - bytes) {
        throw Failure{NG_OUT_OF_MEMORY, std::to_string(bytes) + " bytes more than the " + std::to_string(allocated) +
                                            " in use exceed the budget of " + std::to_string(most)};
    }
    allocated += bytes;
    if (use == Use::Work) working += bytes;
}

void Device::discount(uint64_t bytes, Use use) {
    std::lock_guard<std::mutex> lock(accounts);
    allocated -= bytes;
    if (use == Use::Work) working -= bytes;
}

void *Device::allocate_within_budget(uint64_t bytes, Use use) {
    count(bytes, use);
    try {
        return runtime::allocate(bytes);
    } catch (...) {
        discount(bytes, use);
        throw;
    }
}

void *Device::allocate(uint64_t bytes, Use use) {
    if (bytes == 0) return nullptr;
    try {
        return allocate_within_budget(bytes, use);
    } catch (const Failure &failure) {
        if (failure.code != NG_OUT_OF_MEMORY) throw;
    }
    // What only makes work faster gives way.
    {
        std::lock_guard<std::mutex> lock(roots_lock);
        roots.clear();
    }
    release_idle_workspaces();
    return allocate_within_budget(bytes, use);
}

void Device::release_idle_workspaces() {
    std::lock_guard<std::mutex> lock(lanes_lock);
    for (Lane *lane : idle) lane->workspace.release();
}

std::shared_ptr<const RootTable> Device::root(Lane &lane, uint32_t log_size, const Fr &root) {
    constexpr size_t KEPT = 4;
    {
        std::lock_guard<std::mutex> lock(roots_lock);
        for (auto &table : roots) {
            if (table->log_size == log_size && table->root == root) return table;
        }
    }
    uint64_t count = log_size == 0 ? 1 : uint64_t(1) << (log_size - 1);
    auto table = std::make_shared<RootTable>();
    table->log_size = log_size;
    table->root = root;
    table->powers = Memory(*this, count * sizeof(Fr));
    fill_powers(lane.stream, table->powers.as<Fr>(), count, root, Fr::one(), 0, false);
    runtime::wait(lane.stream);
    std::lock_guard<std::mutex> lock(roots_lock);
    if (roots.size() >= KEPT) roots.erase(roots.begin());
    roots.push_back(table);
    return table;
}

}  // namespace ng
