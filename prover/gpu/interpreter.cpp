// Runs PTX. An address is a plain address of this process, but in shared memory, where it has 32 bits and counts from the
// block's memory. Registers, local and shared memory begin with garbage.

#include "interpreter.hpp"
#include "ptx.hpp"
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <filesystem>
#include <mutex>

namespace ng {
namespace interpreter {

namespace {

Program &program() {
    static Program program;
    return program;
}

std::string demangled(const char *name) {
    int status = 0;
    char *text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    std::string result = text != nullptr ? text : name;
    std::free(text);
    // nvcc gives nameless namespaces a name of its own.
    for (size_t at; (at = result.find("_GLOBAL__N__")) != std::string::npos;) {
        result.replace(at, result.find("::", at) - at, "(anonymous namespace)");
    }
    return result;
}

struct Frame {
    const Function *function;
    size_t at = 0;
    std::vector<uint64_t> registers;
    std::vector<uint64_t> memory;

    explicit Frame(const Function *f)
        : function(f), registers(f->register_names.size(), 0xdeadbeefdeadbeef), memory(f->frame / 8 + 2, 0xa5a5a5a5a5a5a5a5) {}
};

struct Thread {
    std::vector<Frame> frames;
    bool carry = false;
    uint32_t index, block, size;
    char *shared;

    char *address(Frame &frame, size_t symbol) const {
        const Symbol &s = frame.function->symbols[symbol];
        return reinterpret_cast<char *>(frame.memory.data()) + s.offset;
    }

    uint64_t value(Frame &frame, const Operand &o) const {
        switch (o.kind) {
        case Operand::Register: return frame.registers[o.value] + uint64_t(o.offset);
        case Operand::Number: return o.value;
        case Operand::Symbol: {
            const Symbol &s = frame.function->symbols[o.value];
            return (s.shared ? s.offset : uint64_t(address(frame, o.value))) + uint64_t(o.offset);
        }
        case Operand::ThreadIndex: return index;
        case Operand::BlockIndex: return block;
        default: return size;
        }
    }

    void enter(const Instruction &i) {
        const Function *callee = program().at(i.name).get();
        Frame next(callee);
        for (size_t k = 0; k < i.arguments.size(); k++) {
            int to = callee->parameters.at(k);
            std::memcpy(address(next, size_t(to)), address(frames.back(), size_t(i.arguments[k])), callee->symbols[size_t(to)].size);
        }
        frames.push_back(std::move(next));
    }

    void leave() {
        Frame done = std::move(frames.back());
        frames.pop_back();
        if (frames.empty() || done.function->result < 0) return;
        const Instruction &i = frames.back().function->code[frames.back().at - 1];
        size_t from = size_t(done.function->result);
        std::memcpy(address(frames.back(), size_t(i.result)), address(done, from), done.function->symbols[from].size);
    }

    static bool holds(const Instruction &i, uint64_t a, uint64_t b) {
        bool less = a < b;
        if (i.is_signed) {
            uint32_t unused = 64 - i.bits;
            less = int64_t(a << unused) < int64_t(b << unused);
        }
        switch (i.test) {
        case Test::Equal: return a == b;
        case Test::NotEqual: return a != b;
        case Test::Less: return less;
        case Test::LessEqual: return less || a == b;
        case Test::Greater: return !less && a != b;
        default: return !less;
        }
    }

    void memory(Frame &frame, const Instruction &i) {
        size_t bytes = i.bits / 8;
        const Operand &place = i.op == Op::Load ? i.from.at(0) : i.to.at(0);
        uint64_t found = value(frame, place);
        char *at = i.in_shared ? shared + uint32_t(found) : reinterpret_cast<char *>(found);
        if (i.in_shared && uint32_t(found) >= frames[0].function->shared) fail("outside shared memory", frame.function->name);
        const auto &elements = i.op == Op::Load ? i.to : i.from;
        if (uint64_t(at) % (bytes * elements.size()) != 0) fail("a misaligned access", frame.function->name);
        for (size_t k = 0; k < elements.size(); k++, at += bytes) {
            if (i.op == Op::Load) {
                uint64_t loaded = 0;
                std::memcpy(&loaded, at, bytes);
                frame.registers[elements[k].value] = loaded;
            } else {
                uint64_t stored = value(frame, elements[k]);
                std::memcpy(at, &stored, bytes);
            }
        }
    }

    // A sum whose operands are below 2^32 where a carry is involved.
    uint64_t sum(const Instruction &i, uint64_t a, uint64_t b) {
        uint64_t result = a + b + (i.carry_in && carry ? 1 : 0);
        if (i.carry_out) carry = (result >> 32) != 0;
        return result;
    }

