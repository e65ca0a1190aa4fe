// The text of a cron expression. Each refusal says which field, what is wrong there, and what to write.

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <vector>

#include "core/cron.h"
#include "core/text.h"

namespace steward {
namespace {

struct FieldRow {
  std::string_view name, place;
  unsigned low, high;
  std::array<std::string_view, 12> names{};  ///< Of the values from `low`; empty where there are none.
};
constexpr std::array fields{
    FieldRow{"minute", "first", 0, 59, {}},
    FieldRow{"hour", "second", 0, 23, {}},
    FieldRow{"day of month", "third", 1, 31, {}},
    FieldRow{
        "month", "fourth", 1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
    FieldRow{"day of week", "fifth", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
};
enum Place : std::uint8_t { minute, hour, day_of_month, month, day_of_week };

struct Macro {
  std::string_view name, fields;
};
constexpr std::array macros{
    Macro{"@hourly", "0 * * * *"},   Macro{"@daily", "0 0 * * *"},   Macro{"@midnight", "0 0 * * *"},
    Macro{"@weekly", "0 0 * * 0"},   Macro{"@monthly", "0 0 1 * *"}, Macro{"@yearly", "0 0 1 1 *"},
    Macro{"@annually", "0 0 1 1 *"},
};

/// What is wrong, without the expression that it is in.
struct Fault {
  std::string why{}, hint{};
};
template <class T>
using Parsed = std::expected<T, Fault>;

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); });
  return result;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// The number; more than any field takes where it has too many digits.
unsigned number_of(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} ? value : 999'999'999;
}

std::vector<std::string> names_of(const FieldRow& field) {
  std::vector<std::string> names;
  for (const std::string_view name : field.names)
    if (!name.empty()) names.emplace_back(name);
  return names;
}

/// "0 to 59", "1 to 12, or jan to dec".
std::string range_of(const FieldRow& field) {
  const auto names = names_of(field);
  std::string text = fmt::format("{} to {}", field.low, field.high);
  if (!names.empty()) text += fmt::format(", or {} to {}", names.front(), names.back());
  return text;
}

/// What to say of a word that is no value of `field`.
std::string hint_of(std::string_view word, const FieldRow& field) {
  const std::string lowered = lower(word);
  for (const FieldRow& other : fields) {
    const auto names = names_of(other);
    const auto begins = [&](const std::string& name) { return lowered.starts_with(name); };
    const auto name = std::ranges::find_if(names, begins);
    if (name == names.end()) continue;
    if (&other == &field) return fmt::format("Write {}.", *name);
    return fmt::format("{} goes into the {} field, {}.", *name, other.place, other.name);
  }
  if (lowered == "?") return "Write *.";
  if (lowered == "l" || lowered == "lw")
    return "There is no last day of the month here: `0 0 1 * *` is the midnight that ends it.";
  if (lowered.find_first_of("#lwh?") != std::string::npos && !is_number(word))
    return "L, W, #, ? and H are other programs' additions: write numbers, ranges, lists and steps.";
  const std::vector<std::string> names = names_of(field);
  if (const auto near = nearest(lowered, names)) return fmt::format("Did you mean \"{}\"?", *near);
  return fmt::format("Write {}.", range_of(field));
}

Parsed<unsigned> value_of(std::string_view word, const FieldRow& field) {
  if (word.empty()) return std::unexpected(Fault{"has an empty entry", fmt::format("Write {}.", range_of(field))});
  if (is_number(word)) {
    const unsigned value = number_of(word);
    if (value < field.low || value > field.high)
      return std::unexpected(
          Fault{fmt::format("is {}: expected {} to {}", printable(word), field.low, field.high), ""});
    return value;
  }
  const std::string lowered = lower(word);
  for (std::size_t i = 0; i < field.names.size(); ++i)
    if (!field.names[i].empty() && field.names[i] == lowered) return field.low + static_cast<unsigned>(i);
  return std::unexpected(
      Fault{fmt::format("is \"{}\": expected {}", printable(word), range_of(field)), hint_of(word, field)});
}

/// "/n" of an entry; 1 where there is none.
Parsed<unsigned> step_of(std::string_view entry, std::size_t slash) {
  if (slash == std::string_view::npos) return 1U;
  const std::string_view text = entry.substr(slash + 1);
  if (!is_number(text) || number_of(text) == 0)
    return std::unexpected(
        Fault{fmt::format("has the step \"{}\": expected a number above zero", printable(text)), ""});
  return number_of(text);
}

