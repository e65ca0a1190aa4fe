#include "jobs/retention/conditions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/text.h"

namespace steward::retention {
namespace {
using nlohmann::json;

/// As SQL has it, which is also how a hold keeps it. Longer ones first: "<=" is not "<".
constexpr std::array<std::pair<Where::Is, std::string_view>, 11> symbols{{{Where::Is::not_null, "is not null"},
                                                                          {Where::Is::null, "is null"},
                                                                          {Where::Is::not_in, "not in"},
                                                                          {Where::Is::in, "in"},
                                                                          {Where::Is::like, "like"},
                                                                          {Where::Is::at_most, "<="},
                                                                          {Where::Is::at_least, ">="},
                                                                          {Where::Is::not_equal, "<>"},
                                                                          {Where::Is::less, "<"},
                                                                          {Where::Is::greater, ">"},
                                                                          {Where::Is::equal, "="}}};

std::string_view symbol_of(Where::Is is) {
  for (const auto& [known, symbol] : symbols)
    if (known == is) return symbol;
  return "?";
}

bool takes_several(Where::Is is) { return is == Where::Is::in || is == Where::Is::not_in; }
bool takes_none(Where::Is is) { return is == Where::Is::null || is == Where::Is::not_null; }
bool is_word(std::string_view symbol) { return std::islower(static_cast<unsigned char>(symbol.front())) != 0; }

/// What a condition's operand is to SQLite, whose columns may hold anything: unquoted, a number is a number and true is
/// 1; the column's affinity does the rest.
sql::Value sqlite_value(const Where::Operand& operand) {
  if (operand.quoted) return operand.text;
  if (operand.text == "true") return std::int64_t{1};
  if (operand.text == "false") return std::int64_t{0};
  std::int64_t integer = 0;
  const char* const end = operand.text.data() + operand.text.size();
  if (const auto [at, ec] = std::from_chars(operand.text.data(), end, integer); ec == std::errc{} && at == end)
    return integer;
  double number = 0;
  if (const auto [at, ec] = std::from_chars(operand.text.data(), end, number); ec == std::errc{} && at == end)
    return number;
  return operand.text;
}

/// Reads one condition from left to right.
class Reading {
 public:
  explicit Reading(std::string_view text) : whole_(text), rest_(trim(text)) {}

  Result<Where> where() {
    Where where{.column = TRY(column())};
    where.is = TRY(comparison());
    if (takes_none(where.is)) return rest_.empty() ? Result<Where>(std::move(where)) : wrong("nothing after it");
    if (takes_several(where.is) && rest_.starts_with('(') && rest_.ends_with(')'))
      rest_ = trim(rest_.substr(1, rest_.size() - 2));
    do {
      where.operands.push_back(TRY(operand(takes_several(where.is))));
    } while (takes_several(where.is) && skip(","));
    if (!rest_.empty()) return wrong(fmt::format("nothing after the value, and there is: {}", printable(rest_)));
    return where;
  }

 private:
  std::unexpected<Error> wrong(std::string_view expected) const {
    return fail(Kind::bad_input, fmt::format("--where \"{}\": expected {}", printable(whole_), expected),
                "Write it like \"status = free\", \"plan in free, trial\", \"score >= 0.5\" or \"note is null\".");
  }

  Result<std::string> column() {
    if (rest_.starts_with('"')) return quoted('"');
    const auto* const end =
        std::ranges::find_if_not(rest_, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    std::string name(rest_.begin(), end);
    if (name.empty()) return wrong("a column's name first");
    rest_ = trim(rest_.substr(name.size()));
    return name;
  }

  Result<Where::Is> comparison() {
    if (skip("!=")) return Where::Is::not_equal;
    for (const auto& [is, symbol] : symbols)
      if (skip(symbol)) return is;
    return wrong("one of = != < <= > >= in, not in, like, is null, is not null after the column");
  }

  /// Skips the words or the sign, in any case; a word ends where a letter does not follow it.
  bool skip(std::string_view symbol) {
    std::string_view left = rest_;
    for (const std::string& part : split(symbol, ' ')) {
      const bool same =
          left.size() >= part.size() &&
          std::ranges::equal(left.substr(0, part.size()), part, {}, [](unsigned char c) { return std::tolower(c); });
      if (!same) return false;
      left.remove_prefix(part.size());
      if (is_word(part) && !left.empty() && (std::isalnum(static_cast<unsigned char>(left.front())) != 0)) return false;
      left = trim(left);
    }
    rest_ = left;
    return true;
  }

  Result<Where::Operand> operand(bool one_of_several) {
    if (rest_.starts_with('\'')) {
      std::string text = TRY(quoted('\''));
      return Where::Operand{.text = std::move(text), .quoted = true};
    }
    const std::string_view text = trim(one_of_several ? rest_.substr(0, rest_.find(',')) : rest_);
    if (text.empty()) return wrong("a value; an empty one is ''");
    rest_ = trim(rest_.substr(text.size()));
    return Where::Operand{.text = std::string(text)};
  }

  Result<std::string> quoted(char quote) {
    std::string text;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] != quote) {
        text += rest_[i];
      } else if (i + 1 < rest_.size() && rest_[i + 1] == quote) {
        text += rest_[i++];
      } else {
        rest_ = trim(rest_.substr(i + 1));
        return text;
      }
    }
    return wrong(fmt::format("a closing {}", quote));
  }

