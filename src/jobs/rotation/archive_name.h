/// What archives of logs are called: "web.log.20261123T010000Z", ".1" behind it for a second one of the same second,
/// then ".gz" or ".zst".
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/instant.h"

namespace steward::rotation {

struct ArchiveName {
  std::string log{};         ///< "web.log"
  Instant at{};              ///< In whole seconds.
  std::uint32_t number = 0;  ///< Of those of the same second; 0 is the first.
  std::string compressed{};  ///< ".gz", ".zst" or nothing.
};

/// The base name of an archive taken apart; empty where it is none of ours. Only what `name_of` can write is one.
std::optional<ArchiveName> parse_archive_name(std::string_view name);
std::string name_of(const ArchiveName& name);

}  // namespace steward::rotation
