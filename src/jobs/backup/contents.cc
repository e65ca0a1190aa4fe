#include "jobs/backup/contents.h"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/text.h"

namespace steward::backup {
namespace {
using nlohmann::json;

std::string name_of(const std::string& schema, const std::string& name) {
  return printable(schema.empty() ? name : schema + '.' + name);
}

json to_json(const Tally& tally) {
  return {{"items", tally.items}, {"bytes", tally.bytes.count}, {"hash", hash_text(tally)}};
}

Tally tally_from(const json& document) {
  Tally tally{.items = document.at("items").get<std::uint64_t>(),
              .bytes = Bytes{document.at("bytes").get<std::uint64_t>()}};
  const std::string hash = document.at("hash").get<std::string>();
  if (hash.size() != 32) throw std::invalid_argument("a hash of another length");
  std::from_chars(hash.data(), hash.data() + 16, tally.high, 16);
  std::from_chars(hash.data() + 16, hash.data() + 32, tally.low, 16);
  return tally;
}

/// Bytes of any encoding: what is not UTF-8 comes back as it was (RFC 8259 knows no such text).
json text(const std::string& bytes) {
  if (is_utf8(bytes)) return bytes;
  return {{"base64", base64(bytes)}};
}

std::string text_from(const json& document) {
  if (document.is_string()) return document.get<std::string>();
  const auto bytes = from_base64(document.at("base64").get<std::string>());
  if (!bytes) throw std::invalid_argument("a name that is not base64");
  return *bytes;
}

/// Of a table. A dump in one object has no parts.
json to_json(const TableContents& table) {
  json line{{"table", text(table.name)},
            {"schema", text(table.schema)},
            {"rows", to_json(table.rows)},
            {"offset", table.at.offset}};
  if (table.at.part > 0) line["part"] = table.at.part;
  if (!table.root.empty()) line["root"] = text(table.root);
  return line;
}

json large_objects_of(const Contents& contents) {
  std::vector<std::uint64_t> offsets;
  std::vector<std::uint32_t> parts;
  for (const BlockPlace& at : contents.large_object_blocks) {
    offsets.push_back(at.offset);
    parts.push_back(at.part);
  }
  json line{{"large_objects", to_json(contents.large_objects)}, {"offsets", offsets}};
  if (std::ranges::any_of(parts, [](std::uint32_t part) { return part > 0; })) line["parts"] = parts;
  return line;
}

void read_line(const json& line, Contents& contents) {
  if (const auto table = line.find("table"); table != line.end()) {
    contents.tables.push_back(
        {.schema = text_from(line.at("schema")),
         .name = text_from(*table),
         .rows = tally_from(line.at("rows")),
         .at = {.part = line.value("part", std::uint32_t{0}), .offset = line.at("offset").get<std::uint64_t>()},
         .root = line.contains("root") ? text_from(line.at("root")) : std::string{}});
  } else if (const auto kind = line.find("definition"); kind != line.end()) {
    contents.definitions.push_back({.kind = text_from(*kind),
                                    .schema = text_from(line.at("schema")),
                                    .name = text_from(line.at("name")),
                                    .value = text_from(line.at("value"))});
  } else if (const auto frame = line.find("frame"); frame != line.end()) {
    contents.frames.emplace_back(frame->at(0).get<std::uint64_t>(), frame->at(1).get<std::uint64_t>());
  } else if (const auto objects = line.find("large_objects"); objects != line.end()) {
    contents.large_objects = tally_from(*objects);
    for (const json& offset : line.at("offsets"))
      contents.large_object_blocks.push_back({.offset = offset.get<std::uint64_t>()});
    const auto parts = line.value("parts", std::vector<std::uint32_t>(contents.large_object_blocks.size()));
    for (std::size_t i = 0; i < contents.large_object_blocks.size(); ++i)
      contents.large_object_blocks[i].part = parts.at(i);
  }
}

using Roots = std::map<std::pair<std::string, std::string>, std::string>;

void add_roots(const std::vector<TableContents>& tables, Roots& roots) {
  for (const TableContents& table : tables)
    if (!table.root.empty()) roots.emplace(std::pair(table.schema, table.name), table.root);
}

/// With one table instead of all that have the same root.
std::vector<TableContents> by_root(const std::vector<TableContents>& tables, const Roots& roots) {
  std::vector<TableContents> out;
  std::map<std::string, Tally> sums;
  for (const TableContents& table : tables) {
    const auto root = roots.find({table.schema, table.name});
    if (root == roots.end())
      out.push_back(table);
    else
      sums[root->second].add(table.rows);
  }
  for (const auto& [root, rows] : sums) out.push_back({.schema = {}, .name = root, .rows = rows});
  return out;
}

/// "INDEX" as people write it within a line.
std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

/// Gathers lines up to a bound.
class Findings {
 public:
  explicit Findings(std::size_t most) : most_(most) {}
  void add(std::string line) {
    if (lines_.size() < most_)
      lines_.push_back(std::move(line));
    else
      ++more_;
  }
  std::vector<std::string> take() {
    if (more_ > 0) lines_.push_back(fmt::format("and {} more", format_count(more_)));
    return std::move(lines_);
  }

