/// The table of what the API answers. A route is declared once: from the declaration come who may call it, the check of
/// what it is sent, and its part of the OpenAPI document, so that these cannot differ from each other.
#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "app/api/schema.h"
#include "app/server/router.h"
#include "core/instant.h"
#include "core/result.h"
#include "run/ledger/people.h"

namespace steward::api {

/// A parameter of a query.
struct Query {
  std::string name{};
  Schema schema{};
  std::string what{};
};

struct Operation {
  std::string id{};       ///< "listRuns"
  std::string method{};   ///< "GET"
  std::string path{};     ///< As Router::add takes it.
  std::string group{};    ///< "runs"
  std::string summary{};  ///< A sentence without its full stop.
  server::Access access = server::Access::view;
  std::vector<Query> query{};
  Schema body{};          ///< Empty: it takes none.
  bool bodiless = false;  ///< The body may be left out.
  bool once = false;      ///< Takes an Idempotency-Key.
  int status = 200;
  Schema answer{};                        ///< Empty: none is sent.
  Schema result{};                        ///< What an operation that this starts has as its result, once it is there.
  std::string result_name{};              ///< "ArchiveList": what that is called in the OpenAPI document.
  std::string type = "application/json";  ///< Of the answer.
};

/// One call of a route, already checked against its declaration.
struct Call {
  const server::Request& request;
  const nlohmann::json& query;  ///< An object of those that were given.
  const nlohmann::json& body;   ///< Null where there is none.
  const ledger::Known& who;     ///< Without a name where anyone may call.
  Instant now{};

  std::string parameter(std::string_view name) const { return std::string(request.parameter(name)); }
};

using Act = std::function<Result<server::Response>(const Call&)>;

class Routes {
 public:
  /// `who`: whom the guard has let in, for the call under way. `clock` outlives what is taken from here.
  Routes(const Clock& clock, std::function<const ledger::Known&()> who);
  void add(Operation operation, Act act);
  const std::vector<Operation>& operations() const { return operations_; }
  /// With the guard; what was added goes with it.
  server::Router take(server::Guard guard);

 private:
  const Clock& clock_;
  std::function<const ledger::Known&()> who_;
  std::vector<Operation> operations_{};
  server::Router router_{};
};

/// The OpenAPI 3.1 document of these operations. `base`: the base path.
std::string openapi(const std::vector<Operation>& operations, const std::string& base, const std::string& version);

/// An answer of this document.
server::Response answer(const nlohmann::json& document, int status = 200);
server::Response nothing();  ///< 204

/// What a role is called where access is declared: "operator".
std::string_view name_of(server::Access access);

}  // namespace steward::api
