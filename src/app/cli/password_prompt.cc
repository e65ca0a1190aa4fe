#include "app/cli/password_prompt.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <optional>

#include "core/password.h"

namespace steward::app {
namespace {

/// While it lives, what is typed is not shown.
class NoEcho {
 public:
  NoEcho() {
    tcgetattr(STDIN_FILENO, &before_);
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~NoEcho() {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    fmt::print(stderr, "\n");
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_{};
};

/// None at the end of the input. What is longer than any password is cut one byte behind that.
std::optional<std::string> line() {
  std::string out;
  char c = 0;
  ssize_t n = 0;
  bool any = false;
  while ((n = ::read(STDIN_FILENO, &c, 1)) == 1 && c != '\n') {
    any = true;
    if (out.size() <= longest_password) out += c;
  }
  if (n != 1 && !any) return std::nullopt;
  if (out.ends_with('\r')) out.pop_back();
  return out;
}

Result<Secret> typed(const std::string& prompt) {
  fmt::print(stderr, "{}: ", prompt);
  std::fflush(stderr);
  const NoEcho silent;
  const auto text = line();
  if (!text) return fail(Kind::bad_input, "no password was given", "Type it, and press Enter.");
  return Secret(*text);
}

}  // namespace

Result<Secret> ask_for_password(const std::string& prompt) {
  if (::isatty(STDIN_FILENO) != 1) {
    const auto text = line();
    if (!text || text->empty())
      return fail(Kind::bad_input, "no password was given", "Give it as the first line of standard input.");
    return Secret(*text);
  }
  Secret first = TRY(typed(prompt));
  if (!(TRY(typed("Once more")) == first))
    return fail(Kind::bad_input, "the two passwords differ", "Nothing was changed. Try it again.");
  return first;
}

}  // namespace steward::app
