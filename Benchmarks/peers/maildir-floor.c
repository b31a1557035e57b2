// The floor of a conversion to a Maildir: files of given sizes made in tmp/, written, and renamed into new/, one after
// another, and nothing else. usage: maildir-floor MAILDIR <sizes, one a line
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 2 || (mkdir(argv[1], 0700) != 0) || chdir(argv[1]) != 0) return 64;
    mkdir("tmp", 0700);
    mkdir("new", 0700);
    mkdir("cur", 0700);
    int tmp = open("tmp", O_RDONLY | O_DIRECTORY), new = open("new", O_RDONLY | O_DIRECTORY);
    size_t limit = 64 << 20, size;
    char *bytes = malloc(limit), name[96];
    if (tmp < 0 || new < 0 || bytes == NULL) return 71;
    memset(bytes, 'x', limit);
    for (long number = 1; scanf("%zu", &size) == 1; number++) {
        snprintf(name, sizeof name, "1093084063.M%06ldP%dQ%ld.floor,S=%zu", number % 1000000, (int)getpid(), number, size);
        int file = openat(tmp, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (file < 0 || size > limit || write(file, bytes, size) != (ssize_t)size || close(file) != 0) return 74;
        if (renameat(tmp, name, new, name) != 0) return 74;
    }
    return 0;
}
