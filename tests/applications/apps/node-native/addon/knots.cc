#include <node_api.h>

#include <string>

static napi_value ToKnots(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument, result;
  double speed = 0;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  napi_get_value_double(env, argument, &speed);
  std::string text = std::to_string(speed / 1.852);
  napi_create_string_utf8(env, text.c_str(), text.size(), &result);
  return result;
}

static napi_value Init(napi_env env, napi_value exports) {
  napi_value function;
  napi_create_function(env, "toKnots", NAPI_AUTO_LENGTH, ToKnots, nullptr, &function);
  napi_set_named_property(env, exports, "toKnots", function);
  return exports;
}

NAPI_MODULE(NODE_GYP_MODULE_NAME, Init)
