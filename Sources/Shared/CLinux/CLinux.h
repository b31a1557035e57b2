// What Swift's Glibc module lacks of Linux: epoll, eventfd, signalfd, and calls behind feature macros.
// _GNU_SOURCE is not defined here: over <sys/socket.h> it changes the sockaddr imports of the Glibc module.
#pragma once

#include <errno.h>
#include <stddef.h>
#include <shadow.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>

long syscall(long number, ...);

/// accept4(2): the new descriptor is non-blocking and close-on-exec.
static inline int facteur_accept(int fd, struct sockaddr *address, socklen_t *length) {
    return (int)syscall(SYS_accept4, fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/// pipe2(2): both ends are close-on-exec.
static inline int facteur_pipe(int ends[2]) {
    return (int)syscall(SYS_pipe2, ends, 02000000);
}

/// flock(2): exclusive, without waiting. The lock ends with the last descriptor of this open file.
static inline int facteur_flock_exclusive(int fd) {
    return (int)syscall(SYS_flock, fd, 2 | 4);
}

/// sync_file_range(2): begins to write all of a file to the disk, and does not wait for it.
static inline int facteur_begin_writing(int fd) {
    return (int)syscall(SYS_sync_file_range, fd, (int64_t)0, (int64_t)0, 2);
}

/// syncfs(2).
static inline int facteur_syncfs(int fd) {
    return (int)syscall(SYS_syncfs, fd);
}

/// renameat2(2) with RENAME_NOREPLACE.
static inline int facteur_rename_noreplace(int from_dir, const char *from, int to_dir, const char *to) {
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 1);
}

/// pidfd_open(2): readable when the process has ended.
static inline int facteur_pidfd_open(pid_t pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/// getrandom(2), for what needs no cryptographic library.
static inline ssize_t facteur_getrandom(void *buffer, size_t length) {
    return (ssize_t)syscall(SYS_getrandom, buffer, length, 0);
}

/// gettid(2).
static inline pid_t facteur_gettid(void) {
    return (pid_t)syscall(SYS_gettid);
}

/// struct mmsghdr, which needs _GNU_SOURCE.
struct facteur_datagram {
    struct msghdr header;
    unsigned length;
};

enum { facteur_datagrams_limit = 32 };

/// sendmmsg(2) on a connected socket, at most 32 at a time. The datagrams lie one after the other in `bytes`: the first
/// begins at `start`, and `ends` tells where each ends. The count of those that were sent, or -1.
static inline int facteur_send_datagrams(
    int fd, const uint8_t *bytes, uint32_t start, const uint32_t *ends, unsigned count) {
    struct facteur_datagram list[facteur_datagrams_limit];
    struct iovec parts[facteur_datagrams_limit];
    if (count > facteur_datagrams_limit) count = facteur_datagrams_limit;
    memset(list, 0, count * sizeof list[0]);
    for (unsigned i = 0; i < count; i++) {
        parts[i].iov_base = (void *)(bytes + start);
        parts[i].iov_len = ends[i] - start;
        start = ends[i];
        list[i].header.msg_iov = &parts[i];
        list[i].header.msg_iovlen = 1;
    }
    return (int)syscall(SYS_sendmmsg, fd, list, count, MSG_NOSIGNAL);
}

/// recvmmsg(2), at most 32 at a time: datagram i goes to `buffer + i * stride`, its length to `lengths[i]`. The count of
/// those that came, or -1.
static inline int facteur_receive_datagrams(
    int fd, uint8_t *buffer, size_t stride, uint32_t *lengths, unsigned count) {
    struct facteur_datagram list[facteur_datagrams_limit];
    struct iovec parts[facteur_datagrams_limit];
    if (count > facteur_datagrams_limit) count = facteur_datagrams_limit;
    memset(list, 0, count * sizeof list[0]);
    for (unsigned i = 0; i < count; i++) {
        parts[i].iov_base = buffer + i * stride;
        parts[i].iov_len = stride;
        list[i].header.msg_iov = &parts[i];
        list[i].header.msg_iovlen = 1;
    }
    int result = (int)syscall(SYS_recvmmsg, fd, list, count, MSG_DONTWAIT, (void *)0);
    for (int i = 0; i < result; i++) lengths[i] = list[i].length;
    return result;
}

/// openat2(2) that follows no links and fails with EAGAIN where it would have to wait for a disk.
static inline int facteur_openat_cached(int dir, const char *name, int flags) {
    struct { uint64_t flags, mode, resolve; } how = {(uint64_t)flags, 0, 0x20 | 0x04};
    return (int)syscall(437, dir, name, &how, sizeof how);
}

/// preadv2(2) of one buffer that fails with EAGAIN where it would have to wait for a disk.
static inline ssize_t facteur_pread_cached(int fd, void *buffer, size_t length, off_t offset) {
    struct iovec part = {buffer, length};
    return (ssize_t)syscall(SYS_preadv2, fd, &part, 1, offset, 0, 8);
}

/// setfsuid(2), setfsgid(2) and setgroups(2) for this thread alone; the C library would change every thread.
static inline int facteur_setfsuid(uint32_t uid) { return (int)syscall(SYS_setfsuid, uid); }
static inline int facteur_setfsgid(uint32_t gid) { return (int)syscall(SYS_setfsgid, gid); }
static inline int facteur_setgroups(size_t count, const uint32_t *groups) {
    return (int)syscall(SYS_setgroups, count, groups);
}