  std::string_view whole_, rest_;
};

}  // namespace

Result<Where> parse_where(std::string_view text) {
  if (!is_utf8(text))
    return fail(Kind::bad_input, fmt::format("--where \"{}\" is not UTF-8", printable(text)),
                "Write it in UTF-8, as databases keep text.");
  return Reading(text).where();
}

std::string text_of(const Where& where) {
  std::vector<std::string> operands;
  for (const Where::Operand& operand : where.operands) operands.push_back(operand.text);
  std::string text = fmt::format("{} {}", where.column, symbol_of(where.is));
  if (takes_several(where.is)) return fmt::format("{} ({})", text, fmt::join(operands, ", "));
  return operands.empty() ? text : fmt::format("{} {}", text, operands.front());
}

std::string conditions_to_json(std::span<const Where> conditions) {
  json all = json::array();
  for (const Where& where : conditions) {
    json operands = json::array();
    for (const Where::Operand& operand : where.operands)
      operands.push_back({{"text", operand.text}, {"quoted", operand.quoted}});
    all.push_back({{"column", where.column}, {"is", symbol_of(where.is)}, {"operands", std::move(operands)}});
  }
  return all.dump();
}

Result<std::vector<Where>> conditions_from_json(std::string_view text) {
  const auto unknown = [&] { return fail(Kind::corrupt, fmt::format("no conditions that are known: {}", text)); };
  try {
    std::vector<Where> conditions;
    for (const json& one : json::parse(text)) {
      Where where{.column = one.at("column")};
      const auto known =
          std::ranges::find(symbols, one.at("is").get<std::string>(), [](const auto& s) { return s.second; });
      if (known == symbols.end()) return unknown();
      where.is = known->first;
      for (const json& operand : one.at("operands"))
        where.operands.push_back({.text = operand.at("text"), .quoted = operand.at("quoted")});
      const bool fits = takes_none(where.is)      ? where.operands.empty()
                        : takes_several(where.is) ? !where.operands.empty()
                                                  : where.operands.size() == 1;
      if (!fits) return unknown();
      conditions.push_back(std::move(where));
    }
    // No condition at all would hold the whole table, which nobody has written.
    if (conditions.empty()) return unknown();
    return conditions;
  } catch (const json::exception&) {
    return unknown();
  }
}

Result<const sql::Column*> column_of(const sql::TableInfo& info, std::string_view shown, std::string_view name) {
  const auto found = std::ranges::find_if(info.columns, [&](const sql::Column& c) { return c.name == name; });
  if (found != info.columns.end()) return &*found;
  std::vector<std::string> names;
  for (const sql::Column& column : info.columns) names.push_back(column.name);
  std::string hint = did_you_mean(name, names);
  if (hint.empty()) hint = fmt::format("Its columns are {}.", join_and(names));
  return fail(Kind::not_found, fmt::format("{} has no column \"{}\"", shown, printable(name)), std::move(hint));
}

Result<sql::Fragment> condition_sql(const sql::Connection& db, const sql::TableInfo& info, std::string_view shown,
                                    const Where& where) {
  TRY(column_of(info, shown, where.column));
  sql::Fragment out = "t." + TRY(db.quote_identifier(where.column)) + ' ' + std::string(symbol_of(where.is));
  if (where.operands.empty()) return out;
  out += takes_several(where.is) ? " (" : " ";
  for (std::size_t i = 0; i < where.operands.size(); ++i) {
    if (i > 0) out += ", ";
    const Where::Operand& operand = where.operands[i];
    out += sql::Fragment::of(db.dialect() == sql::Dialect::sqlite ? sqlite_value(operand) : operand.text);
  }
  if (takes_several(where.is)) out += ")";
  return out;
}

}  // namespace steward::retention
