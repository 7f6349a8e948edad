// The tables, and how the tables of older versions become today's. Private to the store.
//
//   conversation  one row each, by a local number (key) and the id that people see
//   message       the trees: a row knows its conversation and its parent; ids rise and are never
//                 used twice, so a parent's is always below its children's
//   found         full-text index of titles (row -key) and of messages (row id), the questions and
//                 answers that are complete. It holds no text: the view `searchable` gives it.
//   value         small values by name
//
// PRAGMA user_version is the version; each step from one to the next is one transaction.
#pragma once

#include "base/result.h"
#include "service/store/sqlite.h"

namespace notso {

// Brings an open database to this program's version. One that is newer is refused (kUnsupported),
// and so is one that another program has made.
[[nodiscard]] Status migrate(SqliteDatabase& database, const std::string& path);

// Whether the file's structure is whole: an error says what is not.
[[nodiscard]] Status check_integrity(SqliteDatabase& database, const std::string& path);

// Writes something that is there already, to see whether writing works.
[[nodiscard]] Status write_probe(SqliteDatabase& database);

}  // namespace notso
