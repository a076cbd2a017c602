// The two prime fields of BN254 and the quadratic extension under G2. An element is eight 32-bit limbs of its Montgomery form
// with R = 2^256, always reduced: so it is zero, or equal to another, exactly where its limbs are.

#pragma once

#include "carry.cuh"

namespace ng {

// The moduli (EIP-196, EIP-197), R mod the modulus, (modulus - 1) / 2, and -1 / modulus mod 2^32.
struct BaseField {
    NG_INLINE static uint32_t modulus(int i) {
        constexpr uint32_t limbs[8] = {0xd87cfd47, 0x3c208c16, 0x6871ca8d, 0x97816a91,
                                       0x8181585d, 0xb85045b6, 0xe131a029, 0x30644e72};
        return limbs[i];
    }
    NG_INLINE static uint32_t one(int i) {
        constexpr uint32_t limbs[8] = {0xc58f0d9d, 0xd35d438d, 0xf5c70b3d, 0x0a78eb28,
                                       0x7879462c, 0x666ea36f, 0x9a07df2f, 0x0e0a77c1};
        return limbs[i];
    }
    static constexpr uint32_t INVERSE = 0xe4866389;
};

struct ScalarField {
    NG_INLINE static uint32_t modulus(int i) {
        constexpr uint32_t limbs[8] = {0xf0000001, 0x43e1f593, 0x79b97091, 0x2833e848,
                                       0x8181585d, 0xb85045b6, 0xe131a029, 0x30644e72};
        return limbs[i];
    }
    NG_INLINE static uint32_t one(int i) {
        constexpr uint32_t limbs[8] = {0x4ffffffb, 0xac96341c, 0x9f60cd29, 0x36fc7695,
                                       0x7879462e, 0x666ea36f, 0x9a07df2f, 0x0e0a77c1};
        return limbs[i];
    }
    static constexpr uint32_t INVERSE = 0xefffffff;
};

template <class P> struct alignas(16) Field {
    uint32_t limb[8];

    NG_INLINE static Field zero() { return Field{{0, 0, 0, 0, 0, 0, 0, 0}}; }

    NG_INLINE static Field one() {
        Field r;
        NG_UNROLL
        for (int i = 0; i < 8; i++) r.limb[i] = P::one(i);
        return r;
    }

    NG_INLINE bool is_zero() const {
        uint32_t any = 0;
        NG_UNROLL
        for (int i = 0; i < 8; i++) any |= limb[i];
        return any == 0;
    }

    NG_INLINE bool operator==(const Field &other) const {
        uint32_t any = 0;
        NG_UNROLL
        for (int i = 0; i < 8; i++) any |= limb[i] ^ other.limb[i];
        return any == 0;
    }

    // This, which is below twice the modulus, reduced.
    NG_INLINE Field reduced() const {
        Carry carry;
        Field less;
        less.limb[0] = carry.subtract_start(limb[0], P::modulus(0));
        NG_UNROLL
        for (int i = 1; i < 8; i++) less.limb[i] = carry.subtract_next(limb[i], P::modulus(i));
        uint32_t borrowed = carry.subtract_end(0, 0);
        NG_UNROLL
        for (int i = 0; i < 8; i++) less.limb[i] = borrowed ? limb[i] : less.limb[i];
        return less;
    }

    // Twice the modulus is below 2^256: no carry is lost.
    NG_INLINE Field operator+(const Field &other) const {
        Carry carry;
        Field r;
        r.limb[0] = carry.add_start(limb[0], other.limb[0]);
        NG_UNROLL
        for (int i = 1; i < 7; i++) r.limb[i] = carry.add_next(limb[i], other.limb[i]);
        r.limb[7] = carry.add_end(limb[7], other.limb[7]);
        return r.reduced();
    }

    NG_INLINE Field operator-(const Field &other) const {
        Carry carry;
        Field r;
        r.limb[0] = carry.subtract_start(limb[0], other.limb[0]);
        NG_UNROLL
        for (int i = 1; i < 8; i++) r.limb[i] = carry.subtract_next(limb[i], other.limb[i]);
        uint32_t borrowed = carry.subtract_end(0, 0);
        r.limb[0] = carry.add_start(r.limb[0], P::modulus(0) & borrowed);
        NG_UNROLL
        for (int i = 1; i < 7; i++) r.limb[i] = carry.add_next(r.limb[i], P::modulus(i) & borrowed);
        r.limb[7] = carry.add_end(r.limb[7], P::modulus(7) & borrowed);
        return r;
    }

    NG_INLINE Field negated() const { return zero() - *this; }
    NG_INLINE Field doubled() const { return *this + *this; }
    NG_INLINE Field squared() const { return *this * *this; }

    // Montgomery's product a b / R (Math. Comp. 44, 1985), one limb of b at a time.
    //
    // The sum so far is even + 2^32 odd + spill. Products with the limbs a0, a2, .. fill the words of `even` pairwise without
    // gaps, those with a1, a3, .. the words of `odd`: so each is one chain of carries. After a multiple of the modulus
    // has made the lowest word zero, the sum moves down by a word: `odd` is the new `even`, and `even` without its two
    // lowest words the new `odd`; the second lowest, `spill`, belongs to the new lowest word and is added when the next chain
    // of `odd` begins, which takes up its carry. The sum stays below 2^288, so only the chain of `even` can carry out,
    // into the last word of `odd`.
    NG_INLINE Field operator*(const Field &b) const {
        Carry carry;
        uint32_t even[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        uint32_t odd[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        uint32_t spill = 0;
        NG_UNROLL
        for (int i = 0; i < 8; i++) {
            even[0] = carry.add_start(even[0], spill);
            NG_UNROLL
            for (int j = 0; j < 8; j += 2) {
                odd[j] = carry.low_next(limb[j + 1], b.limb[i], odd[j]);
                odd[j + 1] = j < 6 ? carry.high_next(limb[j + 1], b.limb[i], odd[j + 1])
                                   : carry.high_end(limb[j + 1], b.limb[i], odd[j + 1]);
            }
            even[0] = carry.low_start(limb[0], b.limb[i], even[0]);
            even[1] = carry.high_next(limb[0], b.limb[i], even[1]);
            NG_UNROLL
            for (int j = 2; j < 8; j += 2) {
                even[j] = carry.low_next(limb[j], b.limb[i], even[j]);
                even[j + 1] = carry.high_next(limb[j], b.limb[i], even[j + 1]);
            }
            odd[7] = carry.add_end(odd[7], 0);

            uint32_t m = even[0] * P::INVERSE;
            odd[0] = carry.low_start(m, P::modulus(1), odd[0]);
            odd[1] = carry.high_next(m, P::modulus(1), odd[1]);
            NG_UNROLL
            for (int j = 2; j < 8; j += 2) {
                odd[j] = carry.low_next(m, P::modulus(j + 1), odd[j]);
                odd[j + 1] = j < 6 ? carry.high_next(m, P::modulus(j + 1), odd[j + 1])
                                   : carry.high_end(m, P::modulus(j + 1), odd[j + 1]);
            }
            even[0] = carry.low_start(m, P::modulus(0), even[0]);
            even[1] = carry.high_next(m, P::modulus(0), even[1]);
            NG_UNROLL
            for (int j = 2; j < 8; j += 2) {
                even[j] = carry.low_next(m, P::modulus(j), even[j]);
                even[j + 1] = carry.high_next(m, P::modulus(j), even[j + 1]);
            }
            odd[7] = carry.add_end(odd[7], 0);

            spill = even[1];
            uint32_t shifted[8] = {even[2], even[3], even[4], even[5], even[6], even[7], 0, 0};
            NG_UNROLL
            for (int j = 0; j < 8; j++) {
                even[j] = odd[j];
                odd[j] = shifted[j];
            }
        }
        Field r;
        r.limb[0] = carry.add_start(even[0], spill);
        NG_UNROLL
        for (int j = 1; j < 7; j++) r.limb[j] = carry.add_next(even[j], odd[j - 1]);
        r.limb[7] = carry.add_end(even[7], odd[6]);
        return r.reduced();
    }

    // The limbs of the number itself: a product with the number 1, which leaves Montgomery's form.
    NG_INLINE Field canonical() const { return *this * Field{{1, 0, 0, 0, 0, 0, 0, 0}}; }

    NG_CALL Field power(uint64_t exponent) const {
        Field result = one(), square = *this;
        for (; exponent != 0; exponent >>= 1) {
            if (exponent & 1) result = result * square;
            square = square.squared();
        }
        return result;
    }

    // 1 / this by Fermat's theorem: the power modulus - 2. Zero gives zero.
    NG_CALL Field inverse() const {
        Field result = one();
        for (int bit = 253; bit >= 0; bit--) {
            result = result.squared();
            // No borrow: the lowest limb of either modulus is above 1, or it is the scalar field's 0xf0000001.
            uint32_t word = 0;
            NG_UNROLL
            for (int i = 0; i < 8; i++) word = i == bit / 32 ? P::modulus(i) - (i == 0 ? 2u : 0u) : word;
            if ((word >> (bit % 32)) & 1) result = result * *this;
        }
        return result;
    }
};

using Fq = Field<BaseField>;
using Fr = Field<ScalarField>;

// c0 + c1 u with u^2 = -1.
struct Fq2 {
    Fq c0, c1;

    NG_INLINE static Fq2 zero() { return {Fq::zero(), Fq::zero()}; }
    NG_INLINE static Fq2 one() { return {Fq::one(), Fq::zero()}; }
    NG_INLINE bool is_zero() const { return c0.is_zero() && c1.is_zero(); }
    NG_INLINE bool operator==(const Fq2 &other) const { return c0 == other.c0 && c1 == other.c1; }
    NG_INLINE Fq2 operator+(const Fq2 &other) const { return {c0 + other.c0, c1 + other.c1}; }
    NG_INLINE Fq2 operator-(const Fq2 &other) const { return {c0 - other.c0, c1 - other.c1}; }
    NG_INLINE Fq2 negated() const { return {c0.negated(), c1.negated()}; }
    NG_INLINE Fq2 doubled() const { return {c0.doubled(), c1.doubled()}; }

    // Karatsuba: three products.
    NG_CALL Fq2 operator*(const Fq2 &other) const {
        Fq low = c0 * other.c0, high = c1 * other.c1;
        Fq cross = (c0 + c1) * (other.c0 + other.c1);
        return {low - high, cross - low - high};
    }

    // (c0 + c1)(c0 - c1) + 2 c0 c1 u.
    NG_CALL Fq2 squared() const {
        Fq product = c0 * c1;
        return {(c0 + c1) * (c0 - c1), product.doubled()};
    }

    NG_CALL Fq2 inverse() const {
        Fq norm = (c0.squared() + c1.squared()).inverse();
        return {c0 * norm, (c1 * norm).negated()};
    }
};

}  // namespace ng
