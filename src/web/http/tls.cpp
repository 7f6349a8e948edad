#include "web/http/tls.h"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <string>

namespace notso::http {

namespace asio = boost::asio;

namespace {

// Chooses HTTP/1.1 where the client offers protocols; another choice is not ours to make.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  unsigned char* found = nullptr;
  const int result = SSL_select_next_proto(&found, chosen_size, kHttp11, sizeof kHttp11 - 1,
                                           offered, offered_size);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

tl::unexpected<Error> bad_file(const char* what, const std::string& path,
                               const boost::system::error_code& error) {
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("The TLS {} '{}' cannot be used: {}; give a readable PEM file.", what,
                          path, error.message()));
}

}  // namespace

Result<std::shared_ptr<asio::ssl::context>> make_tls_context(const TlsFiles& files) {
  if (files.certificate.empty() && files.key.empty()) return nullptr;
  if (files.certificate.empty() || files.key.empty()) {
    return fail(ErrorCode::kInvalidArgument, "TLS needs both a certificate and a key file.");
  }
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_cipher_list(native, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_alpn_select_cb(native, choose_protocol, nullptr);
  boost::system::error_code error;
  context->use_certificate_chain_file(files.certificate, error);
  if (error) return bad_file("certificate", files.certificate, error);
  context->use_private_key_file(files.key, asio::ssl::context::pem, error);
  if (error) return bad_file("key", files.key, error);
  if (SSL_CTX_check_private_key(native) != 1) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("The TLS key '{}' is not that of the certificate '{}'.", files.key,
                            files.certificate));
  }
  return context;
}

}  // namespace notso::http
