// Points of y^2 = x^3 + b over a field F, which is Fq for G1 and Fq2 for G2. b does not occur in the formulas, which are
// those of the Explicit-Formulas Database for extended coordinates (g1p/auto-shortw-xyzz.html, a = 0). They fail for equal
// and opposite points and for infinity, so these cases are told apart first.

#pragma once

#include "field.cuh"

namespace ng {

// Infinity is all zeros: no finite point of either curve is, as b is not zero.
template <class F> struct Affine {
    F x, y;

    NG_INLINE bool is_infinity() const { return x.is_zero() && y.is_zero(); }
    NG_INLINE Affine negated_if(bool negative) const { return negative ? Affine{x, y.negated()} : *this; }
};

// X, Y, Z with x = X / Z^2, y = Y / Z^3, as results leave the device.
template <class F> struct Jacobian {
    F x, y, z;
};

// x = X / ZZ, y = Y / ZZZ, ZZ^3 = ZZZ^2; infinity has ZZ = 0.
template <class F> struct Extended {
    F x, y, zz, zzz;

    NG_INLINE static Extended infinity() { return {F::zero(), F::zero(), F::zero(), F::zero()}; }
    NG_INLINE static Extended from(const Affine<F> &point) {
        if (point.is_infinity()) return infinity();
        return {point.x, point.y, F::one(), F::one()};
    }
    NG_INLINE bool is_infinity() const { return zz.is_zero(); }

    // dbl-2008-s-1. A point with y = 0 has order two; it gives ZZ = 0, as it must.
    NG_CALL Extended doubled() const {
        F u = y.doubled();
        F v = u.squared();
        F w = u * v;
        F s = x * v;
        F xx = x.squared();
        F m = xx.doubled() + xx;
        Extended r;
        r.x = m.squared() - s.doubled();
        r.y = m * (s - r.x) - w * y;
        r.zz = v * zz;
        r.zzz = w * zzz;
        return r;
    }

    // madd-2008-s.
    NG_INLINE void add(const Affine<F> &other) {
        if (other.is_infinity()) return;
        if (is_infinity()) {
            *this = from(other);
            return;
        }
        F p = other.x * zz - x;
        F r = other.y * zzz - y;
        if (p.is_zero()) {
            *this = r.is_zero() ? from(other).doubled() : infinity();
            return;
        }
        F pp = p.squared();
        F ppp = p * pp;
        F q = x * pp;
        x = r.squared() - ppp - q.doubled();
        y = r * (q - x) - y * ppp;
        zz = zz * pp;
        zzz = zzz * ppp;
    }

    // add-2008-s.
    NG_CALL void add(const Extended &other) {
        if (other.is_infinity()) return;
        if (is_infinity()) {
            *this = other;
            return;
        }
        F u = x * other.zz;
        F s = y * other.zzz;
        F p = other.x * zz - u;
        F r = other.y * zzz - s;
        if (p.is_zero()) {
            *this = r.is_zero() ? doubled() : infinity();
            return;
        }
        F pp = p.squared();
        F ppp = p * pp;
        F q = u * pp;
        x = r.squared() - ppp - q.doubled();
        y = r * (q - x) - s * ppp;
        zz = zz * other.zz * pp;
        zzz = zzz * other.zzz * ppp;
    }

    // factor times this, from the highest bit down.
    NG_CALL Extended times(uint32_t factor) const {
        Extended r = infinity();
        for (int bit = 31; bit >= 0; bit--) {
            if (!r.is_infinity()) r = r.doubled();
            if ((factor >> bit) & 1) r.add(*this);
        }
        return r;
    }

    // With z = ZZZ / ZZ the inverses are 1 / ZZZ and 1 / ZZ = (ZZ / ZZZ)^2: one inversion.
    NG_CALL Affine<F> affine() const {
        if (is_infinity()) return {F::zero(), F::zero()};
        F inverse = zzz.inverse();
        F z = zz * inverse;
        return {x * z.squared(), y * inverse};
    }

    // Z = ZZZ needs no inversion: X ZZZ^2 / ZZ = X ZZ^2.
    NG_CALL Jacobian<F> jacobian() const { return {x * zz.squared(), y * zzz.squared(), zzz}; }
};

}  // namespace ng
