// Multi-scalar multiplication in G1.

#include "msm_kernels.cuh"

namespace ng {
NG_MAKE_MSM(Fq)
}
