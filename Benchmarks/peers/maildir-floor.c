// The floor of a conversion to a Maildir: files of given sizes made in tmp/, written, and renamed into new/, one after
// another, and nothing else. With THREADS each file is flushed to the disk before its rename, by so many threads at a
// time, and the directory at the end. usage: maildir-floor MAILDIR [THREADS] <sizes, one a line
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { limit = 64 << 20 };
static size_t *sizes;
static long count;
static atomic_long next;
static char *bytes;
static int tmp, new, flushes;

static void *make(void *unused) {
    char name[96];
    for (long number; (number = next++) < count;) {
        size_t size = sizes[number];
        snprintf(name, sizeof name, "1093084063.M%06ldP%dQ%ld.floor,S=%zu", number % 1000000, (int)getpid(), number, size);
        int file = openat(tmp, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (file < 0 || size > limit || write(file, bytes, size) != (ssize_t)size) exit(74);
        if (flushes && fdatasync(file) != 0) exit(74);
        if (close(file) != 0 || renameat(tmp, name, new, name) != 0) exit(74);
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc < 2 || (mkdir(argv[1], 0700) != 0) || chdir(argv[1]) != 0) return 64;
    int threads = argc > 2 ? atoi(argv[2]) : 1;
    flushes = argc > 2;
    mkdir("tmp", 0700);
    mkdir("new", 0700);
    mkdir("cur", 0700);
    tmp = open("tmp", O_RDONLY | O_DIRECTORY);
    new = open("new", O_RDONLY | O_DIRECTORY);
    bytes = malloc(limit);
    sizes = malloc(sizeof *sizes * 1000000);
    if (tmp < 0 || new < 0 || bytes == NULL || sizes == NULL || threads < 1 || threads > 64) return 71;
    memset(bytes, 'x', 1 << 20);
    while (count < 1000000 && scanf("%zu", &sizes[count]) == 1) count++;
    pthread_t made[64];
    for (int index = 1; index < threads; index++) pthread_create(&made[index], NULL, make, NULL);
    make(NULL);
    for (int index = 1; index < threads; index++) pthread_join(made[index], NULL);
    if (flushes && (fsync(new) != 0 || fsync(tmp) != 0)) return 74;
    return 0;
}
