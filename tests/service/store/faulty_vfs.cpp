#include "faulty_vfs.h"

#include <algorithm>
#include <new>
#include <sqlite3.h>

namespace notso {
namespace {

FaultyVfs* faults = nullptr;
sqlite3_vfs layer;
sqlite3_io_methods methods;

// The system's file lies behind this one in the same memory, which SQLite allots.
struct FaultyFile {
  sqlite3_file base;
  bool dirty;
};

constexpr int kHead = (static_cast<int>(sizeof(FaultyFile)) + 15) / 16 * 16;

sqlite3_vfs* system_vfs() { return static_cast<sqlite3_vfs*>(layer.pAppData); }

sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + kHead);
}

void set_dirty(sqlite3_file* file, bool dirty) {
  auto* mine = reinterpret_cast<FaultyFile*>(file);
  if (mine->dirty != dirty) faults->dirty_files += dirty ? 1 : -1;
  mine->dirty = dirty;
}

int failure(const std::atomic<int>& error) {
  if (error == 0) return SQLITE_OK;
  if (faults->good_before > 0) {
    --faults->good_before;
    return SQLITE_OK;
  }
  if (faults->failures_left == 0) return SQLITE_OK;
  if (faults->failures_left > 0) --faults->failures_left;
  ++faults->failures;
  return error;
}

int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
  if (const int code = failure(faults->write_error); code != SQLITE_OK) return code;
  set_dirty(file, true);
  return real(file)->pMethods->xWrite(real(file), data, size, at);
}

int sync(sqlite3_file* file, int flags) {
  if (const int code = failure(faults->sync_error); code != SQLITE_OK) return code;
  set_dirty(file, false);
  ++faults->syncs;
  return real(file)->pMethods->xSync(real(file), flags);
}

int close(sqlite3_file* file) {
  set_dirty(file, false);
  return real(file)->pMethods->xClose(real(file));
}

void fill_methods() {
  methods = {};
  methods.iVersion = 1;  // without shared memory, which an exclusive lock does not need
  methods.xClose = close;
  methods.xRead = [](sqlite3_file* f, void* data, int size, sqlite3_int64 at) {
    return real(f)->pMethods->xRead(real(f), data, size, at);
  };
  methods.xWrite = write;
  methods.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
    return real(f)->pMethods->xTruncate(real(f), size);
  };
  methods.xSync = sync;
  methods.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
    return real(f)->pMethods->xFileSize(real(f), size);
  };
  methods.xLock = [](sqlite3_file* f, int lock) { return real(f)->pMethods->xLock(real(f), lock); };
  methods.xUnlock = [](sqlite3_file* f, int lock) {
    return real(f)->pMethods->xUnlock(real(f), lock);
  };
  methods.xCheckReservedLock = [](sqlite3_file* f, int* out) {
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
  };
  methods.xFileControl = [](sqlite3_file* f, int what, void* argument) {
    return real(f)->pMethods->xFileControl(real(f), what, argument);
  };
  methods.xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); };
  methods.xDeviceCharacteristics = [](sqlite3_file* f) {
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
  };
}

int open(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  if (const int code = failure(faults->open_error); code != SQLITE_OK) return code;
  const int code = system_vfs()->xOpen(system_vfs(), name, real(file), flags, out_flags);
  if (code != SQLITE_OK) return code;
  reinterpret_cast<FaultyFile*>(file)->dirty = false;
  file->pMethods = &methods;
  return SQLITE_OK;
}

}  // namespace

FaultyVfs::FaultyVfs() {
  faults = this;
  sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
  layer = *system;
  layer.zName = kName;
  layer.pAppData = system;
  layer.szOsFile = kHead + system->szOsFile;
  layer.xOpen = open;
  fill_methods();
  sqlite3_vfs_register(&layer, 0);
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_unregister(&layer);
  faults = nullptr;
}

}  // namespace notso
