// The server with a certificate, made for the test, and OpenSSL's own client.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <memory>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdexcept>
#include <string>
#include <unistd.h>

#include "web/http/http_fixture.h"
#include "web/http/sse.h"

namespace notso::http {
namespace {

// Writes a self-signed certificate for `name` and its key as PEM files.
void write_certificate(const TlsFiles& files, const std::string& name) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), subject);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  FILE* file = std::fopen(files.certificate.c_str(), "w");
  PEM_write_X509(file, certificate.get());
  std::fclose(file);
  file = std::fopen(files.key.c_str(), "w");
  PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
}

// A TLS client over a RawClient's socket.
class TlsClient {
 public:
  explicit TlsClient(std::uint16_t port, int version_max = TLS1_3_VERSION)
      : raw_(port), context_(SSL_CTX_new(TLS_client_method())), tls_(SSL_new(context_)) {
    SSL_set_min_proto_version(tls_, TLS1_VERSION);
    SSL_set_max_proto_version(tls_, version_max);
    SSL_set_alpn_protos(tls_, reinterpret_cast<const unsigned char*>("\x02h2\x08http/1.1"), 12);
    SSL_set_fd(tls_, raw_.descriptor());
    connected_ = SSL_connect(tls_) == 1;
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;
  ~TlsClient() {
    SSL_free(tls_);
    SSL_CTX_free(context_);
  }

  [[nodiscard]] bool connected() const { return connected_; }
  void send(const std::string& text) {
    SSL_write(tls_, text.data(), static_cast<int>(text.size()));
  }
  // Reads until `text` was seen or the end.
  std::string receive_until(const std::string& text) {
    std::string all;
    std::string bytes(1 << 14, '\0');
    while (all.find(text) == std::string::npos) {
      const int got = SSL_read(tls_, bytes.data(), static_cast<int>(bytes.size()));
      if (got <= 0) break;
      all.append(bytes, 0, static_cast<std::size_t>(got));
    }
    return all;
  }
  std::string protocol() {
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(tls_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  std::string subject() {
    X509* certificate = SSL_get1_peer_certificate(tls_);
    std::string name(100, '\0');
    const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                               name.data(), static_cast<int>(name.size()));
    X509_free(certificate);
    name.resize(static_cast<std::size_t>(std::max(size, 0)));
    return name;
  }

 private:
  RawClient raw_;
  SSL_CTX* context_;
  SSL* tls_;
  bool connected_ = false;
};

class TlsTest : public ServerTest {
 protected:
  TlsTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              ("notso_tls_" + std::string(test->name()) + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    options.tls = {(folder_ / "cert.pem").string(), (folder_ / "key.pem").string()};
    write_certificate(options.tls, "first");
  }
  ~TlsTest() override {
    server.reset();
    std::filesystem::remove_all(folder_);
  }

  std::filesystem::path folder_;
};

TEST_F(TlsTest, RequestsAreServedOverTls) {
  start();
  EXPECT_TRUE(server->url().starts_with("https://127.0.0.1:"));
  TlsClient client(port());
  ASSERT_TRUE(client.connected());
  EXPECT_EQ(client.protocol(), "http/1.1");
  for (int i = 0; i < 3; ++i) {
    client.send(post(port(), "/echo", std::string(50'000, 'a') + "end"));
    EXPECT_TRUE(client.receive_until("end").ends_with("aend"));
  }
}

TEST_F(TlsTest, OldVersionsOfTlsAreRefused) {
  start();
  EXPECT_FALSE(TlsClient(port(), TLS1_1_VERSION).connected());
  EXPECT_TRUE(TlsClient(port(), TLS1_2_VERSION).connected());
}

TEST_F(TlsTest, AStreamsClientThatGoesAwayIsNoticed) {
  std::atomic<bool> noticed{false};
  router.add("GET", "/stream", [&](Exchange& exchange) -> boost::asio::awaitable<void> {
    EventQueue<int> queue(100);
    exchange.on_disconnect([&] {
      noticed = true;
      queue.close();
    });
    SseWriter sse(exchange);
    co_await sse.begin();
    co_await sse.data("hello");
    co_await queue.pop();
  });
  start();
  {
    TlsClient client(port());
    client.send(get(port(), "/stream"));
    EXPECT_NE(client.receive_until("hello").find("hello"), std::string::npos);
  }
  EXPECT_TRUE(soon([&] { return noticed.load(); }));
  EXPECT_TRUE(soon([&] { return server->stats().open == 0; }));
}

TEST_F(TlsTest, PlainHttpIsToldToUseTls) {
  start();
  const Answer answer = ask_path("/health");
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("HTTPS"), std::string::npos);
  EXPECT_TRUE(answer.whole);
}

TEST_F(TlsTest, AClientThatNeverShakesHandsIsReaped) {
  options.limits.header_time_max = std::chrono::milliseconds(100);
  start();
  RawClient silent(port());
  RawClient half(port());
  half.send("\x16\x03");
  EXPECT_TRUE(soon([&] { return server->stats().reaped == 2; }));
  EXPECT_TRUE(soon([&] { return server->stats().open == 0; }));
}

TEST_F(TlsTest, NewConnectionsUseAReloadedCertificate) {
  start();
  TlsClient before(port());
  EXPECT_EQ(before.subject(), "first");
  write_certificate(options.tls, "second");
  ASSERT_TRUE(server->reload_tls());
  EXPECT_EQ(TlsClient(port()).subject(), "second");
  before.send(get(port(), "/health"));
  EXPECT_NE(before.receive_until("ok").find("ok"), std::string::npos);
}

TEST_F(TlsTest, ABadReloadLeavesTheOldCertificate) {
  start();
  std::ofstream(options.tls.certificate) << "nonsense";
  const auto status = server->reload_tls();
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find(options.tls.certificate), std::string::npos);
  EXPECT_EQ(TlsClient(port()).subject(), "first");
}

TEST_F(TlsTest, FilesThatDoNotFitAreAnErrorAtTheStart) {
  TlsFiles other{(folder_ / "other.pem").string(), (folder_ / "other_key.pem").string()};
  write_certificate(other, "other");
  options.tls.key = other.key;
  EXPECT_THROW(start(), std::runtime_error);
  options.tls.key.clear();
  EXPECT_THROW(start(), std::runtime_error);
}

}  // namespace
}  // namespace notso::http
