// The header is C++ as well.
#include "bellwether.h"

int main() {
  bw_error *error = nullptr;
  bw_had *had = bw_had_new(nullptr, &error);
  bw_observation observation{};
  observation.size = sizeof observation;
  const bw_result result = bw_had_observe(had, &observation, nullptr, nullptr);
  bw_had_free(had);
  return result == BW_INVALID_ARGUMENT && error == nullptr ? 0 : 1;
}
