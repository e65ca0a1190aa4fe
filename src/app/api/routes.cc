#include "app/api/routes.h"

#include <nlohmann/json.hpp>

#include "core/text.h"

namespace steward::api {
namespace {
using nlohmann::json;
using server::Request;
using server::Response;

Result<json> query_of(const Request& request, const Operation& operation) {
  json out = json::object();
  for (const auto& [name, value] : request.query) {
    const Query* known = nullptr;
    for (const Query& query : operation.query)
      if (query.name == name) known = &query;
    if (known == nullptr)
      return fail(Kind::bad_input, "there is no query parameter \"" + printable(name) + "\"",
                  "/api/openapi.json says what each address takes.");
    if (out.contains(name)) return fail(Kind::bad_input, "the query parameter " + name + " is given twice");
    if (!is_utf8(value)) return fail(Kind::bad_input, "the query parameter " + name + " is not UTF-8");
    json typed = value_of(value, known->schema);
    TRY(check(typed, known->schema, name));
    out[name] = std::move(typed);
  }
  return out;
}

/// None where the request may go on.
std::optional<Response> refused_type(const Request& request) {
  const std::string type = server::lower(request.header("content-type").value_or(""));
  if (trim(type.substr(0, type.find(';'))) == "application/json") return std::nullopt;
  return server::problem(415, {Kind::bad_input, "a body has to be JSON", "Send Content-Type: application/json."});
}

Result<json> body_of(const Request& request, const Operation& operation) {
  if (operation.body.empty() || request.body.empty()) {
    if (!request.body.empty()) return fail(Kind::bad_input, "this address takes no body");
    if (operation.body.empty() || operation.bodiless) return json();
    return fail(Kind::bad_input, "the body is missing", "/api/openapi.json says what each address takes.");
  }
  // Deeper than any body that fits, and long before the stack ends.
  constexpr int deepest = 16;
  bool too_deep = false;
  json body = json::parse(
      request.body,
      [&](int depth, json::parse_event_t, json&) {
        too_deep |= depth > deepest;
        return depth <= deepest;
      },
      false);
  if (body.is_discarded() || too_deep)
    return fail(Kind::bad_input, "the body is not JSON", "It is to be one JSON document in UTF-8.");
  TRY(check(body, operation.body, "the body"));
  return body;
}

json problem_schema() {
  const json text{{"type", "string"}};
  return {{"type", "object"},
          {"properties",
           {{"type", text},
            {"title", text},
            {"status", {{"type", "integer"}}},
            {"detail", text},
            {"kind", text},
            {"code", text},
            {"hint", text}}},
          {"required", {"type", "title", "status", "detail", "kind"}}};
}

json parameters_of(const Operation& operation) {
  json out = json::array();
  for (const std::string& part : split(operation.path, '/'))
    if (part.starts_with('{'))
      out.push_back({{"name", part.substr(1, part.size() - 2)},
                     {"in", "path"},
                     {"required", true},
                     {"schema", {{"type", "string"}, {"minLength", 1}}}});
  if (operation.once)
    out.push_back({{"name", "Idempotency-Key"},
                   {"in", "header"},
                   {"description", "Of several requests with the same key one alone is carried out, within two days"},
                   {"schema", {{"type", "string"}, {"minLength", 1}, {"maxLength", 200}}}});
  for (const Query& query : operation.query)
    out.push_back(
        {{"name", query.name}, {"in", "query"}, {"description", query.what}, {"schema", json::parse(query.schema)}});
  return out;
}

json described(const Operation& operation) {
  json success{{"description", operation.summary}};
  if (!operation.answer.empty()) success["content"] = {{operation.type, {{"schema", json::parse(operation.answer)}}}};
  json out{
      {"operationId", operation.id},
      {"summary", operation.summary},
      {"tags", {operation.group}},
      {"x-role", name_of(operation.access)},
      {"parameters", parameters_of(operation)},
      {"responses",
       {{std::to_string(operation.status), success},
        {"default",
         {{"description", "What went wrong, as the command line says it"},
          {"content", {{"application/problem+json", {{"schema", {{"$ref", "#/components/schemas/Problem"}}}}}}}}}}}};
  if (!operation.body.empty())
    out["requestBody"] = {{"required", !operation.bodiless},
                          {"content", {{"application/json", {{"schema", json::parse(operation.body)}}}}}};
  if (!operation.result_name.empty()) out["x-result"] = {{"$ref", "#/components/schemas/" + operation.result_name}};
  if (operation.access == server::Access::anyone) out["security"] = json::array();
  return out;
}

}  // namespace

std::string_view name_of(server::Access access) {
  switch (access) {
    case server::Access::anyone: return "anyone";
    case server::Access::view: return "viewer";
    case server::Access::operate: return "operator";
    case server::Access::approve: return "approver";
    case server::Access::administer: return "administrator";
  }
  return "nobody";
}

Routes::Routes(const Clock& clock, std::function<const ledger::Known&()> who) : clock_(clock), who_(std::move(who)) {}

void Routes::add(Operation operation, Act act) {
  router_.add(operation.method, operation.path, operation.access,
              [who = who_, &clock = clock_, act = std::move(act), operation](const Request& request) -> Response {
                if (!operation.body.empty() && !request.body.empty())
                  if (auto refusal = refused_type(request)) return *std::move(refusal);
                const auto query = query_of(request, operation);
                if (!query) return server::problem(query.error());
                const auto body = body_of(request, operation);
                if (!body) return server::problem(body.error());
                auto response =
                    act({.request = request, .query = *query, .body = *body, .who = who(), .now = clock.now()});
                return response ? *std::move(response) : server::problem(response.error());
              });
  operations_.push_back(std::move(operation));
}

server::Router Routes::take(server::Guard guard) {
  router_.guard(std::move(guard));
  return std::move(router_);
}

std::string openapi(const std::vector<Operation>& operations, const std::string& base, const std::string& version) {
  json paths = json::object(), schemas{{"Problem", problem_schema()}};
  for (const Operation& operation : operations) {
    paths[operation.path][server::lower(operation.method)] = described(operation);
    if (!operation.result_name.empty()) schemas[operation.result_name] = json::parse(operation.result);
  }
  return json{{"openapi", "3.1.0"},
              {"info", {{"title", "steward"}, {"version", version}}},
              {"servers", {{{"url", base.empty() ? "/" : base}}}},
              {"security", {{{"token", json::array()}}, {{"session", json::array()}}}},
              {"paths", paths},
              {"components",
               {{"schemas", schemas},
                {"securitySchemes",
                 {{"token", {{"type", "http"}, {"scheme", "bearer"}}},
                  {"session", {{"type", "apiKey"}, {"in", "cookie"}, {"name", "steward_session"}}}}}}}}
      .dump();
}

server::Response answer(const json& document, int status) {
  return server::json(status, document.dump(-1, ' ', false, json::error_handler_t::replace));
}

server::Response nothing() { return {.status = 204}; }

}  // namespace steward::api
