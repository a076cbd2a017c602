/* The boundary between Nightingale's prover and a GPU: what libnightingale_gpu.so exports, and all that it exports.
 *
 * Field elements are four 64-bit limbs, little-endian, of the Montgomery form with R = 2^256, reduced. An affine point is x, y
 * (G1: 8 limbs, G2: 16 limbs as x.c0, x.c1, y.c0, y.c1); infinity is all zeros. A sum is in Jacobian coordinates X, Y, Z
 * (12 or 24 limbs), infinity has Z = 0. The curve is BN254, scalars are elements of its Fr.
 *
 * Every function may be called from any thread; a vector is changed by one thread at a time, and nothing is freed while it
 * is used. A device stays open until the last thing on it was freed. No exception leaves the library.
 */
#ifndef NIGHTINGALE_GPU_H
#define NIGHTINGALE_GPU_H

#include <stdint.h>

#if defined(__GNUC__)
#define NG_EXPORT __attribute__((visibility("default")))
#else
#define NG_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Changes with every change of this file that an old caller or an old library would misread. */
#define NG_ABI_VERSION 1u

/* What a function returns: it says what the caller may do next. */
enum {
    NG_OK = 0,
    NG_INPUT = 1,         /* lengths, roots or handles that do not fit: the same on every device */
    NG_UNSUPPORTED = 2,   /* not on this device, or not at this size: another device does it */
    NG_ABSENT = 3,        /* no driver, no such device: install it, or name another */
    NG_OUT_OF_MEMORY = 4, /* a smaller batch, or another device */
    NG_LOST = 5,          /* the device stopped answering: what was resident is gone */
    NG_BROKEN = 6         /* the library or the driver did what it must not */
};

typedef struct ng_device ng_device;
typedef struct ng_bases ng_bases;
typedef struct ng_vector ng_vector;
typedef struct ng_key ng_key;

/* The NG_ABI_VERSION that the library was built with. A caller with another one calls nothing else. */
NG_EXPORT uint32_t ng_abi_version(void);

/* What the last function that failed on this thread had to say. Valid until the thread's next call. */
NG_EXPORT const char *ng_last_error(void);

typedef struct {
    char name[128];
    uint64_t memory_bytes;
    uint64_t free_bytes;
    uint32_t compute_major;
    uint32_t compute_minor;
    uint32_t processors;
    uint32_t driver_version; /* 1000 * major + 10 * minor, as CUDA counts */
} ng_properties;

/* How many devices there are: 0 is an answer, no driver is NG_ABSENT. */
NG_EXPORT int32_t ng_device_count(uint32_t *count);
NG_EXPORT int32_t ng_device_properties(uint32_t index, ng_properties *properties);

typedef struct {
    uint64_t memory_bytes; /* most that may be allocated on the device; 0: nine tenths of what is free now */
    uint64_t table_bytes;  /* most for multiples of the points of one set of bases; 0: a sixteenth of memory_bytes */
    uint32_t streams;      /* pieces of work at a time; 0: 2 */
    uint32_t reserved;     /* 0 */
} ng_options;

/* options may be null: all zeros. */
NG_EXPORT int32_t ng_open(uint32_t index, const ng_options *options, ng_device **device);
NG_EXPORT void ng_close(ng_device *device);

/* Bytes allocated now and at most. */
NG_EXPORT int32_t ng_memory(ng_device *device, uint64_t *used, uint64_t *budget);

/* group is 1 or 2. */
NG_EXPORT int32_t ng_bases_load(ng_device *device, uint32_t group, const uint64_t *points, uint64_t count,
                                ng_bases **bases);
NG_EXPORT void ng_bases_free(ng_bases *bases);

/* As many scalars as there are bases: in the caller's memory, or resident where host is null. */
typedef struct {
    const uint64_t *host;
    const ng_vector *resident;
    uint64_t count;
} ng_scalars;

/* For each of the batch sum_i scalars[i] * bases[i] into out, one after the other. */
NG_EXPORT int32_t ng_multiply(ng_bases *bases, const ng_scalars *scalars, uint64_t batch, uint64_t *out);

