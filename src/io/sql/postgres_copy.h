/// PostgreSQL's COPY … TO STDOUT: the rows of a table as text, the fastest way out of it.
#pragma once
#include <string_view>

#include "core/result.h"
#include "core/stream.h"
#include "io/sql/connection.h"

namespace steward::sql {

/// What PostgreSQL's connections can beside connection.h.
class CopiesOut {
 public:
  virtual ~CopiesOut() = default;
  virtual Result<void> copy_out(std::string_view statement, Sink& sink) = 0;
};

/// Runs one COPY … TO STDOUT in the open transaction, and hands over its rows as they come, each whole and with its
/// line's end, in constant memory. A sink that fails ends it: the statement is cancelled, and the transaction is good
/// for its rollback alone. bad_input: the connection is not PostgreSQL's, or the statement is another.
inline Result<void> copy_out(Connection& connection, std::string_view statement, Sink& sink) {
  auto* copies = dynamic_cast<CopiesOut*>(&connection);
  if (copies == nullptr) return fail(Kind::bad_input, connection.shown() + " has no COPY");
  return copies->copy_out(statement, sink);
}

}  // namespace steward::sql
