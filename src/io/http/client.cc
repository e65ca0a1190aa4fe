#include "io/http/client.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <mutex>

namespace steward::http {
namespace {

/// What libcurl's callbacks share with `send`.
struct Exchange {
  const Request& request;
  Response response{};
  std::string_view unsent{};
  std::optional<Error> failure{};  ///< Of a Source, a Sink or `accept`: it ends the transfer.
  bool accepted = false;
};

bool is_success(int status) { return status >= 200 && status < 300; }

/// Remembers `result`'s error, if it has one, and says whether to go on.
bool goes_on(Exchange& exchange, Result<void> result) {
  if (result) return true;
  exchange.failure = std::move(result).error();
  return false;
}

std::size_t take_header(char* data, std::size_t, std::size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  std::string_view line(data, size);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {  // also after a 100 Continue: only the last answer's headers count
    exchange.response.headers.clear();
    exchange.response.status = 0;
    const std::string_view code = line.substr(std::min(line.size(), line.find(' ') + 1));
    std::from_chars(code.data(), code.data() + code.size(), exchange.response.status);
    return size;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  exchange.response.headers.emplace_back(line.substr(0, colon), value);
  return size;
}

bool is_accepted(Exchange& exchange) {
  if (exchange.accepted) return true;
  exchange.accepted = true;
  return !exchange.request.accept || goes_on(exchange, exchange.request.accept(exchange.response));
}

std::size_t take_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (exchange.request.sink && is_success(exchange.response.status)) {
    if (!is_accepted(exchange)) return 0;
    const auto bytes = std::as_bytes(std::span(data, size));
    return goes_on(exchange, exchange.request.sink->write(bytes)) ? size : 0;
  }
  if (exchange.response.body.size() + size > exchange.request.body_limit) {
    exchange.failure =
        Error{Kind::unavailable, fmt::format("{} answers with more than {} bytes", host_and_port(exchange.request.url),
                                             exchange.request.body_limit)};
    return 0;
  }
  exchange.response.body.append(data, size);
  return size;
}

std::size_t give_body(char* data, std::size_t, std::size_t room, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (exchange.request.content) {
    auto got = exchange.request.content->read(std::as_writable_bytes(std::span(data, room)));
    if (got) return *got;
    exchange.failure = std::move(got).error();
    return CURL_READFUNC_ABORT;
  }
  const std::size_t n = std::min(room, exchange.unsent.size());
  std::copy_n(exchange.unsent.begin(), n, data);
  exchange.unsent.remove_prefix(n);
  return n;
}

int ask_whether_to_give_up(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(user)->request.give_up() ? 1 : 0;
}

/// libcurl goes back to the start when a kept connection turns out to be closed.
int rewind_body(void* user, curl_off_t offset, int origin) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (exchange.request.content || origin != SEEK_SET || offset < 0 ||
      static_cast<std::uint64_t>(offset) > exchange.request.body.size())
    return CURL_SEEKFUNC_CANTSEEK;
  exchange.unsent = exchange.request.body.substr(static_cast<std::size_t>(offset));
  return CURL_SEEKFUNC_OK;
}

template <class Value>
void set(CURL* handle, CURLoption option, Value value) {
  curl_easy_setopt(handle, option, value);
}

using HeaderList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

HeaderList header_list(const Request& request) {
  HeaderList list(nullptr, &curl_slist_free_all);
  const auto add = [&](const std::string& line) { list.reset(curl_slist_append(list.release(), line.c_str())); };
  for (const auto& [name, value] : request.headers)
    add(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
  add("Expect:");  // bodies are small or already buffered: asking first would cost a round trip each
  return list;
}

bool has_body(const Request& request) {
  return request.content || !request.body.empty() || request.method == "PUT" || request.method == "POST";
}

void set_body(CURL* handle, const Request& request) {
  if (request.method == "HEAD") set(handle, CURLOPT_NOBODY, 1L);
  if (has_body(request)) {
    set(handle, CURLOPT_UPLOAD, 1L);
    set(handle, CURLOPT_INFILESIZE_LARGE,
        static_cast<curl_off_t>(request.content ? request.content_size : request.body.size()));
  }
  if (request.method != "HEAD") set(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

/// Loopback and the metadata services are never behind a proxy, whatever the environment says of one.
bool is_local(std::string_view host) {
  return host.starts_with("127.") || host.starts_with("169.254.") || host.starts_with("[::1]") ||
         host.starts_with("localhost:") || host.find(".localhost:") != std::string_view::npos;
}

void set_transport(CURL* handle, const ClientSettings& settings, const Request& request) {
  set(handle, CURLOPT_URL, request.url.c_str());
  set(handle, CURLOPT_PATH_AS_IS, 1L);
  set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  set(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_TCP_KEEPALIVE, 1L);
  set(handle, CURLOPT_BUFFERSIZE, 256L << 10);
  set(handle, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
  set(handle, CURLOPT_USERAGENT, settings.agent.c_str());
  if (!settings.ca_file.empty()) set(handle, CURLOPT_CAINFO, settings.ca_file.c_str());
  if (is_local(host_and_port(request.url))) set(handle, CURLOPT_NOPROXY, "*");
  set(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.count()));
  set(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request.whole_timeout.count()));
  set(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.stall_timeout.count()));
}

void set_callbacks(CURL* handle, Exchange& exchange) {
  set(handle, CURLOPT_HEADERFUNCTION, &take_header);
  set(handle, CURLOPT_HEADERDATA, static_cast<void*>(&exchange));
  set(handle, CURLOPT_WRITEFUNCTION, &take_body);
  set(handle, CURLOPT_WRITEDATA, static_cast<void*>(&exchange));
  set(handle, CURLOPT_READFUNCTION, &give_body);
  set(handle, CURLOPT_READDATA, static_cast<void*>(&exchange));
  set(handle, CURLOPT_SEEKFUNCTION, &rewind_body);
  set(handle, CURLOPT_SEEKDATA, static_cast<void*>(&exchange));
  if (!exchange.request.give_up) return;
  set(handle, CURLOPT_NOPROGRESS, 0L);
  set(handle, CURLOPT_XFERINFOFUNCTION, &ask_whether_to_give_up);
  set(handle, CURLOPT_XFERINFODATA, static_cast<void*>(&exchange));
}

std::string no_answer(CURL* handle, const Request& request) {
  const std::string server = host_and_port(request.url);
  curl_off_t connected = 0;
  curl_easy_getinfo(handle, CURLINFO_PRETRANSFER_TIME_T, &connected);
  if (connected == 0)
    return fmt::format("no connection to {} within {} ms", server,
                       request.whole_timeout.count() ? std::min(request.whole_timeout, request.connect_timeout).count()
                                                     : request.connect_timeout.count());
  if (request.whole_timeout.count())
    return fmt::format("no whole answer from {} within {} ms", server, request.whole_timeout.count());
  return fmt::format("no answer from {} for {} s", server, request.stall_timeout.count());
}

std::unexpected<Error> transport_error(CURL* handle, CURLcode code, const Request& request,
                                       const ClientSettings& settings) {
  const std::string server = host_and_port(request.url);
  const std::string network = "Check the address and the network.";
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return fail(Kind::bad_input, fmt::format("\"{}\" is not an address of an HTTP server", server),
                  "Write it like https://host:port.");
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return fail(Kind::unavailable, fmt::format("the name of {} is not known", server), network);
    case CURLE_COULDNT_CONNECT: return fail(Kind::unavailable, fmt::format("no connection to {}", server), network);
    case CURLE_ABORTED_BY_CALLBACK:
      return fail(Kind::interrupted, fmt::format("the request to {} was given up", server));
    case CURLE_OPERATION_TIMEDOUT: return fail(Kind::unavailable, no_answer(handle, request), network);
    case CURLE_PEER_FAILED_VERIFICATION:
      return fail(Kind::refused, fmt::format("the certificate of {} is not trusted", server),
                  "If its authority is your own, name the authority's certificate (PEM) in AWS_CA_BUNDLE.",
                  "certificate");
    case CURLE_SSL_CACERT_BADFILE:
      return fail(Kind::bad_input, fmt::format("the CA file {} cannot be read as PEM", settings.ca_file),
                  "AWS_CA_BUNDLE names a file of certificates in PEM.");
    default:
      return fail(Kind::unavailable,
                  fmt::format("the connection to {} was lost ({})", server, curl_easy_strerror(code)), network);
  }
}

struct Cleanup {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Handle = std::unique_ptr<CURL, Cleanup>;

}  // namespace

/// Easy handles that are idle, each with the connections it has made.
struct Client::Pool {
  static constexpr std::size_t most_idle = 64;
  ClientSettings settings{};
  std::mutex mutex{};
  std::vector<Handle> idle{};

