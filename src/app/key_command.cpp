// notso key: makes, lists and revokes API keys.
#include <cstdio>
#include <memory>

#include "app/app_paths.h"
#include "app/command.h"
#include "app/setting_flags.h"
#include "service/access/api_keys.h"

namespace notso {
namespace {

struct KeyArguments {
  std::string keys_file;
  std::string config_path;
  std::string name;
};

// The file that `notso serve` would read.
Result<std::string> keys_path(const KeyArguments& arguments) {
  if (!arguments.keys_file.empty()) return arguments.keys_file;
  auto resolved = resolve_settings({}, process_environment(), arguments.config_path);
  if (!resolved) return pass_on(resolved);
  if (!resolved->settings.keys_file.empty()) return resolved->settings.keys_file;
  return default_keys_file();
}

Status add(const KeyArguments& arguments) {
  const auto path = keys_path(arguments);
  if (!path) return tl::unexpected(path.error());
  const auto key = add_api_key(*path, arguments.name);
  if (!key) return tl::unexpected(key.error());
  if (std::printf("%s\n", key->c_str()) < 0 || std::fflush(stdout) != 0) {
    // A key that nobody has seen must not stay good; main says what failed.
    if (auto revoked = revoke_api_key(*path, arguments.name); !revoked) return revoked;
    std::fprintf(stderr, "The key of '%s' is taken back, as it cannot be shown.\n",
                 arguments.name.c_str());
    return {};
  }
  std::fprintf(stderr,
               "This key of '%s' is shown only now; %s keeps a hash of it.\n"
               "A running server takes it up on SIGHUP: systemctl reload notso, or kill -HUP.\n",
               arguments.name.c_str(), path->c_str());
  return {};
}

Status list(const KeyArguments& arguments) {
  const auto path = keys_path(arguments);
  if (!path) return tl::unexpected(path.error());
  const auto keys = read_api_keys(*path);
  if (!keys) return tl::unexpected(keys.error());
  for (const ApiKey& key : *keys) {
    std::printf("%-24s made %s  hash %.12s...\n", key.name.c_str(), key.created.c_str(),
                key.key_hash.c_str());
  }
  std::fprintf(stderr, "%zu keys in %s\n", keys->size(), path->c_str());
  return {};
}

Status revoke(const KeyArguments& arguments) {
  const auto path = keys_path(arguments);
  if (!path) return tl::unexpected(path.error());
  if (auto revoked = revoke_api_key(*path, arguments.name); !revoked) return revoked;
  std::fprintf(stderr,
               "The key of '%s' is revoked. A running server lets it go on SIGHUP: systemctl "
               "reload notso, or kill -HUP.\n",
               arguments.name.c_str());
  return {};
}

using Action = Status (*)(const KeyArguments&);

CLI::App* add_action(CLI::App& command, CommandRunner& runner,
                     const std::shared_ptr<KeyArguments>& arguments, const char* name,
                     const char* help, Action action) {
  CLI::App* const sub = command.add_subcommand(name, help);
  sub->callback([arguments, action, &runner] {
    runner.run = [arguments, action] {
      const Status done = action(*arguments);
      return done ? kExitOk : report_error(done.error());
    };
  });
  return sub;
}

}  // namespace

void add_key_command(CLI::App& app, CommandRunner& runner) {
  const auto arguments = std::make_shared<KeyArguments>();
  CLI::App* const command = app.add_subcommand("key", "Make, list and revoke API keys");
  command->require_subcommand(1);
  command->fallthrough();
  command->add_option("--api-keys", arguments->keys_file, "The keys file; else the configured one")
      ->type_name("FILE");
  command->add_option("--config", arguments->config_path, "The configuration file")
      ->type_name("FILE");
  add_action(*command, runner, arguments, "add", "Make a key and print it, this once", add)
      ->add_option("NAME", arguments->name, "Whose key it is")
      ->required();
  add_action(*command, runner, arguments, "list", "Show names and ages", list);
  add_action(*command, runner, arguments, "revoke", "Remove a key", revoke)
      ->add_option("NAME", arguments->name, "Whose key it is")
      ->required();
}

}  // namespace notso
