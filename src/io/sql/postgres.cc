#include "io/sql/postgres.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <cmath>

#include "core/digest.h"
#include "core/text.h"
#include "io/sql/postgres_catalogue.h"
#include "io/sql/postgres_copy.h"
#include "io/sql/postgres_login.h"
#include "io/sql/postgres_settings.h"
#include "io/sql/sqlstate.h"
#include "io/sql/statement_error.h"

namespace steward::sql {
namespace {

struct CloseAnswer {
  void operator()(PGresult* answer) const { PQclear(answer); }
};
using Answer = std::unique_ptr<PGresult, CloseAnswer>;

struct CloseCancel {
  void operator()(PGcancel* cancel) const { PQfreeCancel(cancel); }
};

/// Parameters as libpq takes them: text, or null.
class Parameters {
 public:
  static Result<Parameters> of(std::span<const Value> values) {
    Parameters out;
    out.texts_.reserve(values.size());  // so that no pointer below moves
    for (const Value& value : values) {
      out.texts_.push_back(TRY(text_of(value)));
      out.pointers_.push_back(is_null(value) ? nullptr : out.texts_.back().c_str());
    }
    return out;
  }
  int count() const { return static_cast<int>(pointers_.size()); }
  const char* const* pointers() const { return pointers_.data(); }

 private:
  static Result<std::string> text_of(const Value& value) {
    if (const auto* blob = std::get_if<Blob>(&value))
      return "\\x" + hex({reinterpret_cast<const unsigned char*>(blob->bytes.data()), blob->bytes.size()});
    if (const auto* number = std::get_if<double>(&value); number != nullptr && std::isinf(*number))
      return *number > 0 ? "Infinity" : "-Infinity";
    std::string text = is_null(value) ? std::string{} : to_text(value);
    if (text.find('\0') != std::string::npos)
      return fail(Kind::bad_input, "a text with a zero byte cannot be stored in PostgreSQL");
    return text;
  }
  std::vector<std::string> texts_{};
  std::vector<const char*> pointers_{};
};

std::string field(const PGresult* answer, int code) {
  const char* text = PQresultErrorField(answer, code);
  return text == nullptr ? std::string{} : std::string(text);
}

Row row_of(const PGresult* answer, int row) {
  Row out(static_cast<std::size_t>(PQnfields(answer)));
  for (int column = 0; column < PQnfields(answer); ++column)
    if (!PQgetisnull(answer, row, column))
      out[static_cast<std::size_t>(column)] =
          std::string(PQgetvalue(answer, row, column), static_cast<std::size_t>(PQgetlength(answer, row, column)));
  return out;
}

Rows rows_of(const PGresult* answer) {
  Rows out;
  for (int column = 0; column < PQnfields(answer); ++column) out.columns.emplace_back(PQfname(answer, column));
  for (int row = 0; row < PQntuples(answer); ++row) out.rows.push_back(row_of(answer, row));
  return out;
}

class PostgresConnection final : public Connection, public CopiesOut {
 public:
  PostgresConnection(Wire wire, const Target& target)
      : target_(target), wire_(std::move(wire)), cancel_(PQgetCancel(wire_.get())), shown_(shown_of(wire_.get())) {}

  /// Asks the server who it is. Before anything else.
  Result<void> introduce(const std::optional<std::string>& search_path);

  Dialect dialect() const override { return Dialect::postgres; }
  const std::string& shown() const override { return shown_; }
  const std::string& identity() const override { return identity_; }
  const std::string& version() const override { return version_; }

  Result<Rows> query(std::string_view statement, std::span<const Value> parameters) override;
  Result<std::int64_t> execute(std::string_view statement, std::span<const Value> parameters) override;
  Result<void> stream(std::string_view statement, std::span<const Value> parameters,
                      const std::function<Result<bool>(const Row&)>& take) override;
  Result<void> copy_out(std::string_view statement, Sink& sink) override;
  Result<Transaction> begin() override;
  void cancel() override;

  Result<std::string> quote_identifier(std::string_view name) const override;
  std::string placeholder(int n) const override { return fmt::format("${}", n); }
  Result<TableInfo> describe(std::string_view table) override { return postgres_catalogue::describe(*this, table); }
  Result<std::vector<Reference>> references_to(const TableInfo& table) override {
    return postgres_catalogue::references_to(*this, table);
  }
  Result<bool> has_index_on(const TableInfo& table, std::string_view column) override {
    return postgres_catalogue::has_index_on(*this, table, column);
  }
  Result<std::optional<std::uint64_t>> estimated_rows(const TableInfo& table) override {
    return postgres_catalogue::estimated_rows(*this, table);
  }
  Result<std::vector<Right>> missing_rights(std::span<const Right> wanted) override {
    return postgres_catalogue::missing_rights(*this, wanted);
  }
  Result<std::string> user() override { return to_text(TRY(query("select current_user", {})).rows.at(0).at(0)); }
  Result<Instant> server_time() override;
  using Connection::try_transaction_lock;
  Result<bool> try_transaction_lock(std::string_view name, Sharing sharing) override;

