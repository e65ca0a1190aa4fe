/// The S3 store: store.h's promises kept with S3's requests. What it does beyond them:
///
///   put          one PUT up to a part's size, a multipart upload above; an upload that fails is aborted. An upload
///   that
///                is written by only_if_absent, or in parts, bears `x-amz-meta-steward-put`, a random word by which a
///                writer whose answer got lost knows its own work again.
///   get          goes on with Range and If-Match where a connection breaks; the size is checked.
///   remove_many  several requests at once (S3Tuning::threads), fewer where the server asks for it (pace.h).
///   features     writes and removes `.steward-probe-…`. Where this is denied, or the server does it its own way, the
///                feature counts as absent.
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/object/s3_client.h"
#include "io/object/store.h"

namespace steward::object {

struct Part;          // s3_xml.h
struct ObjectPage;    // s3_xml.h
struct PageQuestion;  // key_ranges.h

class S3Store final : public Store {
 public:
  S3Store(const StoreTarget& target, S3Address address, S3Tuning tuning);

  const std::string& shown() const override { return shown_; }
  Result<std::string> identity() override;
  Result<Features> features() override;
  Result<ObjectInfo> head(std::string_view key) override;
  Result<ObjectInfo> get(std::string_view key, Sink& sink) override { return get_from(key, 0, sink); }
  Result<ObjectInfo> get_from(std::string_view key, std::uint64_t from, Sink& sink) override;
  Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options) override;
  Result<void> remove(const Removal& removal) override;
  Result<std::vector<Removed>> remove_many(std::span<const Removal> removals) override;
  Result<void> list(std::string_view prefix, const std::function<Result<bool>(const ObjectInfo&)>& take) override;
  Result<Ranged> list_by_ranges(std::string_view prefix, const KeyRange& keys,
                                const std::function<Result<bool>(const ObjectInfo&)>& take) override;
  bool lists_ranges() const override { return true; }
  Result<void> list_versions(std::string_view prefix,
                             const std::function<Result<bool>(const ObjectVersion&)>& take) override;
  Result<void> list_uploads(const std::function<Result<bool>(const Upload&)>& take) override;
  Result<void> abort_upload(const Upload& upload) override;
  Result<Versioning> versioning() override;
  Result<Instant> server_time() override;
  std::optional<std::string> asked_for_less() const override { return removals_->words(); }
  Result<std::optional<Bytes>> room() override { return std::nullopt; }

 private:
  /// Features, and what only this class needs to know.
  struct Abilities {
    Features features{};
    bool conditional_batch = false;  ///< DeleteObjects looks at its ETags.
    bool bare_if_match = false;      ///< A PUT's If-Match has to come without quotes (RGW 16).
  };

  // s3.cc
  /// The key as the bucket has it.
  std::string whole_key(std::string_view key) const { return client_.address().root + std::string(key); }
  std::optional<std::string> why_no_key(std::string_view key) const;
  Result<std::string> key_to_read(std::string_view key) const;   // not_found where there can be none
  Result<std::string> key_to_write(std::string_view key) const;  // bad_input there
  std::string act(std::string_view verb, std::string_view key) const;
  Result<ObjectInfo> info_of(const S3Answer& answer, std::string_view key) const;
  Result<bool> is_own_work(const std::string& key, const std::string& word);

  // s3_list.cc
  std::string act_of_listing() const;
  Result<bool> is_mangled(const std::string& key);
  /// With whole keys, and without those that nobody could name.
  Result<ObjectPage> object_page(const std::string& whole_prefix, const PageQuestion& question);
  /// Hands it on under the key that it has in this store.
  Result<bool> hand_on(ObjectInfo object, const std::function<Result<bool>(const ObjectInfo&)>& take) const;

  // s3_features.cc
  Result<Abilities> abilities();
  Result<Abilities> probe();
  Result<bool> probe_any_key(const std::string& probe);
  Result<bool> probe_conditional_put(const std::string& probe);
  Result<bool> probe_conditional_replace(const std::string& probe, bool bare);
  Result<bool> probe_conditional_remove(const std::string& probe);
  Result<bool> probe_conditional_batch(const std::string& probe);
  Result<bool> is_there(const std::string& key);
  Result<bool> write_probe(const std::string& key);
  void clean_up_probe(const std::string& probe, bool versioned);

  // s3_put.cc
  Result<ObjectInfo> put_whole(std::string_view key, std::string_view content, const PutOptions& options);
  Result<ObjectInfo> put_parts(std::string_view key, std::string first, Source& rest, const PutOptions& options);
  Result<ObjectInfo> finish_parts(std::string_view key, const std::string& id, const std::string& word,
                                  const std::vector<Part>& parts, const PutOptions& options);
  Result<std::vector<Part>> send_parts(std::string_view key, const std::string& id, std::string first, Source& rest,
                                       const PutOptions& options, Bytes& sent);
  static std::string if_match(std::string etag, bool bare);
  Result<bool> checks_itself(const PutOptions& options);
  Result<Fields> condition_of(const PutOptions& options);
  Result<void> look_before_put(std::string_view key, const PutOptions& options);

  // s3_remove.cc
  Result<void> check_noncurrent(const Removal& removal);
  Result<void> check_before_removal(Removal& removal);
  Result<void> remove_one(const Removal& removal, const Abilities& abilities);
  Result<void> remove_checked(const Removal& removal, bool conditional);
  Result<std::vector<Removed>> remove_batch(std::span<const Removal> removals, const Abilities& abilities);

  S3Client client_;
  std::unique_ptr<Pace> removals_;
  std::string shown_;
  std::mutex mutex_{};
  std::optional<Abilities> abilities_{};
};

/// As `open`, for "s3://…", with a test's tuning.
Result<std::unique_ptr<Store>> open_s3(const StoreTarget& target, S3Tuning tuning = {});

}  // namespace steward::object
