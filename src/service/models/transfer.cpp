#include "service/models/transfer.h"

#include <charconv>
#include <curl/curl.h>
#include <map>
#include <mutex>

#include "service/models/lower_case.h"

namespace notso {
namespace {

constexpr long kConnectSeconds = 20;
constexpr std::size_t kMaxHeaderValue = 8192;

void initialise_curl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

std::string_view trimmed(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "bytes 0-99/1234"
void read_content_range(ResponseHead& head, std::string_view value) {
  constexpr std::string_view kUnit = "bytes ";
  if (value.substr(0, kUnit.size()) != kUnit) return;
  value.remove_prefix(kUnit.size());
  const std::size_t dash = value.find('-');
  const std::size_t slash = value.find('/');
  if (slash == value.npos) return;
  if (dash < slash) head.range_first = number(value.substr(0, dash));
  head.range_total = number(value.substr(slash + 1));
}

// The status of a status line, or nothing. HTTP/2 has no words behind the number.
std::optional<int> status_of(std::string_view line) {
  if (line.substr(0, 5) != "HTTP/") return std::nullopt;
  const std::size_t space = line.find(' ');
  if (space == line.npos) return std::nullopt;
  const auto status = number(line.substr(space + 1, 3));
  return status ? static_cast<int>(*status) : 0;
}

}  // namespace

void add_header_line(ResponseHead& head, std::string_view line) {
  line = trimmed(line);
  if (const auto status = status_of(line)) {
    head = ResponseHead();
    head.status = *status;
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == line.npos || line.size() > kMaxHeaderValue) return;
  const std::string name = lower_case(line.substr(0, colon));
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (name == "location") head.location = value;
  if (name == "etag") head.etag = value;
  if (name == "last-modified") head.last_modified = value;
  if (name == "x-linked-etag") head.linked_etag = value;
  if (name == "x-linked-size") head.linked_bytes = number(value);
  if (name == "content-length") head.content_bytes = number(value);
  if (name == "content-range") read_content_range(head, value);
  if (name == "retry-after") head.retry_after_s = number(value);
}

namespace {

// One running request. libcurl holds its address.
struct Running {
  int id = 0;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  TransferRequest request;
  ResponseHead head;
  bool stopped = false;  // by a callback
  char problem[CURL_ERROR_SIZE] = {};

  Running() = default;
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }
};

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& running = *static_cast<Running*>(user);
  const std::string_view line(data, size * count);
  if (!trimmed(line).empty()) {
    add_header_line(running.head, line);
  } else if (running.head.status >= 200 && !running.request.on_head(running.head)) {
    running.stopped = true;
    return 0;
  }
  return line.size();
}

std::size_t on_data(char* data, std::size_t size, std::size_t count, void* user) {
  auto& running = *static_cast<Running*>(user);
  const std::size_t bytes = size * count;
  if (!running.request.on_body(std::as_bytes(std::span(data, bytes)))) {
    running.stopped = true;
    // Anything but the number of bytes ends the transfer.
    return bytes == 0 ? 1 : 0;
  }
  return bytes;
}

bool is_lasting(CURLcode code) {
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_OUT_OF_MEMORY:
      return true;
    default:
      return false;
  }
}

void append(Running& running, const std::string& header) {
  if (curl_slist* longer = curl_slist_append(running.headers, header.c_str())) {
    running.headers = longer;
  }
}

void set_options(Running& running, const TransferOptions& options) {
  CURL* const easy = running.easy;
  const TransferRequest& request = running.request;
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &running);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, running.problem);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  // Several ranges at once are worth something only over several connections.
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "notso");
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_seconds));
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L * 1024L);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &running);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &on_data);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &running);
  if (!options.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
  }
  if (request.range) {
    const std::string range =
        std::to_string(request.range->first) + "-" + std::to_string(request.range->second);
    curl_easy_setopt(easy, CURLOPT_RANGE, range.c_str());
  }
  if (!request.token.empty()) append(running, "Authorization: Bearer " + request.token);
  if (!request.if_range.empty()) append(running, "If-Range: " + request.if_range);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, running.headers);
}

}  // namespace

struct Transfers::Impl {
  TransferOptions options;
  std::stop_token stop;
  CURLM* multi = nullptr;
  std::map<int, std::unique_ptr<Running>> running;

  void remove(int id) {
    const auto found = running.find(id);
    if (found == running.end()) return;
    curl_multi_remove_handle(multi, found->second->easy);
    running.erase(found);
  }

  // The ends that libcurl has to tell of.
  std::vector<TransferEnd> collect() {
    std::vector<TransferEnd> ends;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      char* user = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
      const auto& done = *static_cast<Running*>(static_cast<void*>(user));
      TransferEnd end;
      end.id = done.id;
      if (done.stopped) {
        end.kind = TransferEnd::Kind::kStopped;
      } else if (code == CURLE_OK) {
        end.kind = TransferEnd::Kind::kComplete;
      } else {
        end.problem = done.problem[0] != 0 ? done.problem : curl_easy_strerror(code);
        end.lasting = is_lasting(code);
      }
      ends.push_back(std::move(end));
    }
    for (const TransferEnd& end : ends) remove(end.id);
    return ends;
  }
};

Transfers::Transfers(TransferOptions options, std::stop_token stop)
    : impl_(std::make_unique<Impl>()) {
  initialise_curl();
  impl_->options = std::move(options);
  impl_->stop = std::move(stop);
  impl_->multi = curl_multi_init();
}

std::string transfer_library() { return curl_version(); }

Transfers::~Transfers() {
  abandon_all();
  curl_multi_cleanup(impl_->multi);
}

Status Transfers::start(int id, TransferRequest request) {
  auto running = std::make_unique<Running>();
  running->id = id;
  running->request = std::move(request);
  running->easy = curl_easy_init();
  if (impl_->multi == nullptr || running->easy == nullptr) {
    return fail(ErrorCode::kResourceExhausted, "not enough memory for a connection");
  }
  set_options(*running, impl_->options);
  if (curl_multi_add_handle(impl_->multi, running->easy) != CURLM_OK) {
    return fail(ErrorCode::kInternal, "a connection could not be started");
  }
  impl_->running[id] = std::move(running);
  return {};
}

void Transfers::abandon_all() {
  while (!impl_->running.empty()) impl_->remove(impl_->running.begin()->first);
}

std::vector<TransferEnd> Transfers::poll(std::chrono::milliseconds most) {
  if (impl_->multi == nullptr) return {};
  int active = 0;
  curl_multi_perform(impl_->multi, &active);
  auto ends = impl_->collect();
  if (!ends.empty() || impl_->stop.stop_requested()) return ends;
  const std::stop_callback wake(impl_->stop, [this] { curl_multi_wakeup(impl_->multi); });
  curl_multi_poll(impl_->multi, nullptr, 0, static_cast<int>(most.count()), nullptr);
  curl_multi_perform(impl_->multi, &active);
  return impl_->collect();
}

}  // namespace notso
