// The functions of nightingale_gpu.h: handles, checks of what the caller gave, and no exception past this file.

#include "groth16.cuh"
#include <cstring>
#include <new>

struct ng_device {
    std::shared_ptr<ng::Device> device;
};

struct ng_bases {
    std::shared_ptr<ng::Device> device;  // before what lies on it
    uint32_t count;
    ng::Bases<ng::Fq> g1;
    ng::Bases<ng::Fq2> g2;
    bool second;
};

struct ng_vector {
    std::shared_ptr<ng::Device> device;  // before what lies on it
    uint64_t count;
    ng::Memory elements;
};

struct ng_key {
    ng::Key key;
};

namespace {

using namespace ng;

thread_local std::string last_error;

void remember(const char *text) noexcept {
    try {
        last_error = text;
    } catch (...) {
        last_error.clear();
    }
}

// Runs the work, and turns whatever it throws into a code.
template <class Work> int32_t guarded(Device *device, Work work) noexcept {
    try {
        if (device != nullptr) device->enter();
        work();
        return NG_OK;
    } catch (const Failure &failure) {
        remember(failure.text.c_str());
        if (failure.code == NG_LOST && device != nullptr) device->mark_lost();
        return failure.code;
    } catch (const std::bad_alloc &) {
        remember("the process is out of memory");
        return NG_OUT_OF_MEMORY;
    } catch (const std::exception &exception) {
        remember(exception.what());
        return NG_BROKEN;
    } catch (...) {
        remember("an exception of no known type");
        return NG_BROKEN;
    }
}

int32_t refuse(const char *what) noexcept {
    remember(what);
    return NG_INPUT;
}

Fr element(const uint64_t limbs[4]) {
    Fr element;
    std::memcpy(&element, limbs, sizeof element);
    return element;
}

const Fr *elements_of(const ng_vector *vector) { return vector->elements.as<Fr>(); }

constexpr uint64_t MOST_ELEMENTS = uint64_t(1) << 28;

}  // namespace

