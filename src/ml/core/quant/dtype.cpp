#include "ml/core/quant/dtype.h"

#include <array>

#include "base/check.h"

namespace notso {
namespace {

constexpr std::array<DTypeInfo, 11> kInfos = {{
    {DType::kF32, "F32", 1, 4},
    {DType::kF16, "F16", 1, 2},
    {DType::kQ4_0, "Q4_0", 32, sizeof(BlockQ4_0)},
    {DType::kQ4_1, "Q4_1", 32, sizeof(BlockQ4_1)},
    {DType::kQ5_0, "Q5_0", 32, sizeof(BlockQ5_0)},
    {DType::kQ5_1, "Q5_1", 32, sizeof(BlockQ5_1)},
    {DType::kQ8_0, "Q8_0", 32, sizeof(BlockQ8_0)},
    {DType::kQ4_K, "Q4_K", 256, sizeof(BlockQ4_K)},
    {DType::kQ5_K, "Q5_K", 256, sizeof(BlockQ5_K)},
    {DType::kQ6_K, "Q6_K", 256, sizeof(BlockQ6_K)},
    {DType::kBF16, "BF16", 1, 2},
}};

// GGUF's type numbers in order, including those that were withdrawn and those not read here.
constexpr std::array<std::string_view, 41> kRawNames = {
    "F32",   "F16",        "Q4_0",       "Q4_1",       "Q4_2",     "Q4_3",     "Q5_0",
    "Q5_1",  "Q8_0",       "Q8_1",       "Q2_K",       "Q3_K",     "Q4_K",     "Q5_K",
    "Q6_K",  "Q8_K",       "IQ2_XXS",    "IQ2_XS",     "IQ3_XXS",  "IQ1_S",    "IQ4_NL",
    "IQ3_S", "IQ2_S",      "IQ4_XS",     "I8",         "I16",      "I32",      "I64",
    "F64",   "IQ1_M",      "BF16",       "Q4_0_4_4",   "Q4_0_4_8", "Q4_0_8_8", "TQ1_0",
    "TQ2_0", "IQ4_NL_4_4", "IQ4_NL_4_8", "IQ4_NL_8_8", "MXFP4",    "NVFP4",
};

}  // namespace

const DTypeInfo& dtype_info(DType type) {
  for (const DTypeInfo& info : kInfos) {
    if (info.type == type) return info;
  }
  check_failed("a known DType", __FILE__, __LINE__);
}

std::optional<DType> dtype_from_raw(std::uint32_t raw) {
  for (const DTypeInfo& info : kInfos) {
    if (static_cast<std::uint32_t>(info.type) == raw) return info.type;
  }
  return std::nullopt;
}

std::string_view dtype_raw_name(std::uint32_t raw) {
  return raw < kRawNames.size() ? kRawNames[raw] : "unknown";
}

}  // namespace notso
