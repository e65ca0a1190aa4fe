#include "app/server/peers.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/text.h"

namespace steward::server {
namespace {

using Address = std::array<std::uint8_t, 16>;

/// IPv4 as ::ffff:a.b.c.d.
std::optional<Address> parse_address(std::string_view text) {
  const std::string word(text.substr(0, text.find('%')));
  Address bytes{};
  if (inet_pton(AF_INET6, word.c_str(), bytes.data()) == 1) return bytes;
  bytes.at(10) = bytes.at(11) = 0xFF;
  if (inet_pton(AF_INET, word.c_str(), bytes.data() + 12) == 1) return bytes;
  return std::nullopt;
}

/// As people write it.
std::string text_of(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool mapped = std::ranges::all_of(std::span(address).first(10), [](auto byte) { return byte == 0; }) &&
                      address[10] == 0xFF && address[11] == 0xFF;
  inet_ntop(mapped ? AF_INET : AF_INET6, address.data() + (mapped ? 12 : 0), text.data(), text.size());
  return text.data();
}

/// "1.2.3.4", "1.2.3.4:80", "::1", "[::1]:80".
std::optional<Address> address_in_list(std::string_view text) {
  text = trim(text);
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    return end == std::string_view::npos ? std::nullopt : parse_address(text.substr(1, end - 1));
  }
  if (std::ranges::count(text, ':') == 1) text = text.substr(0, text.find(':'));
  return parse_address(text);
}

std::optional<unsigned> number(std::string_view text, unsigned most) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

std::string_view without_port(std::string_view host) {
  const std::size_t bracket = host.find(']');
  if (bracket != std::string_view::npos) return host.substr(0, bracket + 1);
  return host.substr(0, host.find(':'));
}

}  // namespace

Result<ListenAddress> parse_listen(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const auto wrong = [&] {
    return fail(Kind::bad_input, fmt::format("\"{}\" is no address to listen on", text),
                "Write HOST:PORT, for example 127.0.0.1:8420 or [::1]:8420.");
  };
  if (colon == std::string_view::npos || colon == 0) return wrong();
  const auto port = number(text.substr(colon + 1), 65535);
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (!host.contains(':') || !parse_address(host)) return wrong();
  } else if (host.find_first_of(":[]/@ ") != std::string_view::npos) {
    return wrong();
  }
  if (!port || host.empty()) return wrong();
  return ListenAddress{std::string(host), static_cast<std::uint16_t>(*port)};
}

Result<Networks> Networks::parse(std::span<const std::string> texts) {
  Networks networks;
  for (const std::string& text : texts) {
    const std::size_t slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    const bool v4 = !text.contains(':');
    std::optional<unsigned> bits = v4 ? 32U : 128U;
    if (slash != std::string::npos) bits = number(std::string_view(text).substr(slash + 1), *bits);
    if (!address || !bits)
      return fail(Kind::bad_input, fmt::format("\"{}\" is no address and no network", text),
                  "Write for example 10.0.0.0/8 or ::1.");
    networks.networks_.push_back({*address, *bits + (v4 ? 96U : 0U)});
  }
  return networks;
}

bool Networks::contains(std::string_view address) const {
  const auto bytes = parse_address(address);
  if (!bytes) return false;
  return std::ranges::any_of(networks_, [&](const Network& network) {
    for (unsigned bit = 0; bit < network.bits; ++bit) {
      const unsigned mask = 0x80U >> (bit % 8);
      if (((*bytes).at(bit / 8) & mask) != (network.bytes.at(bit / 8) & mask)) return false;
    }
    return true;
  });
}

void take_peer(Request& request, std::string_view connected_from, const Networks& trusted) {
  const auto own = parse_address(connected_from);
  request.peer = own ? text_of(*own) : std::string(connected_from);
  request.https = false;
  if (!trusted.contains(request.peer)) return;
  std::vector<std::string> said;
  for (const auto& [name, value] : request.headers)
    if (name == "x-forwarded-for")
      for (std::string& part : split(value, ',')) said.push_back(std::move(part));
  while (!said.empty() && trusted.contains(request.peer)) {
    const auto address = address_in_list(said.back());
    if (!address) break;
    request.peer = text_of(*address);
    said.pop_back();
  }
  // The nearest proxy's word is the last.
  for (const auto& [name, value] : request.headers)
    if (name == "x-forwarded-proto") request.https = lower(trim(split(value, ',').back())) == "https";
}

HostNames::HostNames(std::string_view listen, std::span<const std::string> more)
    : names_{"localhost", "127.0.0.1", "[::1]"}, every_address_(listen == "0.0.0.0" || listen == "::") {
  names_.insert(listen.contains(':') ? fmt::format("[{}]", lower(listen)) : lower(listen));
  for (const std::string& name : more) {
    if (name == "*") every_name_ = true;
    names_.insert(lower(name));
  }
}

bool HostNames::answer_to(std::string_view host) const {
  if (every_name_ || host.empty()) return true;
  std::string name = lower(without_port(host));
  if (name.ends_with('.')) name.pop_back();
  if (names_.contains(name)) return true;
  const bool bracketed = name.starts_with('[');
  return every_address_ && parse_address(bracketed ? name.substr(1, name.size() - 2) : name).has_value();
}

}  // namespace steward::server
