// A file that is still coming: NAME.part holds the bytes at their places, NAME.part.state says
// which of them are there, so that a download goes on after a crash where it was.
//
// The state is text: a version line, what the server said the file is (its identity), its length,
// the length of a piece, and for every piece how many of its bytes, from its front, have come. It
// is replaced as a whole after the data that it speaks of is on disk, so it never promises too
// much. A state that does not fit the file or the server is thrown away with the data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.h"

namespace notso {

// What a download asks of the disk, replaceable so that tests can make any call fail.
struct DiskCalls {
  std::function<ssize_t(int fd, const void* data, std::size_t bytes, off_t offset)> write;
  std::function<int(int fd)> sync;
  std::function<int(const char* from, const char* to)> rename;
  std::function<std::uint64_t(const std::string& folder)> free_bytes;  // for this user

  // The system's own.
  [[nodiscard]] static DiskCalls real();
};

// A stretch of the file that is fetched by one request.
struct Piece {
  std::uint64_t first = 0;
  std::uint64_t end = 0;   // one past the last byte
  std::uint64_t done = 0;  // bytes from `first` on that are there
  [[nodiscard]] bool complete() const { return first + done == end; }
};

// The longest file that is taken.
inline constexpr std::uint64_t kMaxModelBytes = std::uint64_t{1} << 40U;

// An open, locked part file. Not copyable; closing keeps what is there.
class PartFile {
 public:
  // Opens NAME.part for the final path NAME and locks it: another process that downloads the same
  // file is an error.
  [[nodiscard]] static Result<PartFile> open(const std::string& final_path, DiskCalls disk);

  PartFile(PartFile&& other) noexcept;
  PartFile& operator=(PartFile&&) = delete;
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile();

  // Takes up what is there if it belongs to the file of this identity and length, or starts over.
  // Without an identity nothing is taken up. Returns the bytes that are there already.
  [[nodiscard]] Result<std::uint64_t> begin(const std::string& identity, std::uint64_t bytes,
                                            std::uint64_t piece_bytes);

  // Starts over as one piece of unknown length.
  [[nodiscard]] Status begin_unknown();

  // Drops all that came.
  [[nodiscard]] Status reset();

  // All pieces, in order.
  [[nodiscard]] std::vector<Piece>& pieces() { return pieces_; }
  [[nodiscard]] std::uint64_t done_bytes() const;
  [[nodiscard]] const std::string& path() const { return path_; }

  // Appends to what a piece has.
  [[nodiscard]] Status write(Piece& piece, std::span<const std::byte> data);

  // Puts data and state on disk.
  [[nodiscard]] Status save_state();

  // The SHA-256 of the whole file. `progress` hears of the bytes read and returns false to give up.
  [[nodiscard]] Result<std::string> digest(const std::function<bool(std::uint64_t)>& progress);

  // Gives the complete file its final name, unless its own one is another file's by now.
  [[nodiscard]] Status finish();

  // Removes data and state from the disk, unless they are another one's by now.
  void remove();

 private:
  PartFile(std::string final_path, DiskCalls disk);
  [[nodiscard]] bool load_state(const std::string& identity, std::uint64_t bytes);

  DiskCalls disk_;
  std::string final_path_;
  std::string path_;
  std::string state_path_;
  std::string identity_;
  std::uint64_t bytes_ = 0;
  std::uint64_t piece_bytes_ = 0;
  std::vector<Piece> pieces_;
  int fd_ = -1;
};

// Removes what an unfinished download of `final_path` left. True if there was something. Refused
// (kUnavailable) while another process downloads it.
[[nodiscard]] Result<bool> remove_part_file(const std::string& final_path);

}  // namespace notso