NG_EXPORT int32_t ng_vector_new(ng_device *device, const uint64_t *elements, uint64_t count, ng_vector **vector);
/* Zeroes it first. */
NG_EXPORT void ng_vector_free(ng_vector *vector);
NG_EXPORT int32_t ng_vector_read(const ng_vector *vector, uint64_t *elements, uint64_t count);

enum { NG_FORWARD = 0, NG_INVERSE = 1 };

/* Coefficients c_j to values sum_j c_j (coset * root^i)^j, or back; natural order on both sides. The root must be of order
 * 2^log_size, the coset not 0. */
NG_EXPORT int32_t ng_vector_transform(ng_vector *vector, uint32_t log_size, const uint64_t root[4],
                                      const uint64_t coset[4], uint32_t direction);

enum { NG_ADD = 0, NG_SUBTRACT = 1, NG_MULTIPLY = 2 };

/* vector[i] = vector[i] operation other[i]; the two may be the same. */
NG_EXPORT int32_t ng_vector_combine(ng_vector *vector, uint32_t operation, const ng_vector *other);

/* A sparse matrix by rows: terms[2 * k] is an index into the table of coefficients, terms[2 * k + 1] the column. The table
 * begins with 1 and -1. */
typedef struct {
    const uint32_t *starts; /* rows + 1 */
    const uint32_t *terms;
    const uint64_t *table;
    uint32_t rows;
    uint32_t table_count;
} ng_matrix;

/* Points over columns of the assignment; columns is null where they are 0, 1, 2.. */
typedef struct {
    const uint64_t *points;
    const uint32_t *columns;
    uint32_t count;
} ng_query;

/* The parts of a Groth16 key over the reduction of circom and snarkjs. H has one point for each of the 2^log_size rows of
 * the domain; the rows after the matrices' are the one and the public inputs in A. shift is a square root of root. */
typedef struct {
    ng_matrix a;
    ng_matrix b;
    ng_matrix c;
    ng_query a_query;
    ng_query b_g1_query;
    ng_query b_g2_query; /* over the columns of b_g1_query */
    ng_query l_query;
    ng_query h_query;
    uint32_t variables;
    uint32_t public_inputs; /* without the one */
    uint32_t log_size;
    uint32_t reserved;
    uint64_t root[4];
    uint64_t shift[4];
} ng_key_parts;

NG_EXPORT int32_t ng_key_load(ng_device *device, const ng_key_parts *parts, ng_key **key);
NG_EXPORT void ng_key_free(ng_key *key);

/* How many proofs the device takes at a time as things are, on all of its streams together; at least 1. */
NG_EXPORT int32_t ng_key_capacity(ng_key *key, uint64_t *proofs);

/* No row of the constraint system. */
#define NG_NONE UINT64_MAX

/* The sums of a proof in Jacobian coordinates; c is the witness over L plus the quotient over H. They mean nothing where the
 * assignment breaks a constraint; broken_row is then the first that it breaks, else NG_NONE. */
typedef struct {
    uint64_t a[12];
    uint64_t b_g1[12];
    uint64_t b_g2[24];
    uint64_t c[12];
    uint64_t broken_row;
} ng_sums;

/* For each of the batch's assignments [1, public.., witness..], of length elements each, its sums. */
NG_EXPORT int32_t ng_key_sums(ng_key *key, const uint64_t *const *assignments, uint64_t batch, uint64_t length,
                              ng_sums *out);

/* Only in the emulation, a build of the same sources for the processor: changes how it behaves, for tests. */
enum {
    NG_EMULATE_VERSION = 0,   /* what ng_abi_version answers */
    NG_EMULATE_DEVICES = 1,   /* how many devices there are; 2^32 - 1: no driver */
    NG_EMULATE_MEMORY = 2,    /* bytes of memory that each device has */
    NG_EMULATE_LOSS = 3,      /* the kernel launch, counted from now, that loses its device; 0: none */
    NG_EMULATE_FALSEHOOD = 4, /* whether sums come out wrong */
    NG_EMULATE_KEEPING = 5    /* whether memory that is freed is kept for ng_emulation_holds */
};
NG_EXPORT void ng_emulate(uint32_t what, uint64_t value);
/* Whether a device's memory, what was kept of it included, holds these bytes at a multiple of their length. */
NG_EXPORT uint32_t ng_emulation_holds(const void *bytes, uint64_t length);

#ifdef __cplusplus
}
#endif

#endif
