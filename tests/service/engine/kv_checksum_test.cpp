// Expected values are those of the xxHash library, version 0.8.1.
#include "service/engine/kv_checksum.h"

#include <gtest/gtest.h>
#include <utility>
#include <vector>

namespace notso {
namespace {

TEST(KvChecksum, agrees_with_the_xxhash_library) {
  std::vector<std::byte> bytes;
  for (unsigned i = 0; i < 1000; ++i) bytes.push_back(static_cast<std::byte>((i * 7 + 3) % 256));
  const std::vector<std::pair<std::size_t, std::uint64_t>> expected = {
      {0, 0xef46db3751d8e999U},  {1, 0x1f25c8d0bc1f4bb6U},   {3, 0x31d2363f52e564c9U},
      {4, 0x9bb64b7d66ee9fdaU},  {7, 0x9a7b149959ce60d8U},   {8, 0xdab99d95c6f90092U},
      {12, 0xd52e407833af5133U}, {31, 0xa2aa5f33cc4a6119U},  {32, 0x23c3c17ef790fd97U},
      {33, 0x50a7cfc7ba588784U}, {63, 0x5e3e54b431c7493cU},  {64, 0xeb64b3ef6eeb01fU},
      {71, 0xfdb8dfc5700141a7U}, {1000, 0x5f235fa033f1a3fbU}};
  for (const auto& [size, hash] : expected) {
    EXPECT_EQ(kv_checksum(std::span(bytes).first(size)), hash) << size << " bytes";
  }
}

}  // namespace
}  // namespace notso