 private:
  Result<void> end(bool commit) override;

  Result<Answer> run(std::string_view statement, std::span<const Value> parameters);
  Result<Answer> run_bare(const std::string& statement, const Parameters& parameters);
  Result<Answer> run_simple(const std::string& statements);
  Result<void> open_transaction();
  Result<void> close_transaction(bool commit);
  Result<bool> fetch(const std::function<Result<bool>(const Row&)>& take);
  Result<void> fetch_all(const std::string& statement, const Parameters& parameters,
                         const std::function<Result<bool>(const Row&)>& take);
  Result<void> take_copy(const std::string& statement, Sink& sink);
  Result<Answer> checked(Answer answer, std::string_view statement);
  std::unexpected<Error> failed(const PGresult* answer, std::string_view statement);
  Result<void> ready() const;  ///< For a statement.
  Result<void> idle() const;   ///< For the end of a transaction.
  Result<std::string> quoted_schemas(std::string_view list) const;

  Target target_;
  Wire wire_;
  std::unique_ptr<PGcancel, CloseCancel> cancel_;
  std::string shown_;
  std::string identity_{}, version_{};
  std::string begin_ = "BEGIN";  ///< What opens a transaction; more of it once the server is known.
  std::string sqlstate_{};       ///< Of the last failure.
  bool in_transaction_ = false;
  bool streaming_ = false;
  std::stop_callback<std::function<void()>> on_stop_{target_.stop, [this] { cancel(); }};  // last: first to go
};

std::unexpected<Error> PostgresConnection::failed(const PGresult* answer, std::string_view statement) {
  sqlstate_ = answer == nullptr ? std::string{} : field(answer, PG_DIAG_SQLSTATE);
  std::string why = answer == nullptr ? std::string{} : one_line(field(answer, PG_DIAG_MESSAGE_PRIMARY));
  if (why.empty()) why = one_line(PQerrorMessage(wire_.get()));
  if (PQstatus(wire_.get()) == CONNECTION_BAD)
    return statement_failed(Kind::unavailable, statement, shown_, "the connection was lost: " + why,
                            "Check that the server runs and can be reached; the next run goes on from here.");
  const Meaning meaning = meaning_of(sqlstate_);
  // Which row and which table stand in the way. Other details may hold a whole row, and a row may hold a secret.
  if (sqlstate_ == "23503")
    if (const std::string detail = field(answer, PG_DIAG_MESSAGE_DETAIL); !detail.empty())
      why += ": " + one_line(detail);
  std::string hint = std::string(meaning.hint);
  if (hint.empty() && answer != nullptr) hint = one_line(field(answer, PG_DIAG_MESSAGE_HINT));
  return statement_failed(meaning.kind, statement, shown_, why, hint);
}

Result<Answer> PostgresConnection::checked(Answer answer, std::string_view statement) {
  switch (PQresultStatus(answer.get())) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE: return answer;
    case PGRES_EMPTY_QUERY: return statement_failed(Kind::bad_input, statement, shown_, "it is empty");
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
      PQreset(wire_.get());  // there is no other way out of an unbounded COPY
      in_transaction_ = false;
      return statement_failed(Kind::bug, statement, shown_, "COPY is not for this interface");
    default: return failed(answer.get(), statement);
  }
}

Result<void> PostgresConnection::ready() const {
  TRY(idle());
  return not_stopped(target_, shown_);
}

Result<void> PostgresConnection::idle() const {
  if (streaming_) return fail(Kind::bug, fmt::format("{} was asked for more while it streams a query", shown_));
  return {};
}

Result<Answer> PostgresConnection::run_bare(const std::string& statement, const Parameters& parameters) {
  return checked(Answer(PQexecParams(wire_.get(), statement.c_str(), parameters.count(), nullptr, parameters.pointers(),
                                     nullptr, nullptr, /*resultFormat=*/0)),
                 statement);
}

Result<Answer> PostgresConnection::run_simple(const std::string& statements) {
  return checked(Answer(PQexec(wire_.get(), statements.c_str())), statements);
}

Result<void> PostgresConnection::open_transaction() {
  TRY(run_simple(begin_));
  return {};
}

Result<void> PostgresConnection::close_transaction(bool commit) {
  const Answer answer = TRY(run_simple(commit ? "COMMIT" : "ROLLBACK"));
  // COMMIT of a failed transaction succeeds, and says what it did instead.
  if (commit && std::string_view(PQcmdStatus(answer.get())) != "COMMIT")
    return fail(Kind::bug,
                fmt::format("a transaction on {} was rolled back: one of its statements had failed", shown_));
  return {};
}

Result<Answer> PostgresConnection::run(std::string_view statement, std::span<const Value> values) {
  TRY(ready());
  const std::string text(statement);
  const Parameters parameters = TRY(Parameters::of(values));
  if (in_transaction_) return run_bare(text, parameters);

  TRY(open_transaction());
  Result<Answer> answer = run_bare(text, parameters);
  if (!answer) {
    constexpr std::string_view not_in_a_transaction = "25001";  // said before the statement has done anything
    const bool bare = sqlstate_ == not_in_a_transaction;
    (void)close_transaction(false);
    return bare ? run_bare(text, parameters) : std::move(answer);
  }
  TRY(close_transaction(true));
  return answer;
}

Result<Rows> PostgresConnection::query(std::string_view statement, std::span<const Value> parameters) {
  const Answer answer = TRY(run(statement, parameters));
  return rows_of(answer.get());
}

Result<std::int64_t> PostgresConnection::execute(std::string_view statement, std::span<const Value> parameters) {
  const Answer answer = TRY(run(statement, parameters));
  const std::string_view tag = PQcmdStatus(answer.get());
  if (tag.starts_with("SELECT") || tag.starts_with("FETCH")) return 0;  // rows given, not changed
  return to_integer(Value{std::string(PQcmdTuples(answer.get()))});
}

/// Hands over up to a thousand rows of the cursor; false where there are no more, or `take` wants none.
Result<bool> PostgresConnection::fetch(const std::function<Result<bool>(const Row&)>& take) {
  constexpr const char* statement = "FETCH FORWARD 1000 FROM steward_stream";
  // One row at a time in our memory: a thousand may be large. What is left of them after `take` has had enough is
  // dropped as it comes; cancelling instead would fail the caller's transaction.
  if (PQsendQuery(wire_.get(), statement) == 0) return failed(nullptr, statement);
  PQsetSingleRowMode(wire_.get());
  Result<bool> more = true;
  int rows = 0;
  while (Answer answer{PQgetResult(wire_.get())}) {
    Result<Answer> row = checked(std::move(answer), statement);
    if (!row && more) more = std::unexpected(row.error());
    if (!row || PQntuples(row->get()) == 0) continue;
    ++rows;
    if (more && *more) more = take(row_of(row->get(), 0));
  }
  if (more && *more) return rows == 1000;
  return more;
}

Result<void> PostgresConnection::fetch_all(const std::string& statement, const Parameters& parameters,
                                           const std::function<Result<bool>(const Row&)>& take) {
  TRY(run_bare("DECLARE steward_stream NO SCROLL CURSOR FOR " + statement, parameters));
  while (TRY(fetch(take))) {
  }
  return {};
}

Result<void> PostgresConnection::stream(std::string_view statement, std::span<const Value> values,
                                        const std::function<Result<bool>(const Row&)>& take) {
  TRY(ready());
  const Parameters parameters = TRY(Parameters::of(values));
  const bool own = !in_transaction_;
  if (own) TRY(open_transaction());
  streaming_ = true;
  const Result<void> done = fetch_all(std::string(statement), parameters, take);
  streaming_ = false;
  if (own) {
    const Result<void> closed = close_transaction(done.has_value());
    return done ? closed : done;
  }
  // An error of `take` leaves the transaction as it was; a statement's error has closed the cursor already.
  if (PQtransactionStatus(wire_.get()) == PQTRANS_INTRANS) TRY(run_bare("CLOSE steward_stream", {}));
  return done;
}

/// Hands over what a COPY sends, to its end. Once the sink has failed, what still comes is dropped.
Result<void> PostgresConnection::take_copy(const std::string& statement, Sink& sink) {
  Result<void> taken;
  char* row = nullptr;
  int length = 0;
  while ((length = PQgetCopyData(wire_.get(), &row, /*async=*/0)) > 0) {
    if (taken) {
      taken = sink.write(std::as_bytes(std::span(row, static_cast<std::size_t>(length))));
      if (!taken) cancel();
    }
    PQfreemem(row);
  }
  Result<void> ended;
  while (Answer answer{PQgetResult(wire_.get())})
    if (PQresultStatus(answer.get()) != PGRES_COMMAND_OK && ended) ended = failed(answer.get(), statement);
  constexpr int broken = -2;
  if (length == broken && ended) ended = failed(nullptr, statement);
  return taken ? ended : taken;
}

Result<void> PostgresConnection::copy_out(std::string_view statement, Sink& sink) {
  TRY(ready());
  if (!in_transaction_) return fail(Kind::bug, fmt::format("{} was asked to copy outside a transaction", shown_));
  const std::string text(statement);
  Answer answer(PQexec(wire_.get(), text.c_str()));
  if (PQresultStatus(answer.get()) != PGRES_COPY_OUT) {
    TRY(checked(std::move(answer), text));
    return statement_failed(Kind::bad_input, text, shown_, "it copies nothing out");
  }
  streaming_ = true;
  auto copied = take_copy(text, sink);
  streaming_ = false;
  return copied;
}

Result<Transaction> PostgresConnection::begin() {
  TRY(ready());
  if (in_transaction_) return fail(Kind::bug, fmt::format("{} is in a transaction already", shown_));
  TRY(open_transaction());
  in_transaction_ = true;
  return Transaction(*this);
}

Result<void> PostgresConnection::end(bool commit) {
  TRY(idle());
  in_transaction_ = false;
  return close_transaction(commit);
}

void PostgresConnection::cancel() {
  std::array<char, 256> why{};
  PQcancel(cancel_.get(), why.data(), why.size());
}

Result<std::string> PostgresConnection::quote_identifier(std::string_view name) const {
  if (name.empty() || name.find('\0') != std::string_view::npos)
    return fail(Kind::bad_input, fmt::format("\"{}\" cannot be a name in PostgreSQL", printable(name)));
  char* quoted = PQescapeIdentifier(wire_.get(), name.data(), name.size());
  if (quoted == nullptr)
    return fail(Kind::bad_input, fmt::format("\"{}\" cannot be a name in PostgreSQL: {}", printable(name),
                                             one_line(PQerrorMessage(wire_.get()))));
  std::string out(quoted);
  PQfreemem(quoted);
  return out;
}

Result<Instant> PostgresConnection::server_time() {
  const Rows rows = TRY(query("select (extract(epoch from clock_timestamp()) * 1000000)::bigint", {}));
  return Instant(std::chrono::microseconds(to_integer(rows.rows.at(0).at(0))));
}

Result<bool> PostgresConnection::try_transaction_lock(std::string_view name, Sharing sharing) {
  if (!in_transaction_) return fail(Kind::bug, "a transaction lock was asked for outside a transaction");
  const Sha256Bytes hash = sha256("steward:" + std::string(name));
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < sizeof key; ++i) key = key << 8 | hash[i];
  const Value parameter = static_cast<std::int64_t>(key);
  const Rows rows = TRY(query(sharing == Sharing::alone ? "select pg_try_advisory_xact_lock($1::bigint)"
                                                        : "select pg_try_advisory_xact_lock_shared($1::bigint)",
                              {&parameter, 1}));
  return rows.rows.at(0).at(0) == Value{"t"};
}

