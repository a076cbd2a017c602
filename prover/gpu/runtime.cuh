// What the library asks of the machine: memory, copies, streams and kernel launches. cuda.cuh asks CUDA, emulation.cuh
// plays the device on the processor; nothing else differs between the two builds.
//
// A kernel is a value with its arguments as members. `each` runs body(i) for i = 0..count-1 in any order, all at the same
// time. `blocks` runs body.run(shared, block, thread, phase): the threads of a block share memory, and no thread begins
// a phase before all threads of its block have ended the one before. What a thread keeps from phase to phase is in the
// shared memory.

#pragma once

#include "platform.cuh"
#include <string>

namespace ng {

// What went wrong, as a code of nightingale_gpu.h and as a text.
struct Failure {
    int32_t code;
    std::string text;
};

}  // namespace ng

#if defined(__CUDACC__)
#include "cuda.cuh"
#else
#include "emulation.cuh"
#endif
