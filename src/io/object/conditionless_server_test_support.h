/// For tests alone: an S3 server that answers as one that knows no conditions. Each request goes on to a real server
/// without its If-Match and If-None-Match, signed anew, since conditions are part of what is signed.
#pragma once
#include <algorithm>
#include <cctype>
#include <string>
#include <utility>

#include "core/text.h"
#include "core/url.h"
#include "io/http/scripted_server_test_support.h"
#include "io/object/s3_test_support.h"

namespace steward::object {

class ConditionlessServer {
 public:
  /// `target` is a bucket's root on the real server.
  explicit ConditionlessServer(const StoreTarget& target)
      : bucket_path_("/" + target.url.substr(5)),
        client_(target, *s3_address(target.url, target.s3), test_tuning()),
        server_([this](const http::SeenRequest& request) { return pass(request); }) {}

  std::string url() const { return server_.url(); }
  std::vector<http::SeenRequest> seen() const { return server_.seen(); }
  /// How many requests of this method have come whose target holds `part`.
  std::size_t count(std::string_view method, std::string_view part) const {
    const auto all = seen();
    return static_cast<std::size_t>(std::ranges::count_if(
        all, [&](const auto& request) { return request.method == method && request.target.contains(part); }));
  }

 private:
  http::Reply pass(const http::SeenRequest& request) {
    S3Call call{.act = "pass on", .method = request.method, .body = request.body};
    const std::size_t question = request.target.find('?');
    std::string path = request.target.substr(0, question);
    path.erase(0, std::min(path.size(), bucket_path_.size() + 1));
    call.key = percent_decode(path).value_or("");
    if (question != std::string::npos)
      for (const std::string& field : split(request.target.substr(question + 1), '&'))
        call.query.emplace_back(percent_decode(field.substr(0, field.find('='))).value_or(""),
                                percent_decode(field.substr(std::min(field.size(), field.find('=') + 1))).value_or(""));
    for (const std::string& line : split(request.head, '\n')) {
      std::string name = line.substr(0, line.find(':'));
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      const bool goes_on = name == "content-md5" || name == "range" || name.starts_with("x-amz-meta-");
      if (goes_on) call.headers.emplace_back(name, trim(line.substr(line.find(':') + 1)));
    }
    const auto answer = client_.send_once(call);
    if (!answer) return http::Reply::of(502, answer.error().message);
    std::string headers;
    for (const auto& [name, value] : answer->http.headers) {
      const bool of_the_connection = answer->http.header("connection") == value || name == "Transfer-Encoding";
      const bool is_length = name.size() == 14 && (name[0] == 'C' || name[0] == 'c') && name.contains("ength");
      if (!of_the_connection && (!is_length || request.method == "HEAD")) headers += name + ": " + value + "\r\n";
    }
    if (request.method != "HEAD") return http::Reply::of(answer->http.status, answer->http.body, headers);
    return {"HTTP/1.1 " + std::to_string(answer->http.status) + " Told\r\nConnection: close\r\n" + headers + "\r\n"};
  }

  std::string bucket_path_;
  S3Client client_;
  http::ScriptedServer server_;
};

}  // namespace steward::object
