/// Where the messages of a Pipes session go, a line each.
///
/// Threads  One at a time: the session sees to that.
#pragma once
#include <chrono>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "app/pipes/pipes.h"

namespace steward::pipes {

class Channel {
 public:
  virtual ~Channel() = default;
  /// Takes a line that ends with its newline.
  virtual Result<void> write(std::string line) = 0;
  /// All that was taken is where it should be, or the first error that kept it from there.
  virtual Result<void> close() = 0;
};

/// The channel that `parameters` ask for.
Result<std::unique_ptr<Channel>> open_channel(const nlohmann::json& parameters, const Options& options);

/// Chunks of lines in a bucket, PREFIX/1.json, PREFIX/2.json, …: one each `every`, and the rest at the end. A chunk
/// that could not be stored is tried again with what has come meanwhile, under the same number, so that no number is
/// missing.
std::unique_ptr<Channel> chunks_in_a_bucket(Objects& objects, std::string bucket, std::string prefix,
                                            std::chrono::milliseconds every);

}  // namespace steward::pipes
