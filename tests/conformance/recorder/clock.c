/* The clock of a recording: it stands still until the recorder writes another time, in milliseconds, into its file. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static volatile int64_t *now_ms;

__attribute__((constructor)) static void open_clock(void)
{
    now_ms = mmap(0, sizeof *now_ms, PROT_READ, MAP_SHARED, open(getenv("RECORDER_CLOCK"), O_RDONLY), 0);
}

int clock_gettime(clockid_t id, struct timespec *found)
{
    (void)id;
    int64_t now = *now_ms;
    found->tv_sec = 1000000000 + now / 1000;
    found->tv_nsec = now % 1000 * 1000000;
    return 0;
}
