// Additions and multiplications of 32-bit words that pass a carry on: one PTX instruction each, or the same said in C++.
//
// PTX has a single carry flag. Every chain begins with a *_start, which sets it, and nothing else that touches it may stand
// between the links: so the instructions are volatile, which keeps their order, and a chain is never interleaved with
// another.

#pragma once

#include "platform.cuh"

namespace ng {

class Carry {
  public:
#if defined(__CUDA_ARCH__)
#define NG_TWO(name, instruction)                                                                 \
    NG_INLINE uint32_t name(uint32_t a, uint32_t b) {                                             \
        uint32_t r;                                                                               \
        asm volatile(instruction ".u32 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));                  \
        return r;                                                                                 \
    }
#define NG_THREE(name, instruction)                                                               \
    NG_INLINE uint32_t name(uint32_t a, uint32_t b, uint32_t c) {                                 \
        uint32_t r;                                                                               \
        asm volatile(instruction ".u32 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(c));      \
        return r;                                                                                 \
    }
    // a + b, then with the carry in, then without a carry out.
    NG_TWO(add_start, "add.cc")
    NG_TWO(add_next, "addc.cc")
    NG_TWO(add_end, "addc")
    // a - b; subtract_end(0, 0) is all ones where something was borrowed.
    NG_TWO(subtract_start, "sub.cc")
    NG_TWO(subtract_next, "subc.cc")
    NG_TWO(subtract_end, "subc")
    // The low or high word of a * b, plus c.
    NG_THREE(low_start, "mad.lo.cc")
    NG_THREE(low_next, "madc.lo.cc")
    NG_THREE(high_next, "madc.hi.cc")
    NG_THREE(high_end, "madc.hi")
#undef NG_TWO
#undef NG_THREE
#else
    NG_INLINE uint32_t add_start(uint32_t a, uint32_t b) { return keep(uint64_t(a) + b); }
    NG_INLINE uint32_t add_next(uint32_t a, uint32_t b) { return keep(uint64_t(a) + b + flag); }
    NG_INLINE uint32_t add_end(uint32_t a, uint32_t b) { return a + b + flag; }
    NG_INLINE uint32_t subtract_start(uint32_t a, uint32_t b) { return keep(uint64_t(a) - b); }
    NG_INLINE uint32_t subtract_next(uint32_t a, uint32_t b) { return keep(uint64_t(a) - b - flag); }
    NG_INLINE uint32_t subtract_end(uint32_t a, uint32_t b) { return a - b - flag; }
    NG_INLINE uint32_t low_start(uint32_t a, uint32_t b, uint32_t c) { return keep(uint64_t(a * b) + c); }
    NG_INLINE uint32_t low_next(uint32_t a, uint32_t b, uint32_t c) { return keep(uint64_t(a * b) + c + flag); }
    NG_INLINE uint32_t high_next(uint32_t a, uint32_t b, uint32_t c) {
        return keep(((uint64_t(a) * b) >> 32) + c + flag);
    }
    NG_INLINE uint32_t high_end(uint32_t a, uint32_t b, uint32_t c) {
        return uint32_t((uint64_t(a) * b) >> 32) + c + flag;
    }

  private:
    NG_INLINE uint32_t keep(uint64_t sum) {
        flag = uint32_t(sum >> 32) & 1u;
        return uint32_t(sum);
    }
    uint32_t flag = 0;
#endif
};

}  // namespace ng
