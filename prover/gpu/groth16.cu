// Pieces of a batch go to the device's lanes in turn: while one computes, the next one's assignments are copied.

#include "groth16.cuh"
#include <cstring>

namespace ng {

namespace {

void require(bool fits, const char *what) {
    if (!fits) throw Failure{NG_INPUT, std::string("a key ") + what};
}

void check_matrix(const ng_matrix &matrix, uint32_t variables) {
    require(matrix.starts != nullptr && matrix.starts[0] == 0, "whose matrix has no rows' starts");
    for (uint32_t row = 0; row < matrix.rows; row++) {
        require(matrix.starts[row] <= matrix.starts[row + 1], "whose matrix has rows out of order");
    }
    for (uint64_t i = 0; i < matrix.starts[matrix.rows]; i++) {
        bool inside = matrix.terms[2 * i] < matrix.table_count && matrix.terms[2 * i + 1] < variables;
        require(inside, "whose matrix has a term outside it");
    }
}

void check_query(const ng_query &query, uint32_t variables) {
    require(query.count == 0 || query.points != nullptr, "with a query without points");
    require(query.columns != nullptr || query.count <= variables, "with a query over columns it does not have");
    for (uint32_t i = 0; query.columns != nullptr && i < query.count; i++) {
        require(query.columns[i] < variables, "with a query over columns it does not have");
    }
}

Fr element(const uint64_t limbs[4]) {
    Fr element;
    std::memcpy(&element, limbs, sizeof element);
    return element;
}

void check(const ng_key_parts &parts) {
    uint64_t size = uint64_t(1) << parts.log_size;
    require(parts.log_size < 28, "of a domain above 2^27");
    require(parts.variables > parts.public_inputs, "without columns for its public inputs");
    require(parts.a.rows == parts.b.rows && parts.a.rows == parts.c.rows && uint64_t(parts.a.rows) + parts.public_inputs + 1 <= size,
            "whose rows do not fit its domain");
    require(parts.h_query.count == size && parts.h_query.columns == nullptr && parts.h_query.points != nullptr,
            "whose H query is not of its domain's size");
    require(parts.b_g1_query.count == parts.b_g2_query.count, "with two B queries of different sizes");
    check_matrix(parts.a, parts.variables);
    check_matrix(parts.b, parts.variables);
    check_matrix(parts.c, parts.variables);
    for (const ng_query *query : {&parts.a_query, &parts.b_g1_query, &parts.b_g2_query, &parts.l_query}) {
        check_query(*query, parts.variables);
    }
    Fr root = element(parts.root), shift = element(parts.shift);
    require(has_order(root, parts.log_size) && shift.squared() == root, "whose roots are not of its domain");
}

Memory copied(Device &device, Lane &lane, const void *from, uint64_t bytes) {
    Memory memory(device, bytes);
    runtime::copy_in(lane.stream, memory.as<void>(), from, bytes);
    return memory;
}

Memory columns(Device &device, Lane &lane, const ng_query &query) {
    return query.columns ? copied(device, lane, query.columns, sizeof(uint32_t) * uint64_t(query.count)) : Memory();
}

ResidentMatrix matrix(Device &device, Lane &lane, const ng_matrix &from) {
    uint64_t terms = from.starts[from.rows];
    return {copied(device, lane, from.starts, sizeof(uint32_t) * (uint64_t(from.rows) + 1)),
            copied(device, lane, from.terms, 2 * sizeof(uint32_t) * terms),
            copied(device, lane, from.table, sizeof(Fr) * uint64_t(from.table_count)), from.rows};
}

template <class F> struct Multiplication {
    Sorting sorting;
    Summing<F> summing;

    static Multiplication plan(Layout &layout, const Shape &shape, uint32_t batch) {
        uint64_t mark = layout.mark();
        Multiplication m = {Sorting::plan(layout, shape, batch), Summing<F>::plan(layout, shape, batch)};
        layout.back_to(mark);
        return m;
    }
};

}  // namespace

bool has_order(const Fr &root, uint32_t log_size) {
    if (log_size == 0) return root == Fr::one();
    return root.power(uint64_t(1) << (log_size - 1)) == Fr::one().negated();
}

// The multiplications come one after the other and share their memory.
struct Key::Work {
    Fr *assignments;
    Jacobian<Fq> *a, *b_g1, *l, *h;
    Jacobian<Fq2> *b_g2;
    Quotients quotients;
    Multiplication<Fq> over_a, over_l, over_h;
    Sorting by_b;
    Summing<Fq> over_b_g1;
    Summing<Fq2> over_b_g2;

