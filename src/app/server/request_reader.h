/// Bytes from a client to a request, or to a refusal. No I/O, no clock.
///
/// Strict on purpose: what two servers could read differently is refused, so that no proxy in front can be made to see
/// other requests than this one does (request smuggling). Each refusal ends the connection.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "app/server/http.h"
#include "core/bytes.h"

namespace steward::server {

struct RequestLimits {
  Bytes head = 16_KiB;  ///< Request line and headers; and so much again for trailers and a chunk's header.
  Bytes target = 8_KiB;
  Bytes body = 1_MiB;
  std::size_t headers = 100;
};

struct Refusal {
  int status = 400;
  std::string why{};
};

class RequestReader {
 public:
  explicit RequestReader(const RequestLimits& limits);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  enum class State { head, body, whole, refused };
  State state() const { return state_; }

  /// Takes what belongs to this request from the front of `bytes`: how many. What is left is the next request's.
  std::size_t feed(std::string_view bytes);

  /// The client waits for "100 Continue" before it sends the body.
  bool wants_continue() const { return state_ == State::body && expects_; }
  /// Where it was refused.
  const Refusal& refusal() const { return refusal_; }
  /// Ends the reading: time is up.
  void refuse(int status, std::string why);
  /// Once it is whole. Also where it was refused: what is known of it, for the log.
  Request take();

 private:
  struct Parser;
  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  void end_of_head();

  const RequestLimits limits_;
  State state_ = State::head;
  bool expects_ = false;
  std::string pending_{};  ///< The head so far; then what the parser could not yet use.
  std::unique_ptr<Parser> parser_;
  Request request_{};
  Refusal refusal_{};
};

}  // namespace steward::server
