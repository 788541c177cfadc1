/*
 * Preloaded into a daemon for tests: a disk that takes long. Each call of fsync waits for as many seconds as the environment's
 * BELLWETHER_TESTS_DISK_SEC says, and writes the name of its thread as a line to the file BELLWETHER_TESTS_DISK before that.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int file) {
  const char *path = getenv("BELLWETHER_TESTS_DISK");
  const char *seconds = getenv("BELLWETHER_TESTS_DISK_SEC");
  int log = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log >= 0) {
    char name[18] = "";
    prctl(PR_GET_NAME, name);
    strcat(name, "\n");
    if (write(log, name, strlen(name)) < 0)
      abort();
    close(log);
  }
  if (seconds != NULL)
    sleep((unsigned)atoi(seconds));
  return (int)syscall(SYS_fsync, file);
}
