#include "engine/notify/email.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace steward::notify {
namespace {

constexpr long connect_ms = 10'000;

template <class Value>
void set(CURL* handle, CURLoption option, Value value) {
  curl_easy_setopt(handle, option, value);
}

std::size_t give_mail(char* data, std::size_t, std::size_t room, void* user) {
  auto& rest = *static_cast<std::string_view*>(user);
  const std::size_t n = std::min(room, rest.size());
  std::copy_n(rest.begin(), n, data);
  rest.remove_prefix(n);
  return n;
}

// What a server answers to a command that asks is of no use here.
std::size_t drop(char*, std::size_t, std::size_t size, void*) { return size; }

int ask_whether_to_give_up(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const Patience*>(user)->give_up() ? 1 : 0;
}

/// What went wrong, without a word of libcurl's: its messages may name the server, or what was sent to it.
std::string fault_of(CURLcode code, long status, const Email& email) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: return "the name of the mail server is not known";
    case CURLE_COULDNT_CONNECT: return "no connection to the mail server";
    case CURLE_ABORTED_BY_CALLBACK: return "it was given up before the mail server had answered";
    case CURLE_OPERATION_TIMEDOUT: return "the mail server does not answer in time";
    case CURLE_USE_SSL_FAILED: return "the mail server offers no STARTTLS: nothing was sent";
    case CURLE_PEER_FAILED_VERIFICATION: return "the certificate of the mail server is not trusted";
    case CURLE_SSL_CACERT_BADFILE: return "the file of ca_bundle cannot be read as PEM";
    case CURLE_SSL_CONNECT_ERROR:
      return email.tls == Tls::tls ? "the mail server does not speak TLS here (tls: starttls, or another port?)"
                                   : "the connection to the mail server could not be encrypted";
    case CURLE_LOGIN_DENIED: return fmt::format("the mail server refuses the login ({})", status);
    case CURLE_WEIRD_SERVER_REPLY: return "what answers there is no mail server";
    default: break;
  }
  if (status >= 400) return fmt::format("the mail server refuses the mail ({})", status);
  return fmt::format("the connection to the mail server was lost (curl {})", static_cast<int>(code));
}

}  // namespace

Outcome send_mail(const Email& email, const std::string& ca_file, const std::string& mail, const Patience& patience) {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)once;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(), &curl_easy_cleanup);
  if (!handle) return {.kind = Outcome::Kind::later, .error = "libcurl has no memory"};
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> to(nullptr, &curl_slist_free_all);
  for (const std::string& address : email.to)
    to.reset(curl_slist_append(to.release(), fmt::format("<{}>", address).c_str()));
  const bool brackets = email.host.find(':') != std::string::npos && !email.host.starts_with('[');
  const std::string url = fmt::format("{}://{}{}{}:{}", email.tls == Tls::tls ? "smtps" : "smtp", brackets ? "[" : "",
                                      email.host, brackets ? "]" : "", email.port);
  const std::string from = fmt::format("<{}>", email.from);
  std::string_view rest = mail;
  CURL* const curl = handle.get();
  set(curl, CURLOPT_URL, url.c_str());
  set(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  set(curl, CURLOPT_NOSIGNAL, 1L);
  set(curl, CURLOPT_NOPROXY, "*");  // the proxies of the environment are for HTTP
  set(curl, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
  set(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(patience.longest.count()));
  // ALL: without TLS nothing is sent, no login and no mail.
  set(curl, CURLOPT_USE_SSL, static_cast<long>(email.tls == Tls::none ? CURLUSESSL_NONE : CURLUSESSL_ALL));
  if (!ca_file.empty()) set(curl, CURLOPT_CAINFO, ca_file.c_str());
  if (!email.user.empty()) {
    set(curl, CURLOPT_USERNAME, email.user.c_str());
    set(curl, CURLOPT_PASSWORD, email.password.reveal().c_str());
  }
  set(curl, CURLOPT_MAIL_FROM, from.c_str());
  set(curl, CURLOPT_MAIL_RCPT, to.get());
  set(curl, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
  set(curl, CURLOPT_UPLOAD, 1L);
  set(curl, CURLOPT_READFUNCTION, &give_mail);
  set(curl, CURLOPT_READDATA, static_cast<void*>(&rest));
  set(curl, CURLOPT_WRITEFUNCTION, &drop);
  if (patience.give_up) {
    set(curl, CURLOPT_NOPROGRESS, 0L);
    set(curl, CURLOPT_XFERINFOFUNCTION, &ask_whether_to_give_up);
    set(curl, CURLOPT_XFERINFODATA, static_cast<const void*>(&patience));
  }
  const CURLcode code = curl_easy_perform(curl);
  if (code == CURLE_OK) return {};
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  const bool for_good = status >= 500 && status < 600;
  return {.kind = for_good ? Outcome::Kind::never : Outcome::Kind::later, .error = fault_of(code, status, email)};
}

}  // namespace steward::notify
