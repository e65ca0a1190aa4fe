#include "io/object/s3_xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <pugixml.hpp>
#include <tuple>
#include <unordered_map>

#include "core/text.h"
#include "core/url.h"

namespace steward::object {
namespace {

// White space alone may be a key. Line ends are left as they are.
constexpr unsigned parse_flags =
    pugi::parse_minimal | pugi::parse_escapes | pugi::parse_cdata | pugi::parse_ws_pcdata_single;

std::unexpected<Error> no_answer_of_s3(std::string_view what) {
  return fail(Kind::corrupt, fmt::format("the server's answer is not {}", what),
              "Is this really an S3 endpoint, without a proxy that answers for it?");
}

/// All of the element's text: a server may split it with CDATA.
std::string text_of(pugi::xml_node node, const char* name) {
  std::string text;
  for (const pugi::xml_node piece : node.child(name).children()) text += piece.value();
  return text;
}

/// AWS and versitygw write a space as '+', RGW as %20; all write '+' as %2B.
Result<std::string> url_decoded(std::string text) {
  std::ranges::replace(text, '+', ' ');
  auto decoded = percent_decode(text);
  if (!decoded) return no_answer_of_s3("a listing whose keys are encoded as it says");
  return decoded;
}

/// Reads the text of a listing's elements, decoded if the listing says that it is encoded.
struct KeyReader {
  bool encoded;
  explicit KeyReader(pugi::xml_node listing) : encoded(text_of(listing, "EncodingType") == "url") {}
  Result<std::string> operator()(pugi::xml_node node, const char* name) const {
    std::string text = text_of(node, name);
    if (encoded) return url_decoded(std::move(text));
    return text;
  }
};

/// The root element if it has this name. Servers differ in the namespace and agree in the name.
Result<pugi::xml_node> root(pugi::xml_document& document, std::string_view xml, std::string_view name) {
  const bool parsed = document.load_buffer(xml.data(), xml.size(), parse_flags, pugi::encoding_utf8);
  const pugi::xml_node element = document.first_child();
  if (!parsed || element.name() != name) return no_answer_of_s3(name);
  return element;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<ObjectInfo> read_object(pugi::xml_node node, const KeyReader& key) {
  ObjectInfo info;
  info.key = TRY(key(node, "Key"));
  info.etag = text_of(node, "ETag");
  const auto size = number(node.child_value("Size"));
  const auto modified = parse_instant(node.child_value("LastModified"));
  if (info.key.empty() || !size || !modified)
    return no_answer_of_s3("a listing with key, size and time of each object");
  info.size = Bytes{*size};
  info.modified = *modified;
  return info;
}

Result<ObjectVersion> read_version(pugi::xml_node node, const KeyReader& key, bool marker) {
  ObjectVersion version{.latest = text_of(node, "IsLatest") == "true", .marker = marker};
  if (!marker) {
    version.object = TRY(read_object(node, key));
  } else {
    version.object.key = TRY(key(node, "Key"));
    const auto modified = parse_instant(node.child_value("LastModified"));
    if (version.object.key.empty() || !modified) return no_answer_of_s3("a listing with key and time of each marker");
    version.object.modified = *modified;
  }
  version.object.version_id = text_of(node, "VersionId");
  if (version.object.version_id.empty()) return no_answer_of_s3("a listing with the id of each version");
  return version;
}

/// Some servers (versitygw) write all versions of a page first, and then all markers: brings those of one key together.
/// Where a key has both, their times say which is the newer; else the server's order stays.
void order_versions(VersionPage& page) {
  std::vector<std::vector<ObjectVersion>> groups;
  std::unordered_map<std::string, std::size_t> group_of;
  for (ObjectVersion& version : page.versions) {
    const auto [at, is_new] = group_of.emplace(version.object.key, groups.size());
    if (is_new) groups.emplace_back();
    groups[at->second].push_back(std::move(version));
  }
  const auto last = page.more ? group_of.find(page.next_key) : group_of.end();
  if (last != group_of.end())
    std::rotate(groups.begin() + static_cast<std::ptrdiff_t>(last->second),
                groups.begin() + static_cast<std::ptrdiff_t>(last->second) + 1, groups.end());
  page.versions.clear();
  for (std::vector<ObjectVersion>& group : groups) {
    const auto is_marker = [](const ObjectVersion& version) { return version.marker; };
    if (std::ranges::any_of(group, is_marker) && !std::ranges::all_of(group, is_marker))
      std::ranges::stable_sort(group, [](const ObjectVersion& a, const ObjectVersion& b) {
        return std::tuple(!a.latest, b.object.modified) < std::tuple(!b.latest, a.object.modified);
      });
    std::ranges::move(group, std::back_inserter(page.versions));
  }
}

S3Problem problem_of(pugi::xml_node node) {
  return {.code = text_of(node, "Code"),
          .message = text_of(node, "Message"),
          .region = text_of(node, "Region"),
          .endpoint = text_of(node, "Endpoint"),
          .server_time = text_of(node, "ServerTime")};
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
}

}  // namespace

Result<ObjectPage> read_object_page(std::string_view xml) {
  pugi::xml_document document;
  const pugi::xml_node listing = TRY(root(document, xml, "ListBucketResult"));
  const KeyReader key(listing);
  ObjectPage page{.encoded = key.encoded};
  for (const pugi::xml_node node : listing.children("Contents")) page.objects.push_back(TRY(read_object(node, key)));
  if (text_of(listing, "IsTruncated") == "true") {
    page.next = text_of(listing, "NextContinuationToken");
    if (page.next.empty()) return no_answer_of_s3("a listing that says where it goes on");
  }
  return page;
}

Result<UploadPage> read_upload_page(std::string_view xml) {
  pugi::xml_document document;
  const pugi::xml_node listing = TRY(root(document, xml, "ListMultipartUploadsResult"));
  const KeyReader key(listing);
  UploadPage page;
  for (const pugi::xml_node node : listing.children("Upload")) {
    Upload upload{.id = text_of(node, "UploadId")};
    upload.key = TRY(key(node, "Key"));
    const auto begun = parse_instant(node.child_value("Initiated"));
    if (upload.key.empty() || upload.id.empty() || !begun)
      return no_answer_of_s3("a listing with key, id and time of each upload");
    upload.begun = *begun;
    page.uploads.push_back(std::move(upload));
  }
  page.more = text_of(listing, "IsTruncated") == "true";
  page.next_key = TRY(key(listing, "NextKeyMarker"));
  page.next_id = text_of(listing, "NextUploadIdMarker");
  if (page.more && page.next_key.empty()) return no_answer_of_s3("a listing that says where it goes on");
  return page;
}

Result<VersionPage> read_version_page(std::string_view xml) {
  pugi::xml_document document;
  const pugi::xml_node listing = TRY(root(document, xml, "ListVersionsResult"));
  const KeyReader key(listing);
  VersionPage page{.encoded = key.encoded};
  for (const pugi::xml_node node : listing.children()) {
    const std::string_view name = node.name();
    if (name == "Version" || name == "DeleteMarker")
      page.versions.push_back(TRY(read_version(node, key, name == "DeleteMarker")));
  }
  page.more = text_of(listing, "IsTruncated") == "true";
  page.next_key = TRY(key(listing, "NextKeyMarker"));
  page.next_id = text_of(listing, "NextVersionIdMarker");
  if (page.more && page.next_key.empty()) return no_answer_of_s3("a listing that says where it goes on");
  order_versions(page);
  return page;
}

Result<std::string> read_upload_id(std::string_view xml) {
  pugi::xml_document document;
  std::string id = text_of(TRY(root(document, xml, "InitiateMultipartUploadResult")), "UploadId");
  if (id.empty()) return no_answer_of_s3("an upload with an id");
  return id;
}

Result<Completion> read_completion(std::string_view xml) {
  pugi::xml_document document;
  // Spaces may come first: servers send them while they put the parts together.
  if (root(document, xml, "Error")) return Completion{.problem = problem_of(document.first_child())};
  const pugi::xml_node result = TRY(root(document, xml, "CompleteMultipartUploadResult"));
  Completion done{.etag = text_of(result, "ETag")};
  // RGW leaves the quotes out when it answers a second time.
  if (!done.etag.empty() && !done.etag.contains('"')) done.etag = "\"" + done.etag + "\"";
  return done;
}

Result<std::vector<DeletedKey>> read_deleted(std::string_view xml) {
  pugi::xml_document document;
  const pugi::xml_node result = TRY(root(document, xml, "DeleteResult"));
  std::vector<DeletedKey> keys;
  for (const pugi::xml_node node : result.children("Deleted"))
    keys.push_back({.key = text_of(node, "Key"), .version_id = text_of(node, "VersionId")});
  for (const pugi::xml_node node : result.children("Error"))
    keys.push_back(
        {.key = text_of(node, "Key"), .version_id = text_of(node, "VersionId"), .problem = problem_of(node)});
  return keys;
}

Result<std::string> read_versioning(std::string_view xml) {
  pugi::xml_document document;
  return text_of(TRY(root(document, xml, "VersioningConfiguration")), "Status");
}

Result<std::optional<Instant>> read_retention(std::string_view xml) {
  pugi::xml_document document;
  auto element = root(document, xml, "Retention");
  if (!element) element = root(document, xml, "ObjectLockRetention");  // versitygw's name
  const pugi::xml_node retention = TRY(element);
  const std::string mode = text_of(retention, "Mode");
  if (mode != "COMPLIANCE") return std::nullopt;
  const auto until = parse_instant(text_of(retention, "RetainUntilDate"));
  if (!until) return no_answer_of_s3("a lock with its end");
  return until;
}

std::string retention_request(Instant until) {
  return fmt::format(
      "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>COMPLIANCE</Mode><RetainUntilDate>{}"
      "</RetainUntilDate></Retention>",
      format_instant(std::chrono::floor<std::chrono::seconds>(until)));
}

S3Problem read_problem(std::string_view xml) {
  pugi::xml_document document;
  const auto element = root(document, xml, "Error");
  return element ? problem_of(*element) : S3Problem{};
}

bool fits_xml(std::string_view key) {
  if (!is_utf8(key)) return false;
  if (key.contains("\xef\xbf\xbe") || key.contains("\xef\xbf\xbf")) return false;
  return std::ranges::none_of(key, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string delete_request(std::span<const KeyToDelete> keys) {
  std::string out = R"(<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">)";
  for (const KeyToDelete& each : keys) {
    out += "<Object><Key>";
    append_escaped(out, each.key);
    out += "</Key>";
    if (!each.version_id.empty()) {
      out += "<VersionId>";
      append_escaped(out, each.version_id);
      out += "</VersionId>";
    }
    if (!each.etag.empty()) {
      out += "<ETag>";
      append_escaped(out, each.etag);
      out += "</ETag>";
    }
    out += "</Object>";
  }
  return out + "</Delete>";
}

std::string completion_request(std::span<const Part> parts) {
  std::string out = R"(<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">)";
  for (const Part& part : parts) {
    out += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>", part.number);
    append_escaped(out, part.etag);
    out += "</ETag></Part>";
  }
  return out + "</CompleteMultipartUpload>";
}

}  // namespace steward::object