  Handle take() {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        Handle handle = std::move(idle.back());
        idle.pop_back();
        return handle;
      }
    }
    return Handle(curl_easy_init());
  }
  void give_back(Handle handle) {
    curl_easy_reset(handle.get());  // keeps its connections
    const std::lock_guard lock(mutex);
    if (idle.size() < most_idle) idle.push_back(std::move(handle));
  }
};

Client::Client(ClientSettings settings) : pool_(std::make_unique<Pool>()) {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)once;
  pool_->settings = std::move(settings);
}
Client::~Client() = default;

Result<Response> Client::send(const Request& request) {
  Handle handle = pool_->take();
  if (!handle) return fail(Kind::unavailable, "libcurl has no memory");
  Exchange exchange{.request = request, .unsent = request.body};
  const HeaderList headers = header_list(request);
  set_transport(handle.get(), pool_->settings, request);
  set_callbacks(handle.get(), exchange);
  set_body(handle.get(), request);
  set(handle.get(), CURLOPT_HTTPHEADER, headers.get());

  const CURLcode code = curl_easy_perform(handle.get());
  Result<Response> result = std::move(exchange.response);
  if (exchange.failure) {
    result = std::unexpected(*std::move(exchange.failure));
  } else if (code != CURLE_OK) {
    result = transport_error(handle.get(), code, request, pool_->settings);
  } else if (request.sink && is_success(result->status) && !exchange.accepted && request.accept) {
    if (auto accepted = request.accept(*result); !accepted) result = std::unexpected(std::move(accepted).error());
  }
  pool_->give_back(std::move(handle));
  return result;
}

std::optional<std::string> Response::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0) return value;
  return std::nullopt;
}

std::optional<Instant> parse_http_date(std::string_view text) {
  const std::time_t seconds = curl_getdate(std::string(text).c_str(), nullptr);
  if (seconds < 0) return std::nullopt;
  return Instant{std::chrono::seconds{seconds}};
}

std::optional<Instant> date_of(const Response& response) {
  const auto date = response.header("date");
  return date ? parse_http_date(*date) : std::nullopt;
}

std::string host_and_port(std::string_view url) {
  const std::size_t scheme_end = url.find("://");
  const bool tls = url.starts_with("https:");
  std::string_view rest = scheme_end == std::string_view::npos ? url : url.substr(scheme_end + 3);
  rest = rest.substr(0, rest.find_first_of("/?#"));
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) rest.remove_prefix(at + 1);
  const std::size_t bracket = rest.rfind(']');
  const std::size_t colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) return std::string(rest);
  return fmt::format("{}:{}", rest, tls ? 443 : 80);
}

}  // namespace steward::http
