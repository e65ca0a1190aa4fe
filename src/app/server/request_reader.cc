#include "app/server/request_reader.h"

#include <algorithm>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "app/server/request_head.h"

namespace steward::server {
namespace http = boost::beast::http;

struct RequestReader::Parser : http::request_parser<http::string_body> {};

RequestReader::RequestReader(const RequestLimits& limits) : limits_(limits) {}
RequestReader::~RequestReader() = default;

std::size_t RequestReader::feed(std::string_view bytes) {
  std::size_t taken = 0;
  if (state_ == State::head) taken = feed_head(bytes);
  if (state_ == State::body && taken < bytes.size()) taken += feed_body(bytes.substr(taken));
  return taken;
}

// Byte by byte: what can be in no head is refused as it comes, not when a time-out ends the waiting for its end.
std::size_t RequestReader::feed_head(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto c = static_cast<unsigned char>(bytes[i]);
    const bool after_cr = pending_.ends_with('\r');
    if (after_cr != (c == '\n')) {
      refuse(400, "a line does not end in CR LF");
    } else if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7F) {
      refuse(400, "the head holds a control character");
    } else if (pending_.size() >= limits_.head.count) {
      refuse(pending_.contains('\r') ? 431 : 414, "the head is too large");
    }
    if (state_ == State::refused) return i + 1;
    pending_ += static_cast<char>(c);
    if (pending_.size() == 2 && pending_ == "\r\n") {
      refuse(400, "the request begins with an empty line");
      return i + 1;
    }
    if (c == '\n' && pending_.ends_with("\r\n\r\n")) {
      end_of_head();
      return i + 1;
    }
  }
  return bytes.size();
}

void RequestReader::end_of_head() {
  if (auto refused = read_head(pending_, limits_, request_)) {
    refuse(refused->status, std::move(refused->why));
    return;
  }
  parser_ = std::make_unique<Parser>();
  parser_->header_limit(static_cast<std::uint32_t>(2 * limits_.head.count));
  parser_->body_limit(limits_.body.count);
  parser_->eager(true);
  std::string head;
  std::swap(head, pending_);
  expects_ = request_.http11 && request_.header("expect");
  state_ = State::body;
  feed_body(head);
}

std::size_t RequestReader::feed_body(std::string_view bytes) {
  pending_ += bytes;
  // Beast 1.81 asserts that it never sees less than this of a last chunk, and a client may well send less at once. What
  // is left of a chunked body is never shorter, so nothing waits for this that could go on.
  const std::size_t least = state_ == State::body && parser_->is_header_done() && parser_->chunked() ? 5 : 1;
  std::size_t used = 0;
  boost::system::error_code error;
  while (!error && !parser_->is_done() && pending_.size() - used >= least)
    used += parser_->put(boost::asio::const_buffer(pending_.data() + used, pending_.size() - used), error);
  pending_.erase(0, used);
  if (error == http::error::body_limit) {
    refuse(413, "the body is too large");
  } else if (error && error != http::error::need_more) {
    refuse(400, "the body is not framed as HTTP asks");
  } else if (parser_->is_done()) {
    // What is left is from this call: before it, the request was not whole.
    const std::size_t left = pending_.size();
    request_.keep_alive = parser_->keep_alive();
    request_.body = std::move(parser_->get().body());
    state_ = State::whole;
    pending_.clear();
    return bytes.size() - left;
  } else if (pending_.size() > limits_.head.count) {
    refuse(400, "a chunk's header is too large");
  }
  return bytes.size();
}

Request RequestReader::take() { return std::move(request_); }

void RequestReader::refuse(int status, std::string why) {
  state_ = State::refused;
  refusal_ = {status, std::move(why)};
  request_.keep_alive = false;
}

}  // namespace steward::server
