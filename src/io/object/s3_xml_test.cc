#include "io/object/s3_xml.h"

#include <gtest/gtest.h>

namespace steward::object {
namespace {

TEST(S3Xml, ReadsAPageOfObjects) {
  const auto page = read_object_page(
      R"(<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>true</IsTruncated>
      <NextContinuationToken>t/1=</NextContinuationToken><Contents><Key>a &amp; b</Key><Size>18446744073709551615</Size>
      <LastModified>2026-11-23T15:36:30.888Z</LastModified><ETag>&#34;0af-2&#34;</ETag></Contents></ListBucketResult>)");
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->next, "t/1=");
  EXPECT_FALSE(page->encoded);
  ASSERT_EQ(page->objects.size(), 1u);
  EXPECT_EQ(page->objects[0].key, "a & b");
  EXPECT_EQ(page->objects[0].etag, "\"0af-2\"");
  EXPECT_EQ(page->objects[0].size.count, 18446744073709551615u);
  EXPECT_EQ(format_instant(page->objects[0].modified), "2026-11-23T15:36:30.888Z");
}

std::string page_with(const std::string& key, const std::string& encoding) {
  return "<ListBucketResult>" + encoding + "<Contents><Key>" + key +
         "</Key><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>";
}

TEST(S3Xml, DecodesKeysOnlyWhereTheAnswerSaysThatTheyAreEncoded) {
  const std::string url = "<EncodingType>url</EncodingType>";
  const auto key = [](const std::string& xml) { return read_object_page(xml)->objects.at(0).key; };
  EXPECT_EQ(key(page_with("a%20b%2Bc+d%01", url)), "a b+c d\x01");
  EXPECT_EQ(key(page_with("a%20b+c", "")), "a%20b+c");
  EXPECT_EQ(key(page_with("a%20b+c", "<EncodingType></EncodingType>")), "a%20b+c");
  EXPECT_EQ(key(page_with(" ", "")), " ");
  EXPECT_EQ(key(page_with("  a\n", "")), "  a\n");
  EXPECT_EQ(key(page_with("a&#x1;&#xD;&#10;b", "")), "a\x01\r\nb");
  EXPECT_EQ(key(page_with("<![CDATA[a<b]]>c", "")), "a<bc");
  EXPECT_EQ(read_object_page(page_with("a%2", url)).error().kind, Kind::corrupt);
}

TEST(S3Xml, WhatIsNotWholeIsCorrupt) {
  const std::string whole = page_with("key", "");
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_EQ(read_object_page(whole.substr(0, length)).error().kind, Kind::corrupt) << length;
  for (const char* wrong : {"<Error/>", "<ListBucketResult><Contents/></ListBucketResult>", "<html>",
                            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"})
    EXPECT_EQ(read_object_page(wrong).error().kind, Kind::corrupt) << wrong;
}

TEST(S3Xml, DoesNotFallOverDepth) {
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "<a>";
  EXPECT_FALSE(read_object_page(deep));
}

TEST(S3Xml, KnowsNoEntitiesBeyondXmlsOwn) {
  const auto page =
      read_object_page(R"(<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>)" + page_with("&e;", ""));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->objects.at(0).key, "&e;");
}

TEST(S3Xml, ReadsUploads) {
  const auto uploads = read_upload_page(
      "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</"
      "NextKeyMarker><NextUploadIdMarker>2~x</NextUploadIdMarker>"
      "<Upload><Key>k</Key><UploadId>2~x</UploadId><Initiated>2026-11-23T15:43:39Z</Initiated></Upload></"
      "ListMultipartUploadsResult>");
  ASSERT_TRUE(uploads);
  EXPECT_TRUE(uploads->more);
  EXPECT_EQ(uploads->next_id, "2~x");
  EXPECT_EQ(uploads->uploads.at(0).id, "2~x");
}

TEST(S3Xml, ReadsVersionsAndMarkersInTheirOrder) {
  const auto page = read_version_page(
      "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>b</NextKeyMarker>"
      "<NextVersionIdMarker>0</NextVersionIdMarker>"
      "<DeleteMarker><Key>a</Key><VersionId>2</VersionId><IsLatest>true</IsLatest>"
      "<LastModified>2026-11-23T15:43:39Z</LastModified></DeleteMarker>"
      "<Version><Key>a</Key><VersionId>1</VersionId><IsLatest>false</IsLatest><ETag>\"e\"</ETag><Size>3</Size>"
      "<LastModified>2026-11-22T15:43:39Z</LastModified></Version>"
      "<DeleteMarker><Key>b</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>"
      "<LastModified>2026-11-21T15:43:39Z</LastModified></DeleteMarker></ListVersionsResult>");
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_TRUE(page->more);
  EXPECT_EQ(page->next_key, "b");
  EXPECT_EQ(page->next_id, "0");
  ASSERT_EQ(page->versions.size(), 3u);
  EXPECT_TRUE(page->versions[0].marker);
  EXPECT_TRUE(page->versions[0].latest);
  EXPECT_EQ(page->versions[1].object.version_id, "1");
  EXPECT_EQ(page->versions[1].object.size, 3_B);
  EXPECT_FALSE(page->versions[1].latest);
  EXPECT_FALSE(page->versions[1].marker);
  EXPECT_EQ(page->versions[2].object.version_id, "null");
}

TEST(S3Xml, AVersionWithoutItsIdOrTimeIsNone) {
  for (const char* version :
       {"<Version><Key>a</Key><Size>1</Size><LastModified>2026-11-23T15:43:39Z</LastModified></Version>",
        "<DeleteMarker><Key>a</Key><VersionId>1</VersionId></DeleteMarker>"}) {
    const auto page = read_version_page(std::string("<ListVersionsResult>") + version + "</ListVersionsResult>");
    ASSERT_FALSE(page) << version;
    EXPECT_EQ(page.error().kind, Kind::corrupt);
  }
}

TEST(S3Xml, ReadsErrorsInsideABatchsAnswer) {
  const auto keys = read_deleted(
      "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></"
      "Error></DeleteResult>");
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->size(), 2u);
  EXPECT_FALSE((*keys)[0].problem);
  EXPECT_EQ((*keys)[1].problem->code, "AccessDenied");
}

TEST(S3Xml, FindsTheErrorInACompletionWithStatus200) {
  EXPECT_EQ(read_completion("  \n<Error><Code>InternalError</Code></Error>")->problem->code, "InternalError");
  EXPECT_EQ(
      read_completion("<CompleteMultipartUploadResult><ETag>\"e-1\"</ETag></CompleteMultipartUploadResult>")->etag,
      "\"e-1\"");
  EXPECT_EQ(read_completion("<CompleteMultipartUploadResult><ETag>e-1</ETag></CompleteMultipartUploadResult>")->etag,
            "\"e-1\"");
  EXPECT_EQ(read_completion("").error().kind, Kind::corrupt);
}

TEST(S3Xml, AnErrorThatIsNoneIsEmpty) {
  EXPECT_EQ(read_problem("<html>502 Bad Gateway</html>").code, "");
  EXPECT_EQ(read_problem("").code, "");
  EXPECT_EQ(read_problem("<Error><Code>NoSuchKey</Code></Error>").code, "NoSuchKey");
}

TEST(S3Xml, WritesABatchWhoseKeysComeBackAsTheyWere) {
  const std::vector<KeyToDelete> keys{{"a<b>&\"c'", "\"e\""}, {"plain", ""}};
  EXPECT_EQ(delete_request(keys),
            "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a&lt;b&gt;&amp;&quot;c'</Key>"
            "<ETag>&quot;e&quot;</ETag></Object><Object><Key>plain</Key></Object></Delete>");
}

TEST(S3Xml, KnowsWhichKeysXmlCannotCarry) {
  for (const char* key : {"plain", "a b", "ü/日本", "\xef\xbf\xbd", "<>&\"'"}) EXPECT_TRUE(fits_xml(key)) << key;
  for (const char* key : {"\x01", "a\tb", "a\nb", "a\rb", "\x7f", "\xff", "\xef\xbf\xbf", "\xed\xa0\x80"})
    EXPECT_FALSE(fits_xml(key)) << key;
}

}  // namespace
}  // namespace steward::object
