#include "service/models/catalogue.h"

#include <cstdlib>
#include <gtest/gtest.h>

#include "service/models/address.h"
#include "service/models/sha256.h"
#include "service/models/transfer.h"

namespace notso {
namespace {

std::string url_of(std::string_view what, const Hub& hub = {}) {
  const auto source = resolve_model_source(what, hub);
  return source ? source->url : source.error().message;
}

TEST(Catalogue, begins_with_the_default_q4_k_m) {
  const auto source = resolve_model_source("", Hub());
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ(source->file_name, "SmolLM3-Q4_K_M.gguf");
  EXPECT_EQ(source->bytes, 1'915'305'312U);
  EXPECT_TRUE(is_sha256(source->sha256));
  EXPECT_EQ(source->url, url_of("q4_k_m"));
}

TEST(Catalogue, finds_every_name_however_it_is_written) {
  for (const CatalogueEntry& entry : catalogue()) {
    const std::string name(entry.name);
    EXPECT_EQ(url_of(name), url_of("SmolLM3-3B-" + name + ".gguf"));
    EXPECT_EQ(url_of(name), url_of("smollm3-" + name));
    EXPECT_NE(url_of(name).find(entry.file), std::string::npos);
  }
}

TEST(Catalogue, names_what_there_is_when_a_name_is_unknown) {
  const auto source = resolve_model_source("Q3_K", Hub());
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, ErrorCode::kNotFound);
  EXPECT_NE(source.error().message.find("Q4_K_M, Q5_K_M, Q6_K, Q8_0, F16"), std::string::npos);
}

TEST(Catalogue, resolves_repositories_revisions_and_folders_on_the_hub) {
  EXPECT_EQ(url_of("hf:org/repo/x.gguf"), "https://huggingface.co/org/repo/resolve/main/x.gguf");
  EXPECT_EQ(url_of("hf:org/repo@v1/sub/x.gguf", {"http://mirror:81", ""}),
            "http://mirror:81/org/repo/resolve/v1/sub/x.gguf");
}

TEST(Catalogue, refuses_hub_names_that_are_no_files) {
  for (const char* const bad : {"hf:", "hf:org", "hf:org/repo", "hf:org/repo/", "hf:/repo/x.gguf",
                                "hf:org//x.gguf", "hf:org/../x/y.gguf", "hf:org/repo/a b.gguf",
                                "hf:org/repo/x.gguf?y", "hf:org/repo@/x.gguf"}) {
    EXPECT_FALSE(resolve_model_source(bad, Hub())) << bad;
  }
}

TEST(Catalogue, takes_an_address_as_it_is_and_its_last_part_as_the_name) {
  const auto source = resolve_model_source("https://h/a/My%20Model.gguf?sig=%2F..#x", Hub());
  ASSERT_TRUE(source);
  EXPECT_EQ(source->url, "https://h/a/My%20Model.gguf?sig=%2F..#x");
  EXPECT_EQ(source->file_name, "My_Model.gguf");
}

TEST(Catalogue, makes_file_names_that_cannot_leave_the_folder) {
  EXPECT_EQ(safe_file_name("../../etc/passwd"), "passwd.gguf");
  EXPECT_EQ(safe_file_name("..gguf"), "model.gguf");
  EXPECT_EQ(safe_file_name(".hidden.gguf"), "hidden.gguf");
  EXPECT_EQ(safe_file_name(""), "model.gguf");
  EXPECT_EQ(safe_file_name("a/"), "model.gguf");
  EXPECT_EQ(safe_file_name("-rf.gguf"), "_rf.gguf");
  EXPECT_EQ(safe_file_name(std::string("a\0\n\xff;.gguf", 10)), "a____.gguf");
  EXPECT_EQ(safe_file_name("Q4.GGUF"), "Q4.gguf");
  EXPECT_EQ(safe_file_name(std::string(500, 'n')).size(), 120U);
}

TEST(Catalogue, reads_mirror_and_token_from_the_environment) {
  setenv("HF_ENDPOINT", "mirror.example/", 1);
  setenv("HF_TOKEN", "hf_abc\n", 1);
  const Hub hub = hub_from_environment();
  EXPECT_EQ(hub.endpoint, "https://mirror.example");
  EXPECT_EQ(hub.token, "hf_abc");
  unsetenv("HF_ENDPOINT");
  unsetenv("HF_TOKEN");
  EXPECT_EQ(hub_from_environment().endpoint, "https://huggingface.co");
}

TEST(Address, has_an_origin_of_scheme_host_and_port) {
  EXPECT_EQ(*origin_of("https://Hub.Example/a?b"), "https://hub.example:443");
  EXPECT_EQ(*origin_of("http://h:80/"), *origin_of("http://h/x"));
  EXPECT_NE(*origin_of("http://h:81/"), *origin_of("http://h/"));
  EXPECT_FALSE(origin_of("ftp://h/x"));
  EXPECT_FALSE(origin_of("file:///etc/passwd"));
  EXPECT_FALSE(origin_of("https://user:word@h/x"));
  EXPECT_FALSE(origin_of("https://"));
}

TEST(Address, is_shown_without_what_may_be_secret) {
  EXPECT_EQ(shown_address("https://user:geheim@mirror:8443/a/b"), "https://mirror:8443/a/b");
  EXPECT_EQ(shown_address("https://a@b:geheim@mirror/x@y"), "https://mirror/x@y");
  EXPECT_EQ(shown_address("https://host/x.gguf?X-Amz-Signature=geheim#geheim"),
            "https://host/x.gguf");
  EXPECT_EQ(shown_address("user:geheim@mirror"), "mirror");
  EXPECT_EQ(shown_address("/x?geheim"), "/x");
  EXPECT_EQ(shown_address(""), "");
  EXPECT_EQ(shown_address("https://host/" + std::string(1000, 'x')).size(), 200U);
  for (const char* const url : {"https://user:geheim@host/", "ftp://host/?geheim"}) {
    const auto origin = origin_of(url);
    ASSERT_FALSE(origin);
    EXPECT_EQ(origin.error().message.find("geheim"), std::string::npos) << origin.error().message;
  }
}

TEST(Address, follows_redirects_only_where_that_is_safe) {
  EXPECT_EQ(*redirect_target("https://h/a/b?c", "../d?e"), "https://h/d?e");
  EXPECT_EQ(*redirect_target("https://h/a", "//other/x"), "https://other/x");
  EXPECT_EQ(*redirect_target("http://h/a", "https://h/a"), "https://h/a");
  EXPECT_FALSE(redirect_target("https://h/a", "http://h/a"));
  EXPECT_FALSE(redirect_target("https://h/a", "file:///etc/passwd"));
  EXPECT_FALSE(redirect_target("http://h/a", "http://user@h/a"));
}

TEST(Header, lines_are_read_in_any_case_and_a_status_line_begins_anew) {
  ResponseHead head;
  add_header_line(head, "HTTP/1.1 302 Found\r\n");
  add_header_line(head, "LOCATION:  /x \r\n");
  add_header_line(head, "x-linked-etag: \"ab\"\r\n");
  EXPECT_EQ(head.location, "/x");
  EXPECT_EQ(head.linked_etag, "\"ab\"");
  add_header_line(head, "HTTP/2 206\r\n");
  EXPECT_EQ(head.status, 206);
  EXPECT_EQ(head.location, "");
  add_header_line(head, "Content-Range: bytes 5-9/100\r\n");
  EXPECT_EQ(head.range_first, 5U);
  EXPECT_EQ(head.range_total, 100U);
}

TEST(Header, nonsense_is_left_out) {
  ResponseHead head;
  for (const char* const line :
       {"Content-Range: bytes */x", "Content-Range: octets 1-2/3", "Content-Length: -1",
        "Content-Length: 99999999999999999999999", "Retry-After: Wed, 21 Oct", "no colon"}) {
    add_header_line(head, line);
  }
  EXPECT_FALSE(head.range_first || head.range_total || head.content_bytes || head.retry_after_s);
}

TEST(Sha256, agrees_with_the_published_examples) {
  Sha256 empty;
  EXPECT_EQ(empty.finish(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 abc;
  const std::string text = "abc";
  abc.update(std::as_bytes(std::span(text).first(1)));
  abc.update(std::as_bytes(std::span(text).subspan(1)));
  EXPECT_EQ(abc.finish(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace notso
