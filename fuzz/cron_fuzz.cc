// A cron expression, and its firings: the zone, the rule and the moment are in the first bytes.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/cron.h"
#include "property.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace steward;
  using namespace steward::fuzz;
  using namespace std::chrono;
  if (size < 8) return 0;
  static const std::array zones{Zone{}, Zone::load("Europe/Berlin").value(), Zone::load("Australia/Lord_Howe").value(),
                                Zone::load("Antarctica/Troll").value(), Zone::load("America/Santiago").value()};
  std::uint32_t moment = 0;
  std::memcpy(&moment, data, sizeof moment);
  const Instant start{seconds{moment} + microseconds{data[4]}};  // 1970 to 2106
  const Zone& zone = zones.at(data[5] % zones.size());
  const DstRule rule{.gap = DstGap{data[6] % 2}, .overlap = DstOverlap{data[7] % 3}};

  const auto cron = Cron::parse(text_of(data + 8, size - 8));
  if (!cron) {
    require(cron.error().kind == Kind::bad_input, "a wrong expression is bad input");
    require(cron.error().message.starts_with("cron \""), "the message names the expression");
    require(cron.error().message.find('\n') == std::string::npos, "the message is one line");
    return 0;
  }
  const auto again = Cron::parse(cron->text());
  require(again && *again == *cron, "an expression reads back from its text");

  Instant after = start;
  for (int i = 0; i < 20; ++i) {
    const auto firing = next_firing(*cron, zone, rule, after);
    require(firing.has_value(), "what was accepted fires");
    require(firing->at > after, "firings are strictly after");
    require(firing->dst == Firing::Dst::after_gap || cron->matches(zone.local(firing->at).time),
            "a firing is a time that matches");
    // From the moment just before it, it is the next.
    require(next_firing(*cron, zone, rule, firing->at - microseconds{1}) == firing, "a firing is found from close by");
    require(next_firing(*cron, zone, rule, after + (firing->at - after) / 2) == firing, "and from half way");
    after = firing->at;
  }
  return 0;
}
