#include "io/sql/database_url.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/text.h"
#include "core/url.h"

namespace steward::sql {
namespace {

constexpr std::string_view write_it_like =
    "Write it like postgresql://user@host/database, sqlite:///relative.db or sqlite:////absolute.db.";

// Passed on as they are. (libpq 16 and later know more: an older one refuses those by name, which is right for
// require_auth.)
constexpr std::array libpq_keywords{"channel_binding",
                                    "gssencmode",
                                    "gsslib",
                                    "hostaddr",
                                    "keepalives",
                                    "keepalives_count",
                                    "keepalives_idle",
                                    "keepalives_interval",
                                    "krbsrvname",
                                    "options",
                                    "passfile",
                                    "require_auth",
                                    "requirepeer",
                                    "service",
                                    "sslcert",
                                    "sslcertmode",
                                    "sslcompression",
                                    "sslcrl",
                                    "sslcrldir",
                                    "sslkey",
                                    "sslmode",
                                    "sslrootcert",
                                    "sslsni",
                                    "ssl_max_protocol_version",
                                    "ssl_min_protocol_version",
                                    "target_session_attrs",
                                    "tcp_user_timeout",
                                    "user"};

// What steward decides itself, for every connection.
constexpr std::array ours{"application_name", "fallback_application_name",
                          "client_encoding",  "encoding",
                          "timezone",         "TimeZone",
                          "datestyle",        "statement_timeout",
                          "lock_timeout",     "idle_in_transaction_session_timeout",
                          "autocommit"};

// Keywords that a misspelling can be near to, besides libpq_keywords.
constexpr std::array handled{"host", "port",   "dbname",        "password",    "sslpassword", "connect_timeout",
                             "ssl",  "schema", "currentSchema", "search_path", "unix_sock",   "timeout"};

constexpr std::array sslmodes{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};

std::unexpected<Error> unusable(std::string_view text, std::string_view why, std::string hint = {}) {
  return fail(Kind::bad_input, fmt::format("\"{}\" is not a database's URL: {}", printable(masked(text)), why),
              hint.empty() ? std::string(write_it_like) : std::move(hint));
}

template <std::size_t N>
bool contains(const std::array<const char*, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// Gathers what a PostgreSQL URL says, parameter by parameter.
class Translation {
 public:
  Translation(std::string_view text, bool python, DatabaseUrl& out) : text_(text), python_(python), out_(out) {}

  Result<void> authority(const Url& url, std::string_view hosts);
  Result<void> parameter(const std::string& name, const std::string& value);
  /// After the last parameter.
  void finish();

 private:
  std::unexpected<Error> wrong(std::string_view why, std::string hint = {}) const {
    return unusable(text_, why, std::move(hint));
  }
  void note(std::string_view name, std::string_view what) {
    out_.notes.push_back(fmt::format("{}: parameter \"{}\" {}", out_.shown, printable(name), what));
  }
  void set(std::string_view name, std::string value);
  Result<void> add_host(std::string_view host);
  Result<void> tls(const std::string& name, const std::string& value);
  Result<void> unix_socket(const std::string& path);
  Result<void> timeout(const std::string& name, const std::string& value);
  Result<void> unknown(const std::string& name);

  std::string_view text_;
  bool python_;  ///< The scheme names a driver of Python's, so `+` in the query is a space.
  DatabaseUrl& out_;
  std::vector<std::string> hosts_{}, ports_{};
  std::string port_{};
  bool hosts_from_query_ = false;
};

void Translation::set(std::string_view name, std::string value) {
  if (value.empty()) return;
  std::erase_if(out_.keywords, [&](const auto& keyword) { return keyword.first == name; });
  out_.keywords.emplace_back(name, std::move(value));
}

bool is_port(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port > 0 && port <= 65535;
}

/// One server of a list: "db", "db:5433", "[::1]:5433", "::1", "/var/run/postgresql".
Result<void> Translation::add_host(std::string_view host) {
  std::string_view port;
  if (const std::size_t bracket = host.find(']'); host.starts_with('[') && bracket != std::string_view::npos) {
    port = host.substr(bracket + 1);
    host = host.substr(1, bracket - 1);
    if (!port.empty() && !port.starts_with(':')) return wrong("something stands between ] and its port");
    if (!port.empty()) port.remove_prefix(1);
  } else if (const std::size_t colon = host.find(':'); colon != std::string_view::npos && colon == host.rfind(':')) {
    port = host.substr(colon + 1);
    host = host.substr(0, colon);
  }
  if (!port.empty() && !is_port(port)) return wrong("a port is not a number up to 65535");
  hosts_.emplace_back(host);
  ports_.emplace_back(port);
  return {};
}

Result<void> Translation::authority(const Url& url, std::string_view hosts) {
  if (!hosts.empty()) {
    for (const std::string& host : split(hosts, ',')) {
      const std::string decoded = TRY(percent_decode(host));
      TRY(add_host(decoded));
    }
  } else if (!url.host.empty()) {
    hosts_.push_back(url.host);
    ports_.push_back(url.port);
  } else {
    port_ = url.port;
  }
  set("user", url.user);
  if (!url.password.empty()) out_.secrets.emplace_back("password", url.password);
  std::string name = url.path;
  if (url.host.empty() && name.starts_with('/')) name.erase(0, 1);
  set("dbname", std::move(name));
  return {};
}

Result<void> Translation::tls(const std::string& name, const std::string& value) {
  std::string mode = value;
  if (value == "true" || value == "True" || value == "1" || value == "on" || value == "no-verify") mode = "require";
  if (value == "false" || value == "False" || value == "0" || value == "off") mode = "disable";
  if (!contains(sslmodes, mode))
    return wrong(fmt::format("{}={} is no mode of TLS", name, printable(value)),
                 "Write sslmode=disable, allow, prefer, require, verify-ca or verify-full.");
  if (name != "sslmode" || mode != value) note(name, fmt::format("is read as sslmode={}", mode));
  set("sslmode", mode);
  return {};
}

/// pg8000's `unix_sock` names the socket itself; libpq takes its folder and the port that its name ends in.
Result<void> Translation::unix_socket(const std::string& path) {
  const std::size_t name = path.rfind("/.s.PGSQL.");
  if (name == std::string::npos) return wrong("unix_sock does not end in /.s.PGSQL.PORT");
  hosts_ = {path.substr(0, name)};
  ports_ = {path.substr(name + std::string_view("/.s.PGSQL.").size())};
  note("unix_sock", "is read as host and port");
  return is_port(ports_[0]) ? Result<void>{} : wrong("unix_sock does not end in /.s.PGSQL.PORT");
}

Result<void> Translation::timeout(const std::string& name, const std::string& value) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error != std::errc{} || end != value.data() + value.size() || !std::isfinite(seconds) || seconds > 86'400)
    return wrong(fmt::format("{} is not a number of seconds", name));
  // libpq's and the drivers' 0 is "for ever", which no job can afford: steward's own default stays.
  if (seconds > 0)
    out_.connect_timeout = std::chrono::milliseconds(std::max<std::int64_t>(1, std::llround(seconds * 1e3)));
  if (name != "connect_timeout") note(name, "is read as connect_timeout");
  return {};
}

Result<void> Translation::unknown(const std::string& name) {
  std::vector<std::string> known(libpq_keywords.begin(), libpq_keywords.end());
  known.insert(known.end(), handled.begin(), handled.end());
  const bool about_safety = name.starts_with("ssl") || name.starts_with("gss") || name.starts_with("tls");
  // Prisma's, which say how strictly its own TLS checks; ours is what sslmode says.
  const bool prisma = name == "sslaccept" || name == "sslidentity";
  if (const auto meant = nearest(name, known); (meant && name.size() > 3) || (about_safety && !prisma))
    return wrong(fmt::format("it has an unknown parameter \"{}\"", printable(name)),
                 meant ? fmt::format("Did you mean \"{}\"?", *meant) : "Remove it, or write sslmode=….");
  note(name, "means nothing to libpq and is left out");
  return {};
}

Result<void> Translation::parameter(const std::string& name, const std::string& raw) {
  if (raw.empty()) return {};
  std::string value = raw;
  if (python_ && name == "options") std::ranges::replace(value, '+', ' ');
  if (name == "host") {
    if (!std::exchange(hosts_from_query_, true)) {
      port_ = ports_.empty() ? port_ : ports_[0];
      hosts_.clear();
      ports_.clear();
    }
    for (const std::string& host : split(value, ',')) TRY(add_host(host));
    return {};
  }
  if (name == "port") {
    for (const std::string& port : split(value, ','))
      if (!port.empty() && !is_port(port)) return wrong("its port is not a number up to 65535");
    port_ = value;
    std::ranges::fill(ports_, std::string{});
    return {};
  }
  if (name == "dbname" || name == "database") return set("dbname", value), Result<void>{};
  if (name == "password" || name == "sslpassword") {
    std::erase_if(out_.secrets, [&](const auto& secret) { return secret.first == name; });
    out_.secrets.emplace_back(name, Secret(value));
    return {};
  }
  if (name == "sslmode" || name == "ssl") return tls(name, value);
  if (name == "unix_sock") return unix_socket(value);
  if (name == "connect_timeout" || name == "timeout") return timeout(name, value);
  if (name == "schema" || name == "currentSchema" || name == "search_path" || name == "schema_search_path") {
    out_.search_path = value;
    if (name != "search_path") note(name, "is read as search_path");
    return {};
  }
  if (name == "replication") return wrong("a replication connection cannot be used here", "Remove replication=….");
  if (contains(libpq_keywords, name)) return set(name, value), Result<void>{};
  if (contains(ours, name)) return note(name, "is left out: steward sets its own"), Result<void>{};
  return unknown(name);
}

void Translation::finish() {
  const auto joined = [](const std::vector<std::string>& parts) { return fmt::format("{}", fmt::join(parts, ",")); };
  set("host", joined(hosts_));
  const bool some = std::ranges::any_of(ports_, [](const std::string& port) { return !port.empty(); });
  set("port", some ? joined(ports_) : port_);
}

/// "h1:5432,h2" of SCHEME://LOGIN@h1:5432,h2/PATH: URLs proper have one host, libpq's may have several.
std::string_view host_list(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return {};
  std::string_view authority = text.substr(scheme + 3);
  authority = authority.substr(0, authority.find_first_of("/?"));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  return authority.find(',') == std::string_view::npos ? std::string_view{} : authority;
}

Result<DatabaseUrl> postgres_url(std::string_view text, const Url& url, std::string_view hosts) {
  DatabaseUrl out;
  out.shown = printable(masked(text));
  Translation translation(text, url.scheme.find('+') != std::string::npos, out);
  TRY(translation.authority(url, hosts));
  for (const auto& [name, value] : url.query) TRY(translation.parameter(name, value));
  translation.finish();
  // libpq takes C strings: what follows a zero byte would be dropped in silence.
  const auto has_zero = [](const std::string& value) { return value.find('\0') != std::string::npos; };
  for (const auto& [name, value] : out.keywords)
    if (has_zero(value)) return unusable(text, fmt::format("its {} holds a zero byte", name));
  for (const auto& [name, value] : out.secrets)
    if (has_zero(value.reveal())) return unusable(text, fmt::format("its {} holds a zero byte", name));
  return out;
}

Result<DatabaseUrl> sqlite_url(std::string_view text, const Url& url) {
  DatabaseUrl out;
  out.dialect = Dialect::sqlite;
  out.shown = printable(masked(text));
  if (url.scheme == "sqlite+pysqlcipher") return unusable(text, "steward cannot read encrypted SQLite files");
  if (!url.host.empty() || !url.user.empty() || !url.port.empty())
    return unusable(text, "a file has no host",
                    "Write three slashes before a relative path, and four before an absolute one.");
  out.path = url.path.empty() ? std::string{} : url.path.substr(1);  // without the slash that ends the authority
  if (out.path.empty() || out.path == ":memory:" || out.path.starts_with("file:"))
    return unusable(text, out.path.starts_with("file:") ? "SQLite's own file: names are not understood"
                                                        : "a database in memory ends with the program that made it");
  const bool drive = out.path.size() > 1 && std::isalpha(static_cast<unsigned char>(out.path[0])) && out.path[1] == ':';
  if (drive || out.path.find('\\') != std::string::npos)
    return unusable(text, "it is a path of Windows, and steward runs on Linux");
  if (out.path.find('\0') != std::string::npos) return unusable(text, "its path holds a zero byte");
  if (out.path.back() == '/') return unusable(text, "it names a folder");
  for (const auto& [name, value] : url.query) {
    if (name == "key" || name == "cipher") return unusable(text, "steward cannot read encrypted SQLite files");
    out.notes.push_back(
        fmt::format("{}: parameter \"{}\" is for Python's driver and is left out", out.shown, printable(name)));
  }
  return out;
}

}  // namespace

Result<DatabaseUrl> parse_database_url(std::string_view text) {
  if (text.starts_with("jdbc:"))
    return fail(Kind::bad_input, fmt::format("\"{}\" is a URL of Java's", printable(masked(text))),
                "Write it without jdbc:, and the user before the host: postgresql://user@host/database.");
  const std::string_view hosts = host_list(text);
  std::string one_host(text);
  if (!hosts.empty()) one_host.replace(static_cast<std::size_t>(hosts.data() - text.data()), hosts.size(), "several");
  const Result<Url> parsed = parse_url(one_host);
  if (!parsed) return fail(Kind::bad_input, parsed.error().message, std::string(write_it_like));

  const std::string family = parsed->scheme.substr(0, parsed->scheme.find('+'));
  if (family == "postgresql" || family == "postgres" || family == "postgis") return postgres_url(text, *parsed, hosts);
  if (family == "sqlite" || family == "sqlite3") return sqlite_url(text, *parsed);
  return fail(Kind::bad_input,
              fmt::format("\"{}\" names no database that steward knows: {} is neither postgresql nor sqlite",
                          printable(masked(text)), family),
              std::string(write_it_like));
}

}  // namespace steward::sql
