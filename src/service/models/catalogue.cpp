// Where the names lead. ggml-org, the organisation of llama.cpp, publishes Q4_K_M, Q8_0 and F16 of
// SmolLM3-3B; the two sizes between them come from Unsloth's repository of the same model. Where
// the length and the SHA-256 of a file are known, they are written down with the commit that they
// belong to, so that not even the hub can put another file in its place.
#include "service/models/catalogue.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

namespace notso {
namespace {

constexpr std::string_view kGgmlOrg = "ggml-org/SmolLM3-3B-GGUF";
constexpr std::string_view kGgmlOrgCommit = "4965cb60b150737b68a0408c36aeefb65078f894";
constexpr std::string_view kUnsloth = "unsloth/SmolLM3-3B-GGUF";

constexpr std::array<CatalogueEntry, 5> kCatalogue = {{
    {"Q4_K_M", kGgmlOrg, kGgmlOrgCommit, "SmolLM3-Q4_K_M.gguf", 1'915'305'312,
     "8334b850b7bd46238c16b0c550df2138f0889bf433809008cc17a8b05761863e",
     "1.92 GB; what the engine is tuned for"},
    {"Q5_K_M", kUnsloth, "main", "SmolLM3-3B-Q5_K_M.gguf", 0, "", "about 2.2 GB; a little better"},
    {"Q6_K", kUnsloth, "main", "SmolLM3-3B-Q6_K.gguf", 0, "", "about 2.5 GB; close to Q8_0"},
    {"Q8_0", kGgmlOrg, kGgmlOrgCommit, "SmolLM3-Q8_0.gguf", 3'275'574'624,
     "8aa8cc74656137174a1988d993b00828e65a86fd68773412b632a75aa1373248",
     "3.28 GB; as good as the original to the eye"},
    {"F16", kGgmlOrg, "main", "SmolLM3-f16.gguf", 0, "", "about 6.2 GB; the original's precision"},
}};

constexpr std::size_t kMaxFileName = 120;

bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

bool begins_with(std::string_view text, std::string_view start) {
  return text.size() >= start.size() && same_letters(text.substr(0, start.size()), start);
}

// The catalogue's name in "SmolLM3-3B-Q4_K_M.gguf" and the like.
std::string_view bare_name(std::string_view name) {
  for (const std::string_view prefix : {"smollm3-3b-", "smollm3-3b:", "smollm3-"}) {
    if (begins_with(name, prefix)) {
      name.remove_prefix(prefix.size());
      break;
    }
  }
  constexpr std::string_view kSuffix = ".gguf";
  if (name.size() > kSuffix.size() &&
      same_letters(name.substr(name.size() - kSuffix.size()), kSuffix)) {
    name.remove_suffix(kSuffix.size());
  }
  return name;
}

std::string file_url(const Hub& hub, std::string_view repository, std::string_view revision,
                     std::string_view file) {
  return hub.endpoint + "/" + std::string(repository) + "/resolve/" + std::string(revision) + "/" +
         std::string(file);
}

// Whether text can stand in a hub's address as it is: no spaces, queries or climbing up.
bool plain_path(std::string_view text) {
  if (text.empty() || text.find("..") != std::string_view::npos) return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("._-+/").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

Result<ModelSource> from_hub(std::string_view path, const Hub& hub) {
  const auto bad = [&] {
    return fail(
        ErrorCode::kInvalidArgument,
        "'hf:" + std::string(path) +
            "' does not name a file on the hub; write hf:organisation/repository/file.gguf");
  };
  const std::size_t first = path.find('/');
  const std::size_t second = first == path.npos ? path.npos : path.find('/', first + 1);
  if (second == path.npos) return bad();
  std::string_view repository = path.substr(0, second);
  const std::string_view file = path.substr(second + 1);
  std::string_view revision = "main";
  if (const std::size_t at = repository.find('@'); at != repository.npos) {
    revision = repository.substr(at + 1);
    repository = repository.substr(0, at);
  }
  if (first == 0 || repository.size() <= first + 1) return bad();
  if (!plain_path(repository) || !plain_path(revision) || !plain_path(file)) return bad();
  if (file.back() == '/') return bad();
  return ModelSource{file_url(hub, repository, revision, file), safe_file_name(file), "", 0};
}

// %41 is A; what is no escape stays as it is.
std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    const int lower = std::tolower(static_cast<unsigned char>(c));
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 &&
        digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

ModelSource from_url(std::string_view url) {
  std::string_view path = url.substr(0, url.find_first_of("?#"));
  path = path.substr(path.rfind('/') + 1);
  return {std::string(url), safe_file_name(percent_decoded(path)), "", 0};
}

std::string known_names() {
  std::string names;
  for (const CatalogueEntry& entry : kCatalogue) {
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  return names;
}

}  // namespace

std::span<const CatalogueEntry> catalogue() { return kCatalogue; }

Hub hub_from_environment() {
  Hub hub;
  if (const char* endpoint = std::getenv("HF_ENDPOINT"); endpoint != nullptr && *endpoint != 0) {
    hub.endpoint = endpoint;
    if (hub.endpoint.find("://") == std::string::npos) hub.endpoint = "https://" + hub.endpoint;
    while (hub.endpoint.back() == '/') hub.endpoint.pop_back();
  }
  if (const char* token = std::getenv("HF_TOKEN"); token != nullptr) hub.token = token;
  // A token read from a file often brings its line's end along.
  while (!hub.token.empty() && std::isspace(static_cast<unsigned char>(hub.token.back())) != 0) {
    hub.token.pop_back();
  }
  return hub;
}

Result<ModelSource> resolve_model_source(std::string_view what, const Hub& hub) {
  if (begins_with(what, "https://") || begins_with(what, "http://")) return from_url(what);
  if (begins_with(what, "hf:")) return from_hub(what.substr(3), hub);
  const std::string_view name = bare_name(what);
  for (const CatalogueEntry& entry : kCatalogue) {
    if (!what.empty() && !same_letters(name, entry.name)) continue;
    return ModelSource{file_url(hub, entry.repository, entry.revision, entry.file),
                       safe_file_name(entry.file), std::string(entry.sha256), entry.bytes};
  }
  return fail(ErrorCode::kNotFound, "there is no model called '" + std::string(what) +
                                        "'; take one of " + known_names() +
                                        ", hf:organisation/repository/file.gguf, or an address");
}

std::string safe_file_name(std::string_view name) {
  if (const std::size_t slash = name.rfind('/'); slash != name.npos) name.remove_prefix(slash + 1);
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool fine = byte < 0x80 && (std::isalnum(byte) != 0 ||
                                      std::string_view("._+-").find(c) != std::string_view::npos);
    out += fine ? c : '_';
  }
  out.erase(0, out.find_first_not_of('.'));
  constexpr std::string_view kSuffix = ".gguf";
  if (out.size() > kSuffix.size() &&
      same_letters(std::string_view(out).substr(out.size() - kSuffix.size()), kSuffix)) {
    out.resize(out.size() - kSuffix.size());
  } else if (same_letters(out, kSuffix) || same_letters(out, "gguf")) {
    out.clear();
  }
  if (out.empty()) out = "model";
  if (out.front() == '-') out.front() = '_';
  out.resize(std::min(out.size(), kMaxFileName - kSuffix.size()));
  return out + std::string(kSuffix);
}

}  // namespace notso
