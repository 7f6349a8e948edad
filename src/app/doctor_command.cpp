// notso doctor: is this machine fit, and what could be better?
#include <algorithm>
#include <cstdio>
#include <memory>

#include "app/build_facts.h"
#include "app/command.h"
#include "app/doctor.h"
#include "base/json_text.h"

namespace notso {
namespace {

const char* mark(Finding::Level level) {
  if (level == Finding::Level::kBad) return "BAD ";
  return level == Finding::Level::kNote ? "note" : "ok  ";
}

const char* level_name(Finding::Level level) {
  if (level == Finding::Level::kBad) return "bad";
  return level == Finding::Level::kNote ? "note" : "good";
}

bool any_bad(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.level == Finding::Level::kBad; });
}

int doctor(const DoctorOptions& options, bool json) {
  const std::vector<Finding> findings = examine(options);
  std::printf("%s", (json ? findings_json(findings) : findings_text(findings)).c_str());
  return any_bad(findings) ? kExitFailure : kExitOk;
}

}  // namespace

std::vector<Finding> examine(const DoctorOptions& given) {
  DoctorOptions options = given;
  std::vector<Finding> findings;
  findings.push_back(
      {"program", Finding::Level::kGood, "notso " + program_version() + ", " + build_text(), ""});
#ifndef NDEBUG
  findings.back().level = Finding::Level::kNote;
  findings.back().mend =
      "this build is for finding mistakes and slow; build with the preset release";
#endif
  examine_processor(findings);
  examine_memory(findings);
  examine_folders(findings);
  examine_settings(options, findings);
  examine_models(findings);
  examine_system(options, findings);
  return findings;
}

std::string findings_text(const std::vector<Finding>& findings) {
  std::string out;
  std::size_t width = 0;
  for (const Finding& finding : findings) width = std::max(width, finding.subject.size());
  for (const Finding& finding : findings) {
    out += std::string(mark(finding.level)) + "  " + finding.subject;
    out.append(width - finding.subject.size() + 2, ' ').append(finding.text) += '\n';
    if (!finding.mend.empty())
      out.append(width + 8, ' ').append("-> ").append(finding.mend) += '\n';
  }
  return out + (any_bad(findings) ? "\nsomething must be mended first, see above\n"
                                  : "\nall that is needed is here\n");
}

std::string findings_json(const std::vector<Finding>& findings) {
  std::string out =
      std::string("{\"ok\": ") + (any_bad(findings) ? "false" : "true") + ", \"findings\": [";
  for (const Finding& finding : findings) {
    out += out.back() == '[' ? "\n  {\"subject\": " : ",\n  {\"subject\": ";
    append_json_string(out, finding.subject);
    out += std::string(", \"level\": \"") + level_name(finding.level) + "\", \"text\": ";
    append_json_string(out, finding.text);
    out += ", \"mend\": ";
    append_json_string(out, finding.mend);
    out += "}";
  }
  return out + "]}\n";
}

void add_doctor_command(CLI::App& app, CommandRunner& runner) {
  const auto options = std::make_shared<DoctorOptions>();
  const auto json = std::make_shared<bool>(false);
  CLI::App* const command = app.add_subcommand(
      "doctor", "Look whether this machine is fit, and say what could be better");
  command->add_flag("--json", *json, "Write one JSON object instead of text");
  command->add_option("--host", options->host,
                      "The address that the server would listen on, if not the configured one");
  command
      ->add_option("--port", options->port,
                   "The port that the server would listen on, if not the configured one")
      ->check(CLI::Range(1, 65535));
  command->callback([options, json, &runner] {
    runner.run = [options, json] { return doctor(*options, *json); };
  });
}

}  // namespace notso
