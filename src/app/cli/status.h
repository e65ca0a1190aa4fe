/// What `status` shows: also the API's overview.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "app/cli/session.h"
#include "run/forecast.h"
#include "run/upkeep.h"

namespace steward::app {

/// What is left of a task, and where that is heading.
struct TaskForecast {
  std::string job{}, task{};
  Forecast forecast{};
};
/// What takes long to find out, the longer the more there is: a server keeps it for a while.
struct Survey {
  std::optional<Error> barring{};         ///< What session.h's barred() has found, which asks stores.
  StateSizes sizes{};                     ///< Of the state directory, which is walked through.
  std::vector<TaskForecast> forecasts{};  ///< From the plans of the last fifty runs, which are read.
};
Result<Survey> survey(const Session& session);

/// As `steward status --json`.
Result<nlohmann::json> status_document(const Session& session, const Survey& survey);

}  // namespace steward::app
