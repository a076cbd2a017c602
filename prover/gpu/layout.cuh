// Cuts one piece of device memory into arrays. The same plan is made twice: without memory, to learn how much it takes,
// then with it.

#pragma once

#include "platform.cuh"

namespace ng {

class Layout {
  public:
    explicit Layout(void *base = nullptr) : base(reinterpret_cast<uintptr_t>(base)) {}

    template <class T> T *take(uint64_t count) {
        uintptr_t place = base + used;
        used += divide_up<uint64_t>(count * sizeof(T), 256) * 256;
        if (used > most) most = used;
        return reinterpret_cast<T *>(place);
    }

    // What was taken after a mark can be taken again, once the kernels that use it are in the stream.
    uint64_t mark() const { return used; }
    void back_to(uint64_t mark) { used = mark; }
    uint64_t bytes() const { return most; }

  private:
    uintptr_t base;
    uint64_t used = 0, most = 0;
};

}  // namespace ng
