/* Moves the wall clock of the program that it is loaded into by the seconds that a file holds.
 * It allocates nothing: the program's allocator itself reads the clock before it can give memory. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    const char *path = getenv("DIAMOND_TEST_CLOCK_FILE");
    if (result != 0 || clock != CLOCK_REALTIME || path == NULL)
        return result;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return result;
    char text[24];
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length > 0) {
        text[length] = '\0';
        now->tv_sec += strtol(text, NULL, 10);
    }
    return result;
}
