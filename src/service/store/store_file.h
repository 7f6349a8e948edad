// The file of a store: made, opened, brought to this version, and set aside when it is damaged.
// Private to the store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "service/store/sqlite.h"

namespace notso {

// Opens or makes the store at `path`; its folder, if missing, and its file are for this user alone.
// A file of at most `check_bytes_max` is checked whole. What is damaged gives kDataLoss.
[[nodiscard]] Result<std::unique_ptr<SqliteDatabase>> open_store_file(const std::string& path,
                                                                      const std::string& vfs,
                                                                      std::size_t check_bytes_max);

// Renames the files of the store at `path`, which nobody has open; gives the new name. A file that
// never was a database is left alone: kUnsupported.
[[nodiscard]] Result<std::string> set_aside(const std::string& path, std::int64_t unix_ms);

}  // namespace notso
