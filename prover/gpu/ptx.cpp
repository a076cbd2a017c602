// A reader for the part of PTX (PTX ISA 9.0) that our kernels use. Anything else ends the process with its name.

#include "ptx.hpp"
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace ng {
namespace interpreter {

namespace {

std::vector<std::string> split(const std::string &text, const char *separators) {
    std::vector<std::string> parts;
    std::string part;
    for (char c : text) {
        if (std::strchr(separators, c) == nullptr) {
            part += c;
        } else if (!part.empty()) {
            parts.push_back(part);
            part.clear();
        }
    }
    if (!part.empty()) parts.push_back(part);
    return parts;
}

// A declaration like ".param .align 4 .b8 name[128]": takes room in the frame or in shared memory.
int declare(Function &f, const std::string &text) {
    auto words = split(text, " \t\n");
    bool shared = words[0] == ".shared";
    std::string type, name = words.back();
    size_t alignment = 16;
    for (auto &word : words) {
        if (word.size() > 2 && word[0] == '.' && std::strchr("bus", word[1]) && std::isdigit(word[2])) type = word;
    }
    size_t count = 1, bracket = name.find('[');
    if (bracket != std::string::npos) {
        count = std::stoul(name.substr(bracket + 1));
        name = name.substr(0, bracket);
    }
    Symbol symbol;
    symbol.shared = shared;
    symbol.size = count * std::stoul(type.substr(2)) / 8;
    size_t &end = shared ? f.shared : f.frame;
    symbol.offset = end = (end + alignment - 1) / alignment * alignment;
    end += symbol.size;
    f.symbols.push_back(symbol);
    return f.symbol_names[name] = int(f.symbols.size()) - 1;
}

int register_of(Function &f, const std::string &name) {
    auto found = f.register_names.emplace(name, int(f.register_names.size()));
    return found.first->second;
}

Operand operand(Function &f, std::string text) {
    Operand o;
    if (text[0] == '[') {
        text = text.substr(1, text.size() - 2);
        size_t plus = text.find('+');
        if (plus != std::string::npos) {
            o.offset = std::stoll(text.substr(plus + 1));
            text = text.substr(0, plus);
        }
    }
    if (text == "%tid.x") o.kind = Operand::ThreadIndex;
    else if (text == "%ctaid.x") o.kind = Operand::BlockIndex;
    else if (text == "%ntid.x") o.kind = Operand::BlockSize;
    else if (text[0] == '%') {
        o.kind = Operand::Register;
        o.value = uint64_t(register_of(f, text));
    } else if (std::isdigit(text[0]) || text[0] == '-') {
        o.value = text[0] == '-' ? uint64_t(std::stoll(text)) : std::stoull(text, nullptr, 0);
    } else {
        auto found = f.symbol_names.find(text);
        if (found == f.symbol_names.end()) fail("an unknown operand", text);
        o.kind = Operand::Symbol;
        o.value = uint64_t(found->second);
    }
    return o;
}

// Operands, where a vector in braces is several.
std::vector<std::vector<Operand>> operands(Function &f, const std::string &text) {
    std::vector<std::vector<Operand>> all;
    bool vector = false;
    std::string word;
    auto end_of_word = [&] {
        if (word.empty()) return;
        if (!vector) all.emplace_back();
        all.back().push_back(operand(f, word));
        word.clear();
    };
    for (char c : text) {
        if (c == '{') {
            vector = true;
            all.emplace_back();
        } else if (c == '}' || c == ',' || std::isspace(c)) {
            end_of_word();
            if (c == '}') vector = false;
        } else {
            word += c;
        }
    }
    end_of_word();
    return all;
}

void call(Function &f, Instruction &i, const std::string &text) {
    i.op = Op::Call;
    auto words = split(text, " \t\n,()");
    bool result = text.find('(') < text.find("_Z");
    size_t next = 0;
    if (result) i.result = f.symbol_names.at(words[next++]);
    i.name = words[next++];
    for (; next < words.size(); next++) i.arguments.push_back(f.symbol_names.at(words[next]));
}

void decode(Function &f, Instruction &i, const std::string &opcode, const std::string &rest) {
    auto parts = split(opcode, ".");
    auto has = [&](const char *part) {
        for (size_t k = 1; k < parts.size(); k++) if (parts[k] == part) return true;
        return false;
    };
    const std::string &base = parts[0], &type = parts.back();
    if (type == "pred") {
        i.bits = 1;
    } else if (type.size() > 1 && std::isdigit(type[1])) {
        i.bits = uint32_t(std::stoul(type.substr(1)));
        i.is_signed = type[0] == 's';
    }
    if (base == "bra") {
        i.op = Op::Branch;
        i.name = split(rest, " \t\n")[0];
        return;
    }
    if (base == "call") return call(f, i, rest);
    if (base == "ret") { i.op = Op::Return; return; }
    if (base == "bar" && has("sync")) { i.op = Op::Barrier; return; }
    i.carry_out = has("cc");
    i.carry_in = base == "addc" || base == "subc" || base == "madc";
    static const std::map<std::string, Op> plain = {
        {"add", Op::Add}, {"addc", Op::Add}, {"sub", Op::Subtract}, {"subc", Op::Subtract}, {"div", Op::Divide},
        {"rem", Op::Remainder}, {"min", Op::Minimum}, {"max", Op::Maximum}, {"and", Op::And}, {"or", Op::Or},
        {"xor", Op::Xor}, {"not", Op::Not}, {"shl", Op::ShiftLeft}, {"shr", Op::ShiftRight}, {"brev", Op::Reverse},
        {"mov", Op::Move}, {"cvta", Op::Move}, {"selp", Op::Select}, {"ld", Op::Load}, {"st", Op::Store}};
    static const std::map<std::string, Test> tests = {
        {"eq", Test::Equal}, {"ne", Test::NotEqual}, {"lt", Test::Less}, {"le", Test::LessEqual},
        {"gt", Test::Greater}, {"ge", Test::GreaterEqual}};
    auto found = plain.find(base);
    if (found != plain.end()) i.op = found->second;
    else if (base == "mul" && has("lo")) i.op = Op::MultiplyLow;
    else if (base == "mul" && has("wide") && type == "u32") i.op = Op::MultiplyWide;
    else if ((base == "mad" || base == "madc") && has("lo")) i.op = Op::MadLow;
    else if ((base == "mad" || base == "madc") && has("hi") && type == "u32") i.op = Op::MadHigh;
    else if (base == "cvt" && (opcode == "cvt.u32.u64" || opcode == "cvt.u64.u32")) {
        i.op = Op::Move;
        i.bits = 32;  // either way the low word is what is left
    } else if (base == "setp" && tests.count(parts[1])) {
        i.op = Op::Compare;
        i.test = tests.at(parts[1]);
    } else if (opcode == "atom.global.add.u32") i.op = Op::AtomicAdd;
    else if (opcode == "atom.global.min.u32") i.op = Op::AtomicMinimum;
    else fail("an instruction that is not known", opcode);
    if (i.is_signed && (i.op == Op::ShiftRight || i.op == Op::Divide || i.op == Op::Remainder || i.op == Op::Minimum ||
                        i.op == Op::Maximum)) {
        fail("a signed instruction that is not known", opcode);
    }
    i.in_shared = has("shared");
    if (i.in_shared && base != "ld" && base != "st") fail("an instruction on shared memory that is not known", opcode);
    auto all = operands(f, rest);
    if (i.op == Op::Move && (all.at(0).size() > 1 || all.at(1).size() > 1)) {
        i.op = all[0].size() == 1 ? Op::Pack : Op::Unpack;
        if (i.bits != 64 || all[0].size() + all[1].size() != 3) fail("a vector that is not two words", opcode);
    }
    i.to = all.at(0);
    for (size_t k = 1; k < all.size(); k++) i.from.insert(i.from.end(), all[k].begin(), all[k].end());
}

void statement(Function &f, std::string text) {
    auto trim = [&] {
        while (!text.empty() && (std::isspace(text[0]) || text[0] == '{' || text[0] == '}')) text.erase(0, 1);
    };
    trim();
    while (!text.empty() && text[0] == '$' && text.find(':') != std::string::npos) {
        size_t colon = text.find(':');
        f.labels[text.substr(0, colon)] = f.code.size();
        text.erase(0, colon + 1);
        trim();
    }
    if (text.empty()) return;
    if (text[0] == '.') {
        std::string first = split(text, " \t\n")[0];
        if (first == ".param" || first == ".local" || first == ".shared") declare(f, text);
        else if (first != ".reg" && first != ".pragma") fail("a directive that is not known", text);
        return;
    }
    Instruction i;
    if (text[0] == '@') {
        size_t space = text.find_first_of(" \t");
        i.guard_negated = text[1] == '!';
        i.guard = register_of(f, text.substr(i.guard_negated ? 2 : 1, space - (i.guard_negated ? 2 : 1)));
        text = text.substr(text.find_first_not_of(" \t", space));
    }
    size_t space = text.find_first_of(" \t\n");
    std::string opcode = text.substr(0, space);
    decode(f, i, opcode, space == std::string::npos ? "" : text.substr(space));
    f.code.push_back(i);
}

// From the header to the brace after the body.
size_t function(Program &program, const std::string &text, size_t at, bool entry) {
    auto f = std::make_unique<Function>();
    size_t body = text.find('{', at), end_of_declaration = text.find(';', at);
    if (end_of_declaration < body) return end_of_declaration;
    std::string header = text.substr(at, body - at);
    size_t open = header.find('('), close = header.find(')');
    if (!entry && split(header.substr(0, open), " \t\n").empty()) {
        f->result = declare(*f, header.substr(open + 1, close - open - 1));
        header = header.substr(close + 1);
        open = header.find('(');
        close = header.find(')');
    }
    f->name = split(header.substr(0, open), " \t\n")[0];
    if (open != std::string::npos) {
        for (auto &parameter : split(header.substr(open + 1, close - open - 1), ",")) {
            if (!split(parameter, " \t\n").empty()) f->parameters.push_back(declare(*f, parameter));
        }
    }
    size_t depth = 1, i = body + 1;
    std::string current;
    for (; depth > 0; i++) {
        char c = text.at(i);
        if (c == '{') depth++;
        if (c == '}') depth--;
        if (depth == 0) break;
        if (c == ';') {
            statement(*f, current);
            current.clear();
        } else {
            current += c;
        }
    }
    for (auto &instruction : f->code) {
        if (instruction.op == Op::Branch) instruction.target = f->labels.at(instruction.name);
    }
    program[f->name] = std::move(f);
    return i;
}

}  // namespace

void fail(const std::string &what, const std::string &where) {
    std::fprintf(stderr, "PTX interpreter: %s: %s\n", what.c_str(), where.c_str());
    std::abort();
}

void read(Program &program, const std::string &path) {
    std::ifstream file(path);
    std::string text, line;
    while (std::getline(file, line)) text += line.substr(0, line.find("//")) + "\n";
    for (size_t at = 0; at < text.size();) {
        size_t entry = text.find(".entry", at), func = text.find(".func", at);
        if (entry == std::string::npos && func == std::string::npos) break;
        at = entry < func ? function(program, text, entry + 6, true) : function(program, text, func + 5, false);
    }
}

}  // namespace interpreter
}  // namespace ng
