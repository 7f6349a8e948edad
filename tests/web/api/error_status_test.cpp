// Refusals as clients see them.
#include "web/api/error_status.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "web/api/api_context.h"
#include "web/api/handler.h"

namespace notso::api {
namespace {

TEST(ErrorStatus, HasOneTable) {
  const auto of_request = [](ErrorCode code) { return http_status(code, ErrorSource::kRequest); };
  const auto behind = [](ErrorCode code) { return http_status(code, ErrorSource::kBehind); };
  EXPECT_EQ(of_request(ErrorCode::kInvalidArgument), 400);
  EXPECT_EQ(of_request(ErrorCode::kUnsupported), 400);
  EXPECT_EQ(of_request(ErrorCode::kNotFound), 404);
  EXPECT_EQ(of_request(ErrorCode::kResourceExhausted), 413);
  EXPECT_EQ(behind(ErrorCode::kResourceExhausted), 507);
  EXPECT_EQ(of_request(ErrorCode::kUnavailable), 429);
  EXPECT_EQ(behind(ErrorCode::kUnavailable), 503);
  EXPECT_EQ(of_request(ErrorCode::kDeadlineExceeded), 503);
  EXPECT_EQ(of_request(ErrorCode::kCancelled), 503);
  EXPECT_EQ(of_request(ErrorCode::kDataLoss), 500);
  EXPECT_EQ(of_request(ErrorCode::kInternal), 500);
}

TEST(ErrorStatus, HasOpenAisShape) {
  ApiError error(ErrorCode::kNotFound, "model", "there is no model \"x\"");
  error.reason = "model_not_found";
  EXPECT_EQ(boost::json::parse(openai_error_body(404, error)), boost::json::parse(R"({"error": {
      "message": "there is no model \"x\"", "type": "not_found_error", "param": "model",
      "code": "model_not_found"}})"));
  EXPECT_EQ(boost::json::parse(openai_error_body(500, ApiError())),
            boost::json::parse(R"({"error": {"message": "", "type": "server_error",
      "param": null, "code": null}})"));
}

TEST(ErrorStatus, NamesTheServersOwnErrorsToo) {
  const auto response = server_error(401, "the key is wrong");
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(boost::json::parse(response.body).at("error").at("code"), "invalid_api_key");
  EXPECT_EQ(boost::json::parse(response.body).at("error").at("type"), "authentication_error");
}

TEST(ErrorStatus, SaysWhenToTryAgain) {
  const auto retry_after = [](double wait_s) {
    return refusal(ApiError(ErrorCode::kUnavailable, "", "full"), wait_s).headers.back().value;
  };
  EXPECT_EQ(retry_after(0), "1");
  EXPECT_EQ(retry_after(2.1), "3");
  EXPECT_EQ(retry_after(1e9), "60");
}

TEST(ModelNames, MayBeTheFileOrTheDefault) {
  ChatModelInfo info;
  info.name = "smollm3-3b";
  info.path = "models/SmolLM3-Q4_K_M.gguf";
  for (const std::string_view name :
       {"", "default", "smollm3-3b", "SmolLM3-Q4_K_M", "SmolLM3-Q4_K_M.gguf"}) {
    EXPECT_TRUE(names_model(name, info)) << name;
  }
  for (const std::string_view name : {"gpt-4", "SmolLM3", "models", ".gguf"}) {
    EXPECT_FALSE(names_model(name, info)) << name;
  }
  EXPECT_FALSE(names_model("x", ChatModelInfo()));
}

TEST(Ids, AreNeverTheSame) {
  EXPECT_NE(random_id("a-"), random_id("a-"));
  EXPECT_EQ(random_id("a-").size(), 26U);
}

}  // namespace
}  // namespace notso::api
