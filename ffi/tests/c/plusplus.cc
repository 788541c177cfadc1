// The header is C++ as well.
#include "bellwether.h"

int main() {
  bw_error *error = nullptr;
  bw_options *options = bw_options_new(BW_STR("had"), &error);
  bw_detector *had = bw_detector_new(options, &error);
  bw_options_free(options);
  bw_had_observation observation{};
  observation.size = sizeof observation;
  const bw_result result = bw_had_observe(had, &observation, nullptr, nullptr);
  bw_detector_free(had);
  return had != nullptr && result == BW_INVALID_ARGUMENT && error == nullptr ? 0 : 1;
}