/// "app, public" -> "\"app\", \"public\"". Quotes that a person wrote stay theirs.
Result<std::string> PostgresConnection::quoted_schemas(std::string_view list) const {
  std::string out;
  for (const std::string& part : split(list, ',')) {
    std::string_view name = trim(part);
    if (name.size() > 1 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
    if (name.empty()) continue;
    out += (out.empty() ? "" : ", ") + TRY(quote_identifier(name));
  }
  return out;
}

Result<void> PostgresConnection::introduce(const std::optional<std::string>& search_path) {
  SessionFacts facts{.server_version = PQserverVersion(wire_.get())};
  const std::string full = PQparameterStatus(wire_.get(), "server_version");
  version_ = "PostgreSQL " + full.substr(0, full.find(' '));
  if (facts.server_version < 120000)
    return fail(Kind::bad_input, fmt::format("{} is {}, which steward does not know", shown_, version_),
                "steward works with PostgreSQL 12 and later.");
  const Rows rows =
      TRY(query("select oid, current_setting('synchronous_commit') from pg_database "
                "where datname = current_database()",
                {}));
  facts.synchronous_commit_off = rows.rows.at(0).at(1) == Value{"off"};
  if (search_path) facts.search_path = TRY(quoted_schemas(*search_path));
  begin_ = begin_statement(target_, facts);

  // Everybody may ask, unless an administrator took the right away: then the address has to do.
  const Result<Rows> system = query("select system_identifier from pg_control_system()", {});
  if (!system && system.error().kind == Kind::unavailable) return std::unexpected(system.error());
  identity_ = fmt::format(
      "{}/{}",
      system ? to_text(system->rows.at(0).at(0)) : fmt::format("{}:{}", PQhost(wire_.get()), PQport(wire_.get())),
      to_text(rows.rows.at(0).at(0)));
  return {};
}

}  // namespace

Result<std::unique_ptr<Connection>> connect_postgres(const DatabaseUrl& url, const Target& target) {
  auto connection = std::make_unique<PostgresConnection>(TRY(open_wire(url, target)), target);
  TRY(connection->introduce(url.search_path));
  return connection;
}

}  // namespace steward::sql
