/// What PostgreSQL's five-character codes mean to steward.
#pragma once
#include <string_view>

#include "core/result.h"

namespace steward::sql {

struct Meaning {
  Kind kind = Kind::bad_input;
  std::string_view hint{};  ///< What a person can do; empty where only the statement's author can.
};

/// By the whole code, else by its class (its first two characters), else bad_input.
/// See https://www.postgresql.org/docs/15/errcodes-appendix.html.
Meaning meaning_of(std::string_view sqlstate);

}  // namespace steward::sql
