// Looks at the machine and the program's surroundings: what is there, whether it is good, and what
// to do where it is not.
#pragma once

#include <string>
#include <vector>

namespace notso {

// One thing that was looked at.
struct Finding {
  enum class Level { kGood, kNote, kBad };
  std::string subject;  // "memory"
  Level level = Level::kGood;
  std::string text;  // what is there
  std::string mend;  // what to do; "" where nothing is needed
};

// What the examination needs to know.
struct DoctorOptions {
  std::string host;  // "": the configured one
  int port = 0;      // 0: likewise
};

// Looks at everything. Takes about a second, for measuring memory.
[[nodiscard]] std::vector<Finding> examine(const DoctorOptions& given);

// The parts, for examine. That of the settings fills in what the options leave open.
void examine_processor(std::vector<Finding>& findings);
void examine_memory(std::vector<Finding>& findings);
void examine_system(const DoctorOptions& options, std::vector<Finding>& findings);
void examine_folders(std::vector<Finding>& findings);
void examine_settings(DoctorOptions& options, std::vector<Finding>& findings);
void examine_models(std::vector<Finding>& findings);

// As text for people, and as a JSON object.
[[nodiscard]] std::string findings_text(const std::vector<Finding>& findings);
[[nodiscard]] std::string findings_json(const std::vector<Finding>& findings);

}  // namespace notso