    // Until a barrier (true) or the end (false).
    bool go_on() {
        while (!frames.empty()) {
            Frame &frame = frames.back();
            const Instruction &i = frame.function->code.at(frame.at++);
            if (i.guard >= 0 && (frame.registers[size_t(i.guard)] != 0) == i.guard_negated) continue;
            switch (i.op) {
            case Op::Branch: frame.at = i.target; continue;
            case Op::Call: enter(i); continue;
            case Op::Return: leave(); continue;
            case Op::Barrier: return true;
            case Op::Load:
            case Op::Store: memory(frame, i); continue;
            default: break;
            }
            uint64_t mask = i.bits == 64 ? ~uint64_t(0) : (uint64_t(1) << i.bits) - 1;
            if (i.op == Op::AtomicAdd || i.op == Op::AtomicMinimum) {
                uint32_t *at = reinterpret_cast<uint32_t *>(value(frame, i.from[0]));
                uint32_t operand = uint32_t(value(frame, i.from[1])), before = *at;
                *at = i.op == Op::AtomicAdd ? before + operand : operand < before ? operand : before;
                frame.registers[i.to[0].value] = before;
                continue;
            }
            uint64_t a = value(frame, i.from[0]) & mask;
            uint64_t b = i.from.size() > 1 ? value(frame, i.from[1]) & mask : 0;
            uint64_t c = i.from.size() > 2 ? value(frame, i.from[2]) & mask : 0;
            uint64_t r = 0;
            switch (i.op) {
            case Op::Add: r = sum(i, a, b); break;
            case Op::Subtract:
                r = a - b - (i.carry_in && carry ? 1 : 0);
                if (i.carry_out) carry = (r >> 32) != 0;
                break;
            case Op::MultiplyLow: r = a * b; break;
            case Op::MultiplyWide: frame.registers[i.to[0].value] = a * b; continue;
            case Op::MadLow: r = sum(i, (a * b) & mask, c); break;
            case Op::MadHigh: r = sum(i, (a * b) >> 32, c); break;
            case Op::Divide: r = a / b; break;
            case Op::Remainder: r = a % b; break;
            case Op::Minimum: r = a < b ? a : b; break;
            case Op::Maximum: r = a > b ? a : b; break;
            case Op::And: r = a & b; break;
            case Op::Or: r = a | b; break;
            case Op::Xor: r = a ^ b; break;
            case Op::Not: r = ~a; break;
            case Op::ShiftLeft: r = b >= i.bits ? 0 : a << b; break;
            case Op::ShiftRight: r = b >= i.bits ? 0 : a >> b; break;
            case Op::Reverse: for (uint32_t k = 0; k < 32; k++) r |= ((a >> k) & 1) << (31 - k); break;
            case Op::Move: r = a; break;
            case Op::Pack: r = uint32_t(a) | b << 32; break;
            case Op::Unpack:
                frame.registers[i.to[0].value] = uint32_t(a);
                frame.registers[i.to[1].value] = a >> 32;
                continue;
            case Op::Select: r = value(frame, i.from[2]) != 0 ? a : b; break;
            case Op::Compare: r = holds(i, a, b) ? 1 : 0; break;
            default: fail("an instruction without a meaning", frame.function->name);
            }
            frame.registers[i.to[0].value] = r & mask;
        }
        return false;
    }
};

}  // namespace

const Function *find(const char *kind, const char *mangled_body) {
    static std::once_flag once;
    std::call_once(once, [] {
        for (auto &file : std::filesystem::directory_iterator(NG_INTERPRETED)) {
            if (file.path().extension() == ".ptx") read(program(), file.path());
        }
    });
    std::string wanted = std::string(kind) + "_kernel<" + demangled(mangled_body) + ">(";
    for (auto &found : program()) {
        std::string name = demangled(found.first.c_str());
        // The demanglers differ in the space between two closing brackets.
        for (size_t at; (at = name.find(" >(")) != std::string::npos;) name.erase(at, 1);
        if (name.find(wanted) != std::string::npos) return found.second.get();
    }
    fail("no kernel", wanted);
}

void run(const Function *entry, const std::vector<std::pair<const void *, size_t>> &parameters, uint64_t grid,
         uint32_t threads) {
    for (uint64_t block = 0; block < grid; block++) {
        std::vector<uint64_t> shared(entry->shared / 8 + 2, 0xa5a5a5a5a5a5a5a5);
        std::vector<Thread> all(threads);
        for (uint32_t index = 0; index < threads; index++) {
            Thread &thread = all[index];
            thread.index = index;
            thread.block = uint32_t(block);
            thread.size = threads;
            thread.shared = reinterpret_cast<char *>(shared.data());
            thread.frames.emplace_back(entry);
            for (size_t k = 0; k < parameters.size(); k++) {
                size_t symbol = size_t(entry->parameters.at(k));
                if (entry->symbols[symbol].size != parameters[k].second) fail("a parameter of another size", entry->name);
                std::memcpy(thread.address(thread.frames.back(), symbol), parameters[k].first, parameters[k].second);
            }
        }
        for (bool any = true; any;) {
            any = false;
            for (Thread &thread : all) {
                if (!thread.frames.empty()) any |= thread.go_on();
            }
        }
    }
}

}  // namespace interpreter
}  // namespace ng
