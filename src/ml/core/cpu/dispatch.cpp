#include "ml/core/cpu/kernel_table.h"
#include "ml/core/cpu/scalar.h"

#if defined(NOTSO_AVX512)
#include "ml/core/cpu/avx512.h"
#endif
#if defined(NOTSO_AVX2)
#include <cpuid.h>

#include "ml/core/cpu/avx2.h"
#endif
#if defined(NOTSO_NEON)
#include "ml/core/cpu/neon.h"
#endif

namespace notso {
namespace {

constexpr KernelTable kScalar = {
    "scalar",         [] { return true; },   scalar::matmul,   scalar::quantize, scalar::rms_norm,
    scalar::silu_mul, scalar::kv_head_bytes, scalar::kv_store, scalar::attend,
};

#if defined(NOTSO_AVX512)
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
         __builtin_cpu_supports("avx512vnni") != 0 && __builtin_cpu_supports("fma") != 0;
}
bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16") != 0; }

constexpr KernelTable kAvx512Bf16 = {
    "avx512bf16",          has_avx512_bf16,       avx512::matmul,
    avx512::quantize,      avx512::rms_norm,      avx512::silu_mul,
    avx512::kv_head_bytes, avx512::kv_store_bf16, avx512::attend_bf16,
};
constexpr KernelTable kAvx512 = {
    "avx512",         has_avx512,       avx512::matmul,        avx512::quantize,
    avx512::rms_norm, avx512::silu_mul, avx512::kv_head_bytes, avx512::kv_store,
    avx512::attend,
};
#endif

#if defined(NOTSO_AVX2)
// Not every Clang lets __builtin_cpu_supports ask for F16C by name.
bool has_f16c() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
// AVX2 is reported only where the operating system saves its registers, which F16C needs as well.
bool has_avx2() {
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 && has_f16c();
}

constexpr KernelTable kAvx2 = {
    "avx2",         has_avx2,       avx2::matmul,        avx2::quantize,
    avx2::rms_norm, avx2::silu_mul, avx2::kv_head_bytes, avx2::kv_store,
    avx2::attend,
};
#endif

}  // namespace

const std::vector<const KernelTable*>& kernel_tables() {
  static const std::vector<const KernelTable*> tables = {
#if defined(NOTSO_AVX512)
    &kAvx512Bf16,
    &kAvx512,
#endif
#if defined(NOTSO_AVX2)
    &kAvx2,
#endif
#if defined(NOTSO_NEON)
    &neon::kI8mmTable,
    &neon::kTable,
#endif
    &kScalar,
  };
  return tables;
}

Result<const KernelTable*> choose_kernel_table(std::string_view forced) {
  std::string names;
  for (const KernelTable* table : kernel_tables()) {
    if (!table->supported()) continue;
    if (forced.empty() || forced == table->name) return table;
    names += names.empty() ? "" : ", ";
    names += table->name;
  }
  return fail(ErrorCode::kInvalidArgument,
              "NOTSO_CPU=" + std::string(forced) +
                  " is not a kernel table of this machine; it has: " + names + ", reference");
}

}  // namespace notso
