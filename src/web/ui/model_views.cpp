// The models as the templates show them.
#include <utility>
#include <vector>

#include "web/ui/views.h"

namespace notso::ui {
namespace {

using jinja::Dict;
using jinja::Value;

Value download_value(const UiDownload& download) {
  const char* const state = download.state == UiDownload::State::kRunning   ? "running"
                            : download.state == UiDownload::State::kStopped ? "stopped"
                            : download.state == UiDownload::State::kFailed  ? "failed"
                                                                            : "none";
  Dict entries;
  entries.set("state", Value::string(state));
  entries.set("name", Value::string(download.name));
  entries.set("text", Value::string(download.text));
  entries.set("percent", Value::integer(download.percent));
  return Value::dict(std::move(entries));
}

}  // namespace

jinja::Value models_value(const UiModels& models) {
  std::vector<Value> files;
  for (const UiModelFile& file : models.files) {
    Dict entries;
    entries.set("name", Value::string(file.name));
    entries.set("facts", Value::string(file.facts));
    entries.set("state", Value::string(file.state));
    entries.set("can_choose", Value::boolean(file.can_choose && models.may_change));
    files.push_back(Value::dict(std::move(entries)));
  }
  std::vector<Value> offers;
  for (const UiOffer& offer : models.offers) {
    Dict entries;
    entries.set("name", Value::string(offer.name));
    entries.set("about", Value::string(offer.about));
    entries.set("begun", Value::boolean(offer.begun));
    offers.push_back(Value::dict(std::move(entries)));
  }
  Dict entries;
  entries.set("may_change", Value::boolean(models.may_change));
  entries.set("wants_real", Value::boolean(models.wants_real));
  entries.set("loading", Value::string(models.loading));
  entries.set("trouble", Value::string(models.trouble));
  entries.set("folder", Value::string(models.folder));
  entries.set("files", Value::list(std::move(files)));
  entries.set("offers", Value::list(std::move(offers)));
  entries.set("download", download_value(models.download));
  return Value::dict(std::move(entries));
}

}  // namespace notso::ui
