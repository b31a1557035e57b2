// A load client for POP3 servers, so that the servers are what is measured.
//   pop3load PORT USER PASSWORD sessions COUNT PARALLEL   logins with STAT and QUIT: seconds for all
//   pop3load PORT USER PASSWORD retr COUNT 1              RETR 1..COUNT, one at a time
//   pop3load PORT USER PASSWORD retr COUNT WINDOW         the same, WINDOW commands ahead
//   pop3load PORT USER PASSWORD stat 1 1                  from the connection to the answer of STAT
//   pop3load PORT USER PASSWORD idle COUNT 0              COUNT sessions without login (1: with), until killed
// USER may hold %d, which becomes the number of the session. Prints seconds and octets.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int port, count, parallel;
static const char *user, *password;
static int next_session;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *why) {
    fprintf(stderr, "pop3load: %s\n", why);
    exit(1);
}

struct connection {
    int fd;
    size_t start, end;
    long octets;
    char buffer[1 << 18];
};

static struct connection *opened(void) {
    struct connection *c = malloc(sizeof *c);
    c->start = c->end = 0;
    c->octets = 0;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (struct sockaddr *)&a, sizeof a)) die("cannot connect");
    return c;
}

static void fill(struct connection *c) {
    if (c->start == c->end) c->start = c->end = 0;
    if (c->end == sizeof c->buffer) {
        memmove(c->buffer, c->buffer + c->start, c->end - c->start);
        c->end -= c->start;
        c->start = 0;
    }
    ssize_t n = recv(c->fd, c->buffer + c->end, sizeof c->buffer - c->end, 0);
    if (n <= 0) die("the connection was closed");
    c->end += n;
    c->octets += n;
}

// Reads a line; whether it begins with +OK.
static int line(struct connection *c) {
    size_t searched = c->start;
    for (;;) {
        char *lf = memchr(c->buffer + searched, '\n', c->end - searched);
        if (lf) {
            int ok = c->buffer[c->start] == '+';
            c->start = lf + 1 - c->buffer;
            return ok;
        }
        size_t held = c->end - c->start;
        fill(c);
        searched = c->start + held;
    }
}

// Reads to the end of a message.
static void message(struct connection *c) {
    if (!line(c)) die("RETR failed");
    // The answer line is gone; what follows ends with CRLF.CRLF, or is .CRLF alone.
    if (c->end - c->start < 3) while (c->end - c->start < 3) fill(c);
    if (!memcmp(c->buffer + c->start, ".\r\n", 3)) {
        c->start += 3;
        return;
    }
    for (;;) {
        char *end = memmem(c->buffer + c->start, c->end - c->start, "\r\n.\r\n", 5);
        if (end) {
            c->start = end + 5 - c->buffer;
            return;
        }
        if (c->end - c->start > 4) c->start = c->end - 4;
        fill(c);
    }
}

static void say(struct connection *c, const char *text, size_t length) {
    while (length > 0) {
        ssize_t n = send(c->fd, text, length, MSG_NOSIGNAL);
        if (n <= 0) die("cannot send");
        text += n;
        length -= n;
    }
}

static void login(struct connection *c, int number) {
    char name[256], text[600];
    snprintf(name, sizeof name, user, number);
    if (!line(c)) die("no greeting");
    say(c, text, snprintf(text, sizeof text, "USER %s\r\n", name));
    if (!line(c)) die("USER failed");
    say(c, text, snprintf(text, sizeof text, "PASS %s\r\n", password));
    if (!line(c)) die("PASS failed");
}

static void shut(struct connection *c) {
    say(c, "QUIT\r\n", 6);
    line(c);
    close(c->fd);
    free(c);
}

static void *sessions(void *argument) {
    int number = (int)(long)argument;
    while (__sync_fetch_and_add(&next_session, 1) < count) {
        struct connection *c = opened();
        login(c, number);
        say(c, "STAT\r\n", 6);
        if (!line(c)) die("STAT failed");
        shut(c);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 7) die("wrong usage");
    port = atoi(argv[1]);
    user = argv[2];
    password = argv[3];
    count = atoi(argv[5]);
    parallel = atoi(argv[6]);
    double begin = now();
    long octets = 0;
    if (!strcmp(argv[4], "sessions")) {
        pthread_t threads[256];
        if (parallel > 256) die("too many in parallel");
        for (int i = 0; i < parallel; i++) pthread_create(threads + i, 0, sessions, (void *)(long)i);
        for (int i = 0; i < parallel; i++) pthread_join(threads[i], 0);
    } else if (!strcmp(argv[4], "retr")) {
        struct connection *c = opened();
        login(c, 0);
        // The first command is what makes some servers open the mailbox.
        say(c, "STAT\r\n", 6);
        if (!line(c)) die("STAT failed");
        begin = now();
        octets = c->octets;
        int asked = 0, got = 0;
        while (got < count) {
            char text[32 * 256];
            size_t length = 0;
            int limit = got + parallel < count ? got + parallel : count;
            if (asked == got)
                while (asked < limit && length < sizeof text - 32)
                    length += snprintf(text + length, sizeof text - length, "RETR %d\r\n", ++asked);
            if (length) say(c, text, length);
            message(c);
            got++;
        }
        octets = c->octets - octets;
        printf("%.6f %ld\n", now() - begin, octets);
        shut(c);
        return 0;
    } else if (!strcmp(argv[4], "stat")) {
        struct connection *c = opened();
        login(c, 0);
        say(c, "STAT\r\n", 6);
        if (!line(c)) die("STAT failed");
        printf("%.6f 0\n", now() - begin);
        shut(c);
        return 0;
    } else if (!strcmp(argv[4], "idle")) {
        for (int i = 0; i < count; i++) {
            struct connection *c = opened();
            if (parallel) {
                login(c, i);
                say(c, "STAT\r\n", 6);
            }
            if (!line(c)) die("no answer");
        }
        puts("ready");
        fflush(stdout);
        pause();
    } else {
        die("unknown mode");
    }
    printf("%.6f %ld\n", now() - begin, octets);
}
