#include "io/sql/postgres_environment.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <map>
#include <memory>
#include <string_view>

#include "io/sql/database_url.h"

extern "C" char** environ;  // environ(7)

namespace steward::sql {
namespace {

constexpr std::string_view pins =
    "-c DateStyle=ISO,YMD -c TimeZone=UTC -c IntervalStyle=postgres -c bytea_output=hex -c extra_float_digits=3 "
    "-c statement_timeout=0";

/// Which variable stands for which keyword, as this libpq has it.
std::map<std::string, std::string> variables_of_keywords() {
  std::map<std::string, std::string> out;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(PQconndefaults(), PQconninfoFree);
  for (const PQconninfoOption* option = options.get(); option != nullptr && option->keyword != nullptr; ++option)
    if (option->envvar != nullptr) out.emplace(option->keyword, option->envvar);
  return out;
}

/// Of our environment: where libpq finds its files, its own defaults, and Kerberos's.
bool is_passed_on(std::string_view variable) {
  const std::string_view name = variable.substr(0, variable.find('='));
  for (const std::string_view known : {"PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"})
    if (name == known) return true;
  return name.starts_with("PG") || name.starts_with("KRB5") || name.starts_with("LC_");
}

std::string quoted(std::string_view value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + '\'';
}

}  // namespace

Result<ProgramEnvironment> program_environment(const Target& target) {
  const DatabaseUrl url = TRY(parse_database_url(target.url));
  if (url.dialect != Dialect::postgres)
    return fail(Kind::bad_input, fmt::format("{} is no PostgreSQL database", url.shown));
  const std::map<std::string, std::string> names = variables_of_keywords();
  std::map<std::string, std::string> variables;
  for (char** one = environ; *one != nullptr; ++one) {
    const std::string_view variable(*one);
    if (is_passed_on(variable) && variable.find('=') != std::string_view::npos)
      variables[std::string(variable.substr(0, variable.find('=')))] = variable.substr(variable.find('=') + 1);
  }
  ProgramEnvironment out;
  std::string options = variables.contains("PGOPTIONS") ? variables["PGOPTIONS"] : std::string{};
  for (const auto& [keyword, value] : url.keywords) {
    const auto name = names.find(keyword);
    if (keyword == "options")
      options = value;
    else if (name != names.end())
      variables[name->second] = value;
    else
      out.conninfo += fmt::format("{}{}={}", out.conninfo.empty() ? "" : " ", keyword, quoted(value));
  }
  for (const auto& [keyword, value] : url.secrets) {
    const auto name = names.find(keyword);
    if (name == names.end())
      return fail(Kind::bad_input,
                  fmt::format("{} has {}, which pg_dump can be given in no safe way", url.shown, keyword),
                  "Use a client key without a password, in a file that its user alone can read.");
    variables[name->second] = value.reveal();
  }
  variables["PGAPPNAME"] = target.application;
  variables["PGOPTIONS"] = options.empty() ? std::string(pins) : fmt::format("{} {}", options, pins);
  variables["PGCONNECT_TIMEOUT"] = std::to_string(
      std::chrono::ceil<std::chrono::seconds>(url.connect_timeout.value_or(target.connect_timeout)).count());
  for (const auto& [name, value] : variables) out.variables.push_back(name + '=' + value);
  return out;
}

}  // namespace steward::sql
