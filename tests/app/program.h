// Runs the notso program as a user would, without a shell.
#pragma once

#include <array>
#include <cstdlib>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace notso {

// What a run left behind. `exit_code` is -1 if a signal ended it.
struct ProgramRun {
  int exit_code = -1;
  std::string out;
  std::string err;
};

// Reads a pipe to its end and closes it.
inline std::string drain(int fd) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t got = 0; (got = read(fd, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  close(fd);
  return text;
}

// Runs `program` with `arguments`. Its standard error is read after its output, so it must be
// short, as ours is.
inline ProgramRun run_program(const char* program, const std::vector<std::string>& arguments) {
  int out[2];
  int err[2];
  if (pipe(out) != 0 || pipe(err) != 0) std::abort();
  const pid_t child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    for (const int fd : {out[0], out[1], err[0], err[1]}) close(fd);
    std::vector<char*> argv = {const_cast<char*>(program)};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.data()));
    argv.push_back(nullptr);
    execv(program, argv.data());
    _exit(127);
  }
  close(out[1]);
  close(err[1]);
  ProgramRun run;
  run.out = drain(out[0]);
  run.err = drain(err[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) run.exit_code = WEXITSTATUS(status);
  return run;
}

// The same with a standard output that takes nothing.
inline ProgramRun run_without_output(const char* program,
                                     const std::vector<std::string>& arguments) {
  std::vector<std::string> all = {"-c", "exec \"$0\" \"$@\" >&-", program};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_program("/bin/sh", all);
}

}  // namespace notso