 private:
  std::size_t most_;
  std::vector<std::string> lines_{};
  std::uint64_t more_ = 0;
};

}  // namespace

void Tally::add(std::span<const std::byte> item) {
  const XXH128_hash_t hash = XXH3_128bits(item.data(), item.size());
  low += hash.low64;
  high += hash.high64 + (low < hash.low64 ? 1 : 0);
  ++items;
  bytes += Bytes{item.size()};
}

void Tally::add(const Tally& more) {
  low += more.low;
  high += more.high + (low < more.low ? 1 : 0);
  items += more.items;
  bytes += more.bytes;
}

std::string hash_text(const Tally& tally) { return fmt::format("{:016x}{:016x}", tally.high, tally.low); }

void RowTally::line(std::span<const std::byte> row) {
  // No row is this line: COPY writes a backslash of the data as two.
  if (row.size() == 2 && std::memcmp(row.data(), "\\.", 2) == 0)
    ended_ = true;
  else
    tally_.add(row);
}

void RowTally::add(std::span<const std::byte> piece) {
  while (!piece.empty() && !ended_) {
    const void* found = std::memchr(piece.data(), '\n', piece.size());
    if (found == nullptr) {
      begun_.insert(begun_.end(), piece.begin(), piece.end());
      return;
    }
    const auto length = static_cast<std::size_t>(static_cast<const std::byte*>(found) - piece.data());
    if (begun_.empty()) {
      line(piece.first(length));
    } else {
      begun_.insert(begun_.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(length));
      line(begun_);
      begun_.clear();
    }
    piece = piece.subspan(length + 1);
  }
}

void LargeObjectTally::begin(std::uint32_t oid) {
  (void)finish();
  item_ = fmt::format("{}:", oid);
}

void LargeObjectTally::add(std::span<const std::byte> piece) {
  hash_.update(piece);
  size_ += Bytes{piece.size()};
}

const Tally& LargeObjectTally::finish() {
  if (item_.empty()) return tally_;
  item_ += hash_.finish_hex();
  tally_.add(std::as_bytes(std::span(item_)));
  tally_.bytes += size_;
  item_.clear();
  hash_ = Sha256();
  size_ = {};
  return tally_;
}

std::uint64_t Contents::rows() const {
  std::uint64_t sum = 0;
  for (const TableContents& table : tables) sum += table.rows.items;
  return sum;
}

Result<void> write(const Contents& contents, Sink& sink) {
  std::string lines;
  const auto put = [&](const json& line) -> Result<void> {
    lines += line.dump() + '\n';
    if (lines.size() < 65'536) return {};
    TRY(sink.write(std::as_bytes(std::span(lines))));
    lines.clear();
    return {};
  };
  TRY(put({{"format", 1}, {"kind", "steward-backup-contents"}}));
  for (const TableContents& table : contents.tables) TRY(put(to_json(table)));
  TRY(put(large_objects_of(contents)));
  for (const Definition& one : contents.definitions)
    TRY(put({{"definition", text(one.kind)},
             {"schema", text(one.schema)},
             {"name", text(one.name)},
             {"value", text(one.value)}}));
  for (const auto& [raw, packed] : contents.frames) TRY(put({{"frame", {raw, packed}}}));
  return sink.write(std::as_bytes(std::span(lines)));
}

Result<Contents> read_contents(std::string_view text) {
  Contents contents;
  try {
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      if (!line.empty()) read_line(json::parse(line), contents);
    }
  } catch (const std::exception& error) {
    return fail(Kind::corrupt, fmt::format("the list of a backup's contents cannot be read: {}", error.what()));
  }
  return contents;
}

std::vector<std::string> differences(const Contents& backup, const Contents& restored, std::size_t most) {
  Findings findings(most);
  Roots roots;
  add_roots(backup.tables, roots);
  add_roots(restored.tables, roots);
  const std::vector<TableContents> wanted_tables = by_root(backup.tables, roots),
                                   restored_tables = by_root(restored.tables, roots);
  std::map<std::pair<std::string, std::string>, const TableContents*> there;
  for (const TableContents& table : restored_tables) there.emplace(std::pair(table.schema, table.name), &table);
  for (const TableContents& table : wanted_tables) {
    const auto found = there.find({table.schema, table.name});
    if (found == there.end()) {
      findings.add(fmt::format("table {} is missing", name_of(table.schema, table.name)));
      continue;
    }
    const Tally& now = found->second->rows;
    if (now.items != table.rows.items)
      findings.add(fmt::format("table {} has {} rows, not {}", name_of(table.schema, table.name),
                               format_count(now.items), format_count(table.rows.items)));
    else if (!(now == table.rows))
      findings.add(fmt::format("table {} has other content in its {} rows", name_of(table.schema, table.name),
                               format_count(now.items)));
    there.erase(found);
  }
  for (const auto& [name, table] : there)
    findings.add(fmt::format("table {} is there and not in the backup", name_of(table->schema, table->name)));
  if (!(backup.large_objects == restored.large_objects))
    findings.add(fmt::format("large objects: {}, not the {} of the backup", format_count(restored.large_objects.items),
                             format_count(backup.large_objects.items)));
  std::vector<Definition> wanted = backup.definitions, has = restored.definitions, missing, more;
  std::ranges::sort(wanted);
  std::ranges::sort(has);
  std::ranges::set_difference(wanted, has, std::back_inserter(missing));
  std::ranges::set_difference(has, wanted, std::back_inserter(more));
  for (const Definition& one : missing)
    findings.add(fmt::format("{} {} is {}", lower_case(one.kind), name_of(one.schema, one.name),
                             one.value.empty() ? "missing" : "another"));
  for (const Definition& one : more)
    if (one.value.empty())
      findings.add(
          fmt::format("{} {} is there and not in the backup", lower_case(one.kind), name_of(one.schema, one.name)));
  return findings.take();
}

}  // namespace steward::backup
