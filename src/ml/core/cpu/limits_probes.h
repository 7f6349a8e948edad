// The loops behind limits.h, one set an instruction set. Each returns what it did, so that it
// cannot be left out.
#pragma once

#include <cstddef>
#include <cstdint>

namespace notso {

// Reads all `bytes` (a multiple of 4096) and folds them into a number.
using ReadProbe = std::uint64_t (*)(const std::byte* data, std::size_t bytes);

// Runs `iterations` rounds of independent multiply-adds; adds a value that depends on all of them
// to `sink` and returns the multiply-adds done.
using MacProbe = double (*)(std::int64_t iterations, volatile std::int64_t* sink);

// One instruction set's probes; a null one does not exist there.
struct Probes {
  ReadProbe read;
  MacProbe int8;
  MacProbe bf16;
  MacProbe f32;
};

// Constants of function pointers only: these files' code must not run before the processor was
// asked what it has.
extern const Probes kScalarProbes;
extern const Probes kAvx2Probes;
extern const Probes kAvx512Probes;
double probe_avx512_bf16(std::int64_t iterations, volatile std::int64_t* sink);
extern const Probes kNeonProbes;
double probe_neon_i8mm(std::int64_t iterations, volatile std::int64_t* sink);

}  // namespace notso
