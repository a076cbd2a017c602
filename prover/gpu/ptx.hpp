// A PTX program as the interpreter takes it: functions whose operands are resolved to registers, numbers and symbols.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ng {
namespace interpreter {

enum class Op {
    Add, AddCarry, Subtract, SubtractCarry, MultiplyLow, MultiplyWide, MadLow, MadHigh, Divide, Remainder, Minimum, Maximum,
    And, Or, Xor, Not, ShiftLeft, ShiftRight, Reverse, Move, Pack, Unpack, Select, Compare, Load, Store, Branch, Call, Return, Barrier,
    AtomicAdd, AtomicMinimum,
};

enum class Test { Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual };

struct Operand {
    enum Kind { Register, Number, Symbol, ThreadIndex, BlockIndex, BlockSize } kind = Number;
    uint64_t value = 0;   // register, number, or symbol
    int64_t offset = 0;   // of an address
};

struct Instruction {
    Op op;
    uint32_t bits = 32;         // of the type
    bool is_signed = false;
    bool carry_in = false, carry_out = false;
    bool in_shared = false;     // of a load or store
    Test test = Test::Equal;
    int guard = -1;             // predicate register
    bool guard_negated = false;
    std::vector<Operand> to, from;
    size_t target = 0;          // of a branch
    std::string name;           // a label, or a function
    int result = -1;            // symbol that takes a call's result
    std::vector<int> arguments; // symbols of a call
};

struct Symbol {
    bool shared = false;
    size_t offset = 0, size = 0;
};

struct Function {
    std::string name;
    std::vector<Symbol> symbols;
    std::vector<int> parameters;
    int result = -1;
    size_t frame = 0, shared = 0;
    std::map<std::string, int> symbol_names, register_names;
    std::map<std::string, size_t> labels;
    std::vector<Instruction> code;
};

// All functions by their mangled names.
using Program = std::map<std::string, std::unique_ptr<Function>>;

// Adds the functions of a file.
void read(Program &program, const std::string &path);

// Ends the process: this is a tool for tests.
[[noreturn]] void fail(const std::string &what, const std::string &where);

}  // namespace interpreter
}  // namespace ng