/// One entry of a list: `*`, `a`, `a-b`, and a step.
Parsed<std::uint64_t> entry_of(std::string_view entry, const FieldRow& field) {
  const std::size_t slash = entry.find('/');
  const std::string_view span = entry.substr(0, slash);
  auto step = step_of(entry, slash);
  if (!step) return std::unexpected(std::move(step).error());

  unsigned from = field.low, to = field.high;
  if (span != "*") {
    const std::size_t dash = span.find('-');
    const auto first = value_of(span.substr(0, dash), field);
    if (!first) return std::unexpected(first.error());
    const auto last = dash == std::string_view::npos ? first : value_of(span.substr(dash + 1), field);
    if (!last) return std::unexpected(last.error());
    if (dash == std::string_view::npos && slash != std::string_view::npos)
      return std::unexpected(Fault{fmt::format("is \"{}\": a step needs a range", printable(entry)),
                                   fmt::format("Some programs read {0} as {1}-{2}/{3}, some as {1} alone: write which.",
                                               printable(entry), *first, field.high == 7 ? 6 : field.high, *step)});
    if (*first > *last)
      return std::unexpected(Fault{fmt::format("is \"{}\": it ends before it begins", printable(entry)),
                                   field.high == 7 && *last == 0
                                       ? fmt::format("Sunday at the end is 7: {}-7.", printable(span.substr(0, dash)))
                                       : fmt::format("Write two: {}-{},{}-{}.", *first, field.high, field.low, *last)});
    from = *first;
    to = *last;
  }
  std::uint64_t bits = 0;
  for (unsigned value = from; value <= to; value += *step) {
    bits |= std::uint64_t{1} << value;
    if (*step > to) break;  // and no overflow
  }
  return bits;
}

Parsed<std::uint64_t> bits_of(std::string_view text, const FieldRow& field) {
  std::uint64_t bits = 0;
  for (const std::string& entry : split(text, ',')) {
    const auto of_entry = entry_of(entry, field);
    if (!of_entry) return std::unexpected(of_entry.error());
    bits |= *of_entry;
  }
  return bits;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    if (c != ' ' && c != '\t') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::unexpected<Error> wrong(std::string_view text, std::string_view why, std::string hint) {
  return fail(Kind::bad_input, fmt::format("cron \"{}\": {}", printable(text), why), std::move(hint));
}

/// The fields that a macro stands for.
Result<std::string_view> fields_of_macro(std::string_view text) {
  const std::string lowered = lower(text);
  const auto macro = std::ranges::find(macros, lowered, &Macro::name);
  if (macro != macros.end()) return macro->fields;
  if (lowered == "@reboot")
    return wrong(text, "@reboot is no time: a start of the machine is not a schedule",
                 "Run the job from the unit or script that starts the machine: steward run JOB.");
  if (lowered.starts_with("@every"))
    return wrong(text, "@every is not one of cron's names", "Write it as a key of its own: {every: 6h}.");
  std::vector<std::string> names;
  for (const Macro& one : macros) names.emplace_back(one.name);
  const auto near = nearest(lowered, names);
  return wrong(text, fmt::format("there is no such name; expected {}", join_or(names)),
               near ? fmt::format("Did you mean \"{}\"?", *near) : "");
}

/// The days that the longest of `months` has.
unsigned longest(std::uint64_t months) {
  constexpr std::array<unsigned, 13> days{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  unsigned result = 0;
  for (unsigned i = 1; i <= 12; ++i)
    if ((months >> i & 1) != 0) result = std::max(result, days[i]);
  return result;
}

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
  std::vector<std::string> words = words_of(text);
  if (words.empty()) return wrong(text, "it is empty", "For example: 0 3 * * * is every day at 03:00.");
  Cron cron;
  cron.text_ = fmt::format("{}", fmt::join(words, " "));
  if (words[0].front() == '@') {
    if (words.size() > 1)
      return wrong(text, "a name stands for all five fields", fmt::format("Write {} alone.", printable(words[0])));
    words = words_of(TRY(fields_of_macro(words[0])));
  }
  if (words.size() != fields.size())
    return wrong(text,
                 fmt::format("it has {} field{}; expected five: minute, hour, day of month, month, day of week",
                             words.size(), words.size() == 1 ? "" : "s"),
                 words.size() == 6 ? "There are no seconds and no years here."
                                   : "For example: 0 3 * * * is every day at 03:00.");

  std::array<std::uint64_t, 5> bits{};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto of_field = bits_of(words[i], fields[i]);
    if (!of_field)
      return wrong(text, fmt::format("{} (the {} field) {}", fields[i].name, fields[i].place, of_field.error().why),
                   of_field.error().hint);
    bits[i] = *of_field;
  }
  cron.minutes_ = bits[minute];
  cron.hours_ = bits[hour];
  cron.days_ = bits[day_of_month];
  cron.months_ = bits[month];
  cron.weekdays_ = (bits[day_of_week] | bits[day_of_week] >> 7) & 0x7f;
  cron.wildcard_ = words[minute].front() == '*' || words[hour].front() == '*';
  cron.either_day_ = words[day_of_month].front() != '*' && words[day_of_week].front() != '*';

  if (const unsigned last = longest(cron.months_);
      !cron.either_day_ && (cron.days_ & ((std::uint64_t{2} << last) - 1)) == 0)
    return wrong(text,
                 fmt::format("it can never fire: day of month (the third field) is {}, and {} at most {} days",
                             words[day_of_month],
                             std::has_single_bit(cron.months_) ? "that month has" : "those months have", last),
                 fmt::format("{} in the third field is the last day that there can be.", last));
  return cron;
}

}  // namespace steward
