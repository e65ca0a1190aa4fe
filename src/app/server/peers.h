/// Whom a request comes from, and for whom it is: trusted proxies, and the names that this server answers to.
#pragma once
#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/server/http.h"
#include "core/result.h"

namespace steward::server {

/// "127.0.0.1:8420", "[::1]:0", "localhost:80". bad_input for anything else.
struct ListenAddress {
  std::string host{};
  std::uint16_t port = 0;
};
Result<ListenAddress> parse_listen(std::string_view text);

/// Addresses and networks, "10.0.0.0/8", "::1". An IPv4 address that is mapped into IPv6 is the IPv4 address.
class Networks {
 public:
  static Result<Networks> parse(std::span<const std::string> texts);
  bool contains(std::string_view address) const;

 private:
  struct Network {
    std::array<std::uint8_t, 16> bytes{};
    unsigned bits = 128;
  };
  std::vector<Network> networks_;
};

/// Fills `peer` and `https`. Only what trusted proxies say is taken: X-Forwarded-For is read from its end as long as
/// the next is trusted, and so nobody can name an address of their choice.
void take_peer(Request& request, std::string_view connected_from, const Networks& trusted);

/// The names that the server answers to, so that no other site's name can be made to point here (DNS rebinding) and
/// have a browser speak for it.
class HostNames {
 public:
  /// Always: localhost, 127.0.0.1, [::1] and `listen`, which where it is any address stands for each literal address.
  /// `more`: host names without ports; "*" is every name.
  HostNames(std::string_view listen, std::span<const std::string> more);
  /// `host` is as the header has it; empty, as HTTP/1.0 may, is no browser's.
  bool answer_to(std::string_view host) const;

 private:
  std::set<std::string, std::less<>> names_;
  bool every_name_ = false;
  bool every_address_ = false;
};

}  // namespace steward::server
