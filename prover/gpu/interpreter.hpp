// Runs the PTX that nvcc makes of the kernels on the processor: what the emulation takes instead of their C++ when it is
// built as `check` does. So that what a GPU is given has been executed, though not on a GPU: the instructions in assembly,
// the special registers, the barriers, calls, and whatever the compiler did to the rest.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ng {
namespace interpreter {

struct Function;

// The entry whose demangled name begins with `runtime::KIND_kernel<BODY>`; all .ptx files of the folder that was said at
// build time are read on first use. Ends the process if there is none: this is a tool for tests.
const Function *find(const char *kind, const char *mangled_body);

// Runs grid blocks of as many threads, each thread of a block up to the next barrier in turn.
void run(const Function *entry, const std::vector<std::pair<const void *, size_t>> &parameters, uint64_t grid,
         uint32_t threads);

}  // namespace interpreter
}  // namespace ng
