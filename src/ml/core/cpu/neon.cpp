// The NEON tables, and what a processor must have to run them.
#include "ml/core/cpu/neon.h"

#include <sys/auxv.h>

namespace notso::neon {
namespace {

// Bits of the two auxiliary vector entries in which Linux names a processor's extensions.
constexpr unsigned long kHwcapDotProduct = 1UL << 20;
constexpr unsigned long kHwcap2I8mm = 1UL << 13;

bool has_dot_product() { return (getauxval(AT_HWCAP) & kHwcapDotProduct) != 0; }
bool has_i8mm() { return has_dot_product() && (getauxval(AT_HWCAP2) & kHwcap2I8mm) != 0; }

}  // namespace

constexpr KernelTable kTable = {
    "neon",   has_dot_product, matmul_dot, quantize, rms_norm,
    silu_mul, kv_head_bytes,   kv_store,   attend,
};
constexpr KernelTable kI8mmTable = {
    "neon-i8mm", has_i8mm,      matmul_i8mm, quantize, rms_norm,
    silu_mul,    kv_head_bytes, kv_store,    attend,
};

}  // namespace notso::neon
