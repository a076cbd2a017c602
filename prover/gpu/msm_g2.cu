// Multi-scalar multiplication in G2.

#include "msm_kernels.cuh"

namespace ng {
NG_MAKE_MSM(Fq2)
}