extern "C" {

uint32_t ng_abi_version(void) { return runtime::abi_version(); }

const char *ng_last_error(void) { return last_error.c_str(); }

int32_t ng_device_count(uint32_t *count) {
    if (count == nullptr) return refuse("no place for the count");
    return guarded(nullptr, [&] { *count = runtime::device_count(); });
}

int32_t ng_device_properties(uint32_t index, ng_properties *properties) {
    if (properties == nullptr) return refuse("no place for the properties");
    return guarded(nullptr, [&] {
        *properties = ng_properties{};
        runtime::properties(index, properties);
    });
}

int32_t ng_open(uint32_t index, const ng_options *options, ng_device **device) {
    if (device == nullptr) return refuse("no place for the device");
    *device = nullptr;
    if (options != nullptr && (options->reserved != 0 || options->streams > 64)) return refuse("options of no meaning");
    return guarded(nullptr, [&] {
        uint32_t count = runtime::device_count();
        if (index >= count) {
            throw Failure{NG_ABSENT, "there is no device " + std::to_string(index) + " among " + std::to_string(count)};
        }
        *device = new ng_device{std::make_shared<Device>(index, options ? *options : ng_options{})};
    });
}

void ng_close(ng_device *device) {
    guarded(nullptr, [&] { delete device; });
}

int32_t ng_memory(ng_device *device, uint64_t *used, uint64_t *budget) {
    if (device == nullptr || used == nullptr || budget == nullptr) return refuse("a null pointer");
    *used = device->device->used();
    *budget = device->device->budget();
    return NG_OK;
}

int32_t ng_bases_load(ng_device *device, uint32_t group, const uint64_t *points, uint64_t count, ng_bases **bases) {
    if (device == nullptr || bases == nullptr || (points == nullptr && count != 0)) return refuse("a null pointer");
    *bases = nullptr;
    if (group != 1 && group != 2) return refuse("a group that is neither 1 nor 2");
    Device &on = *device->device;
    return guarded(&on, [&] {
        if (count > MOST_ELEMENTS) throw Failure{NG_UNSUPPORTED, "more than 2^28 points"};
        auto loaded = std::unique_ptr<ng_bases>(new ng_bases{device->device, uint32_t(count), {}, {}, group == 2});
        Lanes lanes(on, 1);
        if (group == 1) {
            loaded->g1 = Bases<Fq>::load(on, lanes[0], points, uint32_t(count), on.table_bytes());
        } else {
            loaded->g2 = Bases<Fq2>::load(on, lanes[0], points, uint32_t(count), on.table_bytes());
        }
        *bases = loaded.release();
    });
}

void ng_bases_free(ng_bases *bases) {
    if (bases == nullptr) return;
    std::shared_ptr<Device> device = bases->device;
    guarded(device.get(), [] {});
    guarded(nullptr, [&] { delete bases; });
}

int32_t ng_multiply(ng_bases *bases, const ng_scalars *scalars, uint64_t batch, uint64_t *out) {
    if (bases == nullptr || (batch != 0 && (scalars == nullptr || out == nullptr))) return refuse("a null pointer");
    for (uint64_t i = 0; i < batch; i++) {
        const ng_scalars &each = scalars[i];
        if (each.count != bases->count) return refuse("as many scalars as there are points, it must be");
        if (each.host != nullptr || each.count == 0) continue;
        if (each.resident == nullptr) return refuse("a null pointer");
        if (each.resident->device != bases->device) return refuse("a vector of another device");
        if (each.resident->count != each.count) return refuse("a vector of another length");
    }
    Device &on = *bases->device;
    return guarded(&on, [&] {
        if (bases->second) {
            multiply(on, bases->g2, scalars, batch, elements_of, reinterpret_cast<Jacobian<Fq2> *>(out));
        } else {
            multiply(on, bases->g1, scalars, batch, elements_of, reinterpret_cast<Jacobian<Fq> *>(out));
        }
    });
}

int32_t ng_vector_new(ng_device *device, const uint64_t *elements, uint64_t count, ng_vector **vector) {
    if (device == nullptr || vector == nullptr || (elements == nullptr && count != 0)) return refuse("a null pointer");
    *vector = nullptr;
    Device &on = *device->device;
    return guarded(&on, [&] {
        if (count > MOST_ELEMENTS) throw Failure{NG_UNSUPPORTED, "more than 2^28 elements"};
        auto made = std::unique_ptr<ng_vector>(new ng_vector{device->device, count, Memory(on, count * sizeof(Fr))});
        Lanes lanes(on, 1);
        runtime::copy_in(lanes[0].stream, made->elements.as<Fr>(), elements, count * sizeof(Fr));
        runtime::wait(lanes[0].stream);
        *vector = made.release();
    });
}

void ng_vector_free(ng_vector *vector) {
    if (vector == nullptr) return;
    std::shared_ptr<Device> device = vector->device;
    guarded(device.get(), [&] {
        Lanes lanes(*device, 1);
        runtime::zero(lanes[0].stream, vector->elements.as<Fr>(), vector->count * sizeof(Fr));
        runtime::wait(lanes[0].stream);
    });
    guarded(nullptr, [&] { delete vector; });
}

int32_t ng_vector_read(const ng_vector *vector, uint64_t *elements, uint64_t count) {
    if (vector == nullptr || (elements == nullptr && count != 0)) return refuse("a null pointer");
    if (count != vector->count) return refuse("another length than the vector's");
    return guarded(vector->device.get(), [&] {
        Lanes lanes(*vector->device, 1);
        runtime::copy_out(lanes[0].stream, elements, vector->elements.as<Fr>(), count * sizeof(Fr));
        runtime::wait(lanes[0].stream);
    });
}

int32_t ng_vector_transform(ng_vector *vector, uint32_t log_size, const uint64_t root[4], const uint64_t coset[4],
                            uint32_t direction) {
    if (vector == nullptr || root == nullptr || coset == nullptr) return refuse("a null pointer");
    if (direction > NG_INVERSE) return refuse("a direction that is neither forward nor inverse");
    if (log_size > 28 || vector->count != uint64_t(1) << log_size) return refuse("a transform of another size");
    Fr w = element(root), g = element(coset);
    if (g.is_zero() || !has_order(w, log_size)) return refuse("a root or a coset that fits no transform of this size");
    return guarded(vector->device.get(), [&] {
        Lanes lanes(*vector->device, 1);
        runtime::Stream stream = lanes[0].stream;
        Fr *data = vector->elements.as<Fr>();
        auto table = vector->device->root(lanes[0], log_size, w);
        bool inverse = direction == NG_INVERSE, shifted = !(g == Fr::one());
        if (!inverse && shifted) scale_by_powers(stream, data, vector->count, g, Fr::one());
        transform(stream, data, 1, log_size, table->powers.as<Fr>(), Order::Down,
                  inverse ? Root::Inverse : Root::Given);
        reverse_places(stream, data, log_size);
        if (inverse) {
            Fr half = (Fr::one() + Fr::one()).inverse();
            scale_by_powers(stream, data, vector->count, g.inverse(), half.power(log_size));
        }
        runtime::wait(stream);
    });
}

int32_t ng_vector_combine(ng_vector *vector, uint32_t operation, const ng_vector *other) {
    if (vector == nullptr || other == nullptr) return refuse("a null pointer");
    if (operation > NG_MULTIPLY) return refuse("an operation that does not exist");
    if (vector->device != other->device) return refuse("a vector of another device");
    if (vector->count != other->count) return refuse("a vector of another length");
    return guarded(vector->device.get(), [&] {
        Lanes lanes(*vector->device, 1);
        runtime::Stream stream = lanes[0].stream;
        combine(stream, vector->elements.as<Fr>(), other->elements.as<Fr>(), vector->count, operation);
        runtime::wait(stream);
    });
}

int32_t ng_key_load(ng_device *device, const ng_key_parts *parts, ng_key **key) {
    if (device == nullptr || parts == nullptr || key == nullptr) return refuse("a null pointer");
    *key = nullptr;
    return guarded(device->device.get(), [&] { *key = new ng_key{Key(device->device, *parts)}; });
}

void ng_key_free(ng_key *key) {
    if (key == nullptr) return;
    guarded(&key->key.on(), [] {});
    guarded(nullptr, [&] { delete key; });
}

int32_t ng_key_capacity(ng_key *key, uint64_t *proofs) {
    if (key == nullptr || proofs == nullptr) return refuse("a null pointer");
    Device &on = key->key.on();
    return guarded(&on, [&] { *proofs = on.streams() * key->key.piece(~uint64_t(0)); });
}

int32_t ng_key_sums(ng_key *key, const uint64_t *const *assignments, uint64_t batch, uint64_t length, ng_sums *out) {
    if (key == nullptr || (batch != 0 && (assignments == nullptr || out == nullptr))) return refuse("a null pointer");
    if (length != key->key.length()) return refuse("assignments of another length than the key's");
    return guarded(&key->key.on(), [&] { key->key.sums(assignments, batch, out); });
}

#if !defined(__CUDACC__)
void ng_emulate(uint32_t what, uint64_t value) {
    runtime::Machine &machine = runtime::machine();
    switch (what) {
    case NG_EMULATE_VERSION: machine.version = uint32_t(value); break;
    case NG_EMULATE_DEVICES: machine.devices = uint32_t(value); break;
    case NG_EMULATE_MEMORY: machine.bytes = value; break;
    case NG_EMULATE_LOSS: machine.lost_at = value == 0 ? 0 : machine.launches + value; break;
    case NG_EMULATE_FALSEHOOD: machine.lies = value != 0; break;
    case NG_EMULATE_KEEPING: machine.keeping = value != 0; break;
    default: break;
    }
}

uint32_t ng_emulation_holds(const void *bytes, uint64_t length) { return runtime::holds(bytes, length) ? 1 : 0; }
#endif

}  // extern "C"
