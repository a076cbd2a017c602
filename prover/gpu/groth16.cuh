// A Groth16 key resident on a device, and the sums of many proofs under it.

#pragma once

#include "bases.cuh"
#include "qap.cuh"

namespace ng {

struct ResidentMatrix {
    Memory starts, terms, table;
    uint32_t rows;

    Matrix matrix() const { return {starts.as<uint32_t>(), terms.as<uint32_t>(), table.as<Fr>(), rows}; }
};

class Key {
  public:
    // Refuses parts that do not fit each other: no kernel checks an index.
    Key(std::shared_ptr<Device> device, const ng_key_parts &parts);

    Device &on() const { return *device; }
    uint32_t length() const { return variables; }

    // Proofs that one lane takes at a time as things are, at most `wanted`. A failure if not even one fits.
    uint32_t piece(uint64_t wanted) const;
    void sums(const uint64_t *const *assignments, uint64_t batch, ng_sums *out) const;

  private:
    struct Work;
    void issue(Lane &lane, const Work &work, const uint64_t *const *assignments, uint32_t count) const;
    void collect(Lane &lane, const Work &work, uint32_t count, ng_sums *out) const;
    uint64_t bytes(uint32_t batch) const;

    std::shared_ptr<Device> device;  // before what lies on it
    uint32_t variables, public_inputs, log_size;
    Bases<Fq> a, b_g1, l, h;
    Bases<Fq2> b_g2;
    Memory a_columns, b_columns, l_columns;
    ResidentMatrix a_matrix, b_matrix, c_matrix;
    std::shared_ptr<const RootTable> root;
    Memory shifts;
};

// Whether the root is of order 2^log_size.
bool has_order(const Fr &root, uint32_t log_size);

}  // namespace ng
