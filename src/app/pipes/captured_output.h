/// What a process and its children print, heard by somebody else as well: for `include_stdio_in_messages`.
///
///   CapturedOutput output([](std::string_view stream, std::string_view text) { … });   // from here on
///   output.stop();                                                                     // all of it was handed over
///
/// Promises  - All goes on to where it went before, at once; the listener gets it in pieces of whole lines where lines
///             are of a usual length, and never cut inside a character.
///           - Children have the same: it is the descriptors 1 and 2 that are heard.
/// Does not  - wait for children that outlive `stop`: what they print from then on goes to nobody.
#pragma once
#include <functional>
#include <memory>
#include <string_view>

#include "core/result.h"

namespace steward::pipes {

/// Called by one thread at a time for each stream: "stdout", "stderr".
using Listener = std::function<void(std::string_view stream, std::string_view text)>;

class CapturedOutput {
 public:
  static Result<std::unique_ptr<CapturedOutput>> start(const Listener& listener);
  ~CapturedOutput();
  CapturedOutput(const CapturedOutput&) = delete;
  CapturedOutput& operator=(const CapturedOutput&) = delete;
  /// Everything printed so far is handed over, and the descriptors are what they were. Once.
  void stop();

 private:
  class Stream;
  CapturedOutput(std::unique_ptr<Stream> out, std::unique_ptr<Stream> errors);
  std::unique_ptr<Stream> out_, errors_;
};

/// How much of `text` may be handed over: up to its last newline; with none in the last 64 KiB, all of it but the
/// beginning of a character that is not all there.
std::size_t whole_part(std::string_view text);

}  // namespace steward::pipes
