// The models that have names, and where a name, a repository on a hub or an address leads to.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace notso {

// One named model file on Hugging Face.
struct CatalogueEntry {
  std::string_view name;        // "Q4_K_M"
  std::string_view repository;  // "organisation/name"
  std::string_view revision;    // a branch or a commit
  std::string_view file;
  std::uint64_t bytes = 0;  // 0: not known beforehand
  std::string_view sha256;  // "": the hub says it
  std::string_view about;   // a phrase for lists
};

// All named models; the first is the default.
[[nodiscard]] std::span<const CatalogueEntry> catalogue();

// A hub that serves repositories as Hugging Face does.
struct Hub {
  std::string endpoint = "https://huggingface.co";  // without a slash at the end
  std::string token;                                // sent to the endpoint only; "": none
};

// The hub that HF_ENDPOINT and HF_TOKEN name. An endpoint without a scheme gets https.
[[nodiscard]] Hub hub_from_environment();

// What to download.
struct ModelSource {
  std::string url;
  std::string file_name;    // safe to use in a folder
  std::string sha256;       // expected; "": what the server says
  std::uint64_t bytes = 0;  // expected; 0: unknown
};

// Where `what` leads: a catalogue name (also as "SmolLM3-3B-Q4_K_M", in any case; "" is the
// default), "hf:organisation/repository/file" ("repository@revision" for another than main), or an
// http or https address.
[[nodiscard]] Result<ModelSource> resolve_model_source(std::string_view what, const Hub& hub);

// A name for a file in our folder from whatever stands at the end of an address: letters, digits
// and "._+-" only, no dot in front, at most 120 characters, ".gguf" at the end.
[[nodiscard]] std::string safe_file_name(std::string_view name);

}  // namespace notso
