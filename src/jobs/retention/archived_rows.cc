#include "jobs/retention/archived_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/digest.h"
#include "core/text.h"
#include "io/files/compression.h"
#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

struct HashSink final : Sink {
  Result<void> write(std::span<const std::byte> bytes) override {
    hash.update(bytes);
    return {};
  }
  Sha256 hash{};
};

/// Cuts what is written into lines.
class RowSink final : public Sink {
 public:
  explicit RowSink(const std::function<Result<bool>(const ArchivedRow&)>& take) : take_(take) {}
  Result<void> write(std::span<const std::byte> bytes) override {
    if (stopped_) return {};
    rest_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    std::size_t begin = 0;
    for (std::size_t end; !stopped_ && (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const ArchivedRow row = TRY(archived_row(std::string_view(rest_).substr(begin, end - begin)));
      stopped_ = !TRY(take_(row));
    }
    rest_.erase(0, begin);
    return {};
  }

 private:
  const std::function<Result<bool>(const ArchivedRow&)>& take_;
  std::string rest_{};
  bool stopped_ = false;
};

}  // namespace

Result<sql::Row> ArchivedRow::values_of(std::span<const std::string> names) const {
  sql::Row out;
  for (const std::string& name : names) {
    const auto at = std::ranges::find(columns, name);
    if (at == columns.end())
      return fail(Kind::corrupt, fmt::format("an archived row has no column \"{}\"", printable(name)));
    out.push_back(values[static_cast<std::size_t>(at - columns.begin())]);
  }
  return out;
}

Result<ArchivedRow> archived_row(std::string_view json) {
  const auto document = nlohmann::json::parse(json, nullptr, false);
  const bool with_others = document.is_array() && document.size() == 2;
  const nlohmann::json& object = with_others ? document[0] : document;
  if (!object.is_object()) return fail(Kind::corrupt, "an archived row is not a JSON object");
  ArchivedRow row;
  if (with_others) row.referring = TRY(manifest::referring_from_json(document[1]));
  for (const auto& [name, value] : object.items()) {
    row.columns.push_back(name);
    row.values.push_back(TRY(manifest::value_from_json(value)));
  }
  return row;
}

Result<std::string> key_text_of(const manifest::Referring& one) {
  const ArchivedRow row = TRY(archived_row(one.row));
  return manifest::key_text(TRY(row.values_of(one.key_columns)));
}

Result<void> each_archived_row(object::Store& store, const manifest::Item& item,
                               const std::function<Result<bool>(const ArchivedRow&)>& take) {
  if (item.rows == 0) {
    ArchivedRow row = TRY(archived_row(item.row));
    row.referring = item.referring;
    TRY(take(row));
    return {};
  }
  RowSink rows(take);
  files::UnzstdSink unzstd(rows);
  TRY(store.get(item.copy, unzstd));
  return unzstd.finish();
}

Result<void> verify_copy(object::Store& store, const manifest::Item& item) {
  HashSink sink;
  TRY(store.get(item.copy, sink));
  if (sink.hash.finish_hex() == item.sha256) return {};
  return fail(Kind::corrupt,
              fmt::format("{}/{} reads back differently from what was written", store.shown(), printable(item.copy)),
              "Nothing was removed for it. Look at the cold storage's disk; then run it again.");
}

}  // namespace steward::retention
