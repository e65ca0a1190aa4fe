#include "io/sql/postgres_login.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <vector>

#include "core/text.h"
#include "core/url.h"
#include "io/sql/sqlstate.h"

namespace steward::sql {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// Keyword and value arrays, as libpq takes them. Never a string with a password in it.
class Keywords {
 public:
  void add(std::string_view name, std::string value) {
    names_.emplace_back(name);
    values_.push_back(std::move(value));
  }
  pg_conn* start() {
    std::vector<const char*> names, values;
    for (const std::string& name : names_) names.push_back(name.c_str());
    for (const std::string& value : values_) values.push_back(value.c_str());
    names.push_back(nullptr);
    values.push_back(nullptr);
    return PQconnectStartParams(names.data(), values.data(), /*expand_dbname=*/0);
  }

 private:
  std::vector<std::string> names_{}, values_{};
};

const std::string* keyword(const DatabaseUrl& url, std::string_view name) {
  const auto found = std::ranges::find(url.keywords, name, [](const auto& pair) { return pair.first; });
  return found == url.keywords.end() ? nullptr : &found->second;
}

std::ptrdiff_t servers(const DatabaseUrl& url) {
  const std::string* host = keyword(url, "host");
  return host == nullptr ? 1 : 1 + std::ranges::count(*host, ',');
}

Keywords keywords_of(const DatabaseUrl& url, const Target& target, milliseconds timeout) {
  Keywords out;
  for (const auto& [name, value] : url.keywords) out.add(name, value);
  for (const auto& [name, value] : url.secrets) out.add(name, value.reveal());
  out.add("application_name", target.application);
  out.add("client_encoding", "UTF8");
  const auto unless_said = [&](const char* name, std::string value) {
    if (keyword(url, name) == nullptr) out.add(name, std::move(value));
  };
  unless_said("keepalives_idle", "30");
  unless_said("keepalives_interval", "10");
  unless_said("keepalives_count", "3");
  // Linux applies it to connecting too, which is how a server of several that does not answer is left for the next.
  unless_said("tcp_user_timeout", std::to_string(servers(url) > 1 ? timeout.count() : 30'000));
  return out;
}

/// Waits until the socket is ready; false when the time is up.
bool wait(pg_conn* wire, PostgresPollingStatusType want, steady_clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd socket{PQsocket(wire), static_cast<short>(want == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    const int ready = poll(&socket, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return true;  // libpq finds out what is wrong with it
  }
}

/// The SQLSTATE in "FATAL:  28P01: password authentication failed", which verbose errors carry; severities may be in
/// the server's language, the two spaces and the code are not. The last one, where several servers were tried.
std::string_view sqlstate_in(std::string_view text) {
  for (std::size_t at = text.rfind(":  "); at != std::string_view::npos; at = text.rfind(":  ", at - 1)) {
    const std::string_view code = text.substr(at + 3, 5);
    const bool fits = code.size() == 5 && text.substr(at + 8, 2) == ": " &&
                      std::ranges::all_of(code, [](unsigned char c) { return std::isdigit(c) || std::isupper(c); });
    if (fits) return code;
    if (at == 0) break;
  }
  return {};
}

/// Lets go of the code, the severity and the place in the server's source.
std::string without_code(std::string text, std::string_view code) {
  if (code.empty()) return text;
  const std::size_t at = text.find(fmt::format("{}: ", code));
  return at == std::string::npos ? text : text.substr(at + code.size() + 2);
}

std::unexpected<Error> refused_login(pg_conn* wire, bool at_once) {
  const std::string text = PQerrorMessage(wire);
  const std::string_view code = sqlstate_in(text);
  const std::string message =
      fmt::format("cannot connect to {}: {}", shown_of(wire), without_code(one_line(text), code));
  if (!code.empty()) {
    // Poolers answer 08P01 where the server would name the reason. A login that meets 55000 has come to a database that
    // takes no connections for the moment, as while it is being moved.
    const Meaning meaning = meaning_of(code == "08P01" ? "08006" : code == "55000" ? "57P03" : code);
    return fail(meaning.kind, message, std::string(meaning.hint));
  }
  if (PQconnectionNeedsPassword(wire))
    return fail(Kind::permission, message, "Put the password into the database's URL, PGPASSWORD or ~/.pgpass.");
  if (at_once && text.starts_with("invalid "))
    return fail(Kind::bad_input, message, "Correct it in the database's URL.");
  return fail(Kind::unavailable, message, "Check that the server runs, and its host and port in the database's URL.");
}

Result<void> follow(pg_conn* wire, milliseconds timeout, std::ptrdiff_t servers) {
  const auto deadline = steady_clock::now() + timeout * servers;
  PostgresPollingStatusType want = PGRES_POLLING_WRITING;
  while (want != PGRES_POLLING_OK) {
    if (!wait(wire, want, deadline))
      return fail(Kind::unavailable,
                  fmt::format("no answer from {} within {} ms", shown_of(wire), (timeout * servers).count()),
                  "Check the host and port in the database's URL, the network, and that the server is not overloaded.");
    want = PQconnectPoll(wire);
    if (want == PGRES_POLLING_FAILED) return refused_login(wire, false);
  }
  return {};
}

}  // namespace

void CloseWire::operator()(pg_conn* wire) const { PQfinish(wire); }

Result<Wire> open_wire(const DatabaseUrl& url, const Target& target) {
  const milliseconds timeout = url.connect_timeout.value_or(target.connect_timeout);
  Wire wire(keywords_of(url, target, timeout).start());
  if (wire == nullptr) return fail(Kind::unavailable, "out of memory");
  PQsetNoticeProcessor(wire.get(), [](void*, const char*) {}, nullptr);  // or they would go to standard error
  if (PQstatus(wire.get()) == CONNECTION_BAD) return refused_login(wire.get(), true);
  // While logging in only: libpq tells the code of a failed login in the text alone.
  PQsetErrorVerbosity(wire.get(), PQERRORS_VERBOSE);
  TRY(follow(wire.get(), timeout, servers(url)));
  PQsetErrorVerbosity(wire.get(), PQERRORS_TERSE);
  const char* encoding = PQparameterStatus(wire.get(), "server_encoding");
  // Against such a database UTF8 would convert nothing, and refuse what is not UTF-8.
  if (encoding != nullptr && std::string_view(encoding) == "SQL_ASCII" &&
      PQsetClientEncoding(wire.get(), "SQL_ASCII") != 0)
    return refused_login(wire.get(), false);
  return wire;
}

std::string shown_of(const pg_conn* wire) {
  const auto text = [](const char* value) { return std::string(value == nullptr ? "" : value); };
  const std::string host = text(PQhost(wire)), port = text(PQport(wire));
  const bool socket = host.starts_with('/') || host.starts_with('@');
  const bool ipv6 = host.find(':') != std::string::npos;
  return fmt::format("postgresql://{}@{}{}{}/{}{}", percent_encode(text(PQuser(wire)), false),
                     socket ? ""
                     : ipv6 ? "[" + host + "]"
                            : host,
                     port.empty() ? "" : ":", port, percent_encode(text(PQdb(wire)), false),
                     socket ? "?host=" + percent_encode(host, true) : "");
}

std::string one_line(std::string_view text) {
  std::string_view chosen;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    // Where several addresses were tried each has a line: the last one decided.
    if (!line.empty() && !line.starts_with('\t') && !line.starts_with("LOCATION:")) chosen = line;
  }
  return printable(trim(chosen));
}

}  // namespace steward::sql
