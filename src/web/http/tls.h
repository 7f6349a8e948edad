// TLS contexts: certificate files with modern settings. Internal to web/http.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "base/result.h"
#include "web/http/server.h"

namespace notso::http {

// Reads certificate and key: TLS 1.2 or later, no compression, no renegotiation. Null for no files.
Result<std::shared_ptr<boost::asio::ssl::context>> make_tls_context(const TlsFiles& files);

}  // namespace notso::http