    static Work plan(Layout &layout, const Key &key, uint32_t batch) {
        Work w;
        w.assignments = layout.take<Fr>(uint64_t(batch) * key.variables);
        w.a = layout.take<Jacobian<Fq>>(batch);
        w.b_g1 = layout.take<Jacobian<Fq>>(batch);
        w.l = layout.take<Jacobian<Fq>>(batch);
        w.h = layout.take<Jacobian<Fq>>(batch);
        w.b_g2 = layout.take<Jacobian<Fq2>>(batch);
        w.quotients = Quotients::plan(layout, key.log_size, batch);
        w.over_a = Multiplication<Fq>::plan(layout, key.a.shape, batch);
        w.over_l = Multiplication<Fq>::plan(layout, key.l.shape, batch);
        w.over_h = Multiplication<Fq>::plan(layout, key.h.shape, batch);
        w.by_b = Sorting::plan(layout, key.b_g1.shape, batch);
        uint64_t mark = layout.mark();
        w.over_b_g1 = Summing<Fq>::plan(layout, key.b_g1.shape, batch);
        layout.back_to(mark);
        w.over_b_g2 = Summing<Fq2>::plan(layout, key.b_g2.shape, batch);
        return w;
    }
};

Key::Key(std::shared_ptr<Device> on, const ng_key_parts &parts) : device(std::move(on)) {
    check(parts);
    Lanes lanes(*device, 1);
    Lane &lane = lanes[0];
    variables = parts.variables;
    public_inputs = parts.public_inputs;
    log_size = parts.log_size;
    a_matrix = matrix(*device, lane, parts.a);
    b_matrix = matrix(*device, lane, parts.b);
    c_matrix = matrix(*device, lane, parts.c);
    a_columns = columns(*device, lane, parts.a_query);
    b_columns = columns(*device, lane, parts.b_g1_query);
    l_columns = columns(*device, lane, parts.l_query);
    Fr root_of_domain = element(parts.root);
    root = device->root(lane, log_size, root_of_domain);
    uint64_t size = uint64_t(1) << log_size;
    // 1 / n is (1 / 2)^log_size.
    Fr half = (Fr::one() + Fr::one()).inverse();
    shifts = Memory(*device, size * sizeof(Fr));
    fill_powers(lane.stream, shifts.as<Fr>(), size, element(parts.shift), half.power(log_size), log_size, true);
    auto load = [&](const ng_query &query) {
        return Bases<Fq>::load(*device, lane, query.points, query.count, device->table_bytes());
    };
    a = load(parts.a_query);
    l = load(parts.l_query);
    h = load(parts.h_query);
    // B's digits are sorted once for both groups, so both tables must be of one shape: the one that the larger points get.
    const ng_query &g1 = parts.b_g1_query, &g2 = parts.b_g2_query;
    b_g2 = Bases<Fq2>::load(*device, lane, g2.points, g2.count, device->table_bytes());
    b_g1 = Bases<Fq>::load_as(*device, lane, g1.points, b_g2.shape);
    runtime::wait(lane.stream);
}

uint64_t Key::bytes(uint32_t batch) const {
    Layout layout;
    Work::plan(layout, *this, batch);
    return layout.bytes();
}

uint32_t Key::piece(uint64_t wanted) const {
    constexpr uint64_t MOST = 256;
    auto fits = [&](uint32_t count) {
        for (const Shape *shape : {&a.shape, &b_g1.shape, &l.shape, &h.shape}) {
            if (!Sorting::fits(*shape, count)) return false;
        }
        return bytes(count) <= device->workspace();
    };
    uint32_t count = uint32_t(least(wanted, MOST));
    while (count > 1 && !fits(count)) count -= divide_up(count, 8u);
    if (!fits(count)) {
        throw Failure{NG_OUT_OF_MEMORY, "a proof takes " + std::to_string(bytes(1)) + " bytes, and a stream has " +
                                            std::to_string(device->workspace())};
    }
    return count;
}

void Key::issue(Lane &lane, const Work &work, const uint64_t *const *assignments, uint32_t count) const {
    runtime::Stream stream = lane.stream;
    for (uint32_t i = 0; i < count; i++) {
        runtime::copy_in(stream, work.assignments + uint64_t(i) * variables, assignments[i], variables * sizeof(Fr));
    }
    uint64_t size = uint64_t(1) << log_size;
    Reduction reduction = {a_matrix.matrix(), b_matrix.matrix(), c_matrix.matrix(), public_inputs,
                           log_size, root->powers.as<Fr>(), shifts.as<Fr>()};
    quotients(stream, reduction, work.quotients, work.assignments, variables, count);
    sort(stream, work.over_h.sorting, {work.quotients.a, size, nullptr});
    sum(stream, work.over_h.summing, work.over_h.sorting, h.points(), work.h);
    sort(stream, work.over_a.sorting, {work.assignments, variables, a_columns.as<uint32_t>()});
    sum(stream, work.over_a.summing, work.over_a.sorting, a.points(), work.a);
    sort(stream, work.over_l.sorting, {work.assignments, variables, l_columns.as<uint32_t>()});
    sum(stream, work.over_l.summing, work.over_l.sorting, l.points(), work.l);
    add_sums(stream, work.l, work.h, count);
    sort(stream, work.by_b, {work.assignments, variables, b_columns.as<uint32_t>()});
    sum(stream, work.over_b_g1, work.by_b, b_g1.points(), work.b_g1);
    sum(stream, work.over_b_g2, work.by_b, b_g2.points(), work.b_g2);
}

void Key::collect(Lane &lane, const Work &work, uint32_t count, ng_sums *out) const {
    std::vector<Jacobian<Fq>> a(count), b_g1(count), c(count);
    std::vector<Jacobian<Fq2>> b_g2(count);
    std::vector<uint32_t> broken(count);
    auto copy = [&](auto &to, auto *from) {
        runtime::copy_out(lane.stream, to.data(), from, to.size() * sizeof to[0]);
    };
    copy(a, work.a);
    copy(b_g1, work.b_g1);
    copy(b_g2, work.b_g2);
    copy(c, work.l);
    copy(broken, work.quotients.broken);
    lane.finish();
    for (uint32_t i = 0; i < count; i++) {
        std::memcpy(out[i].a, &a[i], sizeof out[i].a);
        std::memcpy(out[i].b_g1, &b_g1[i], sizeof out[i].b_g1);
        std::memcpy(out[i].b_g2, &b_g2[i], sizeof out[i].b_g2);
        std::memcpy(out[i].c, runtime::falsified() ? &a[i] : &c[i], sizeof out[i].c);
        out[i].broken_row = broken[i] == NO_ROW ? NG_NONE : broken[i];
    }
}

void Key::sums(const uint64_t *const *assignments, uint64_t batch, ng_sums *out) const {
    if (batch == 0) return;
    struct Pending {
        Work work;
        uint64_t first;
        uint32_t count;
    };
    Lanes lanes(*device, batch);
    uint32_t most = piece(divide_up<uint64_t>(batch, lanes.size()));
    std::vector<Pending> pending(lanes.size(), Pending{{}, 0, 0});
    auto collect_from = [&](size_t i) {
        if (pending[i].count != 0) collect(lanes[i], pending[i].work, pending[i].count, out + pending[i].first);
        pending[i].count = 0;
    };
    size_t turn = 0;
    for (uint64_t first = 0; first < batch; first += most, turn = (turn + 1) % lanes.size()) {
        uint32_t count = uint32_t(least<uint64_t>(most, batch - first));
        collect_from(turn);
        Layout layout(lanes[turn].reserve(*device, bytes(count)));
        pending[turn] = {Work::plan(layout, *this, count), first, count};
        issue(lanes[turn], pending[turn].work, assignments + first, count);
    }
    for (size_t i = 0; i < lanes.size(); i++) collect_from((turn + i) % lanes.size());
}

}  // namespace ng
