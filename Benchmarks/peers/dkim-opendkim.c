// DKIM verification by libopendkim in one process: reads every FILE, splits its header, and verifies, with the key of a TXT
// record in place of the DNS. Prints the microseconds of processor time that each message took.
//   dkim-opendkim 'v=DKIM1; p=...' FILE...
#include <sys/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <opendkim/dkim.h>

static const char *record;

static DKIM_CBSTAT look_up(DKIM *dkim, DKIM_SIGINFO *signature, unsigned char *buffer, size_t size) {
    (void)dkim, (void)signature;
    snprintf((char *)buffer, size, "%s", record);
    return DKIM_CBSTAT_CONTINUE;
}

// Gives the header field by field, each with its line ends but the last, then the body.
static int verify(DKIM_LIB *library, unsigned char *text, size_t size) {
    DKIM_STAT status;
    DKIM *dkim = dkim_verify(library, (const unsigned char *)"1", NULL, &status);
    if (!dkim) return 0;
    size_t start = 0;
    while (start + 1 < size && text[start] != '\r') {
        size_t end = start;
        for (;;) {
            unsigned char *lf = memchr(text + end, '\n', size - end);
            if (!lf) return 0;
            end = lf - text + 1;
            if (end >= size || (text[end] != ' ' && text[end] != '\t')) break;
        }
        dkim_header(dkim, text + start, end - start - 2);
        start = end;
    }
    start += 2;
    int good = dkim_eoh(dkim) == DKIM_STAT_OK && (start >= size || dkim_body(dkim, text + start, size - start) == DKIM_STAT_OK);
    good = good && dkim_eom(dkim, NULL) == DKIM_STAT_OK;
    dkim_free(dkim);
    return good;
}

int main(int argc, char **argv) {
    if (argc < 3) return 64;
    record = argv[1];
    struct timespec begin, end;
    DKIM_LIB *library = dkim_init(NULL, NULL);
    if (!library) return 70;
    dkim_set_key_lookup(library, look_up);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (int i = 2; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) return 66;
        fseek(file, 0, SEEK_END);
        long size = ftell(file);
        rewind(file);
        unsigned char *text = malloc(size + 1);
        if (!text || fread(text, 1, size, file) != (size_t)size) return 74;
        fclose(file);
        if (!verify(library, text, size)) {
            fprintf(stderr, "%s: is not verified\n", argv[i]);
            return 70;
        }
        free(text);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    printf("%.3f\n", ((end.tv_sec - begin.tv_sec) * 1e6 + (end.tv_nsec - begin.tv_nsec) / 1e3) / (argc - 2));
    dkim_close(library);
    return 0;
}
