/*
 * Preloaded into a daemon for tests: its wall clock is ahead by as many seconds as the file says whose path is in the
 * environment as BELLWETHER_TESTS_CLOCK; other clocks are as they are.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long ahead_sec(void) {
  const char *path = getenv("BELLWETHER_TESTS_CLOCK");
  int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return 0;
  char text[32] = "";
  ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  return size > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int status = (int)syscall(SYS_clock_gettime, clock, time);
  if (status == 0 && clock == CLOCK_REALTIME)
    time->tv_sec += ahead_sec();
  return status;
}
