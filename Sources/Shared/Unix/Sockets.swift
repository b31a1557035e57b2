import CLinux
import Glibc

/// Sockets as descriptors: made, bound, connected. All are non-blocking and close-on-exec.
package enum Sockets {
    private static let streamType = Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC
    private static let datagramType = Int32(SOCK_DGRAM.rawValue) | O_NONBLOCK | O_CLOEXEC

    /// A listening socket. A Unix path on which nobody listens any more is replaced; one that is in use is EADDRINUSE.
    package static func listen(
        on address: SocketAddress, backlog: Int32 = 1_024
    ) throws(SystemError) -> FileDescriptor {
        let subject = "\(address)"
        let number = socket(address.family, streamType, 0)
        guard number >= 0 else { throw .last("listen on", subject) }
        let descriptor = FileDescriptor(owning: number, subject: subject)
        if case .unix(let path) = address { removeStaleSocket(path) }
        setOption(number, SOL_SOCKET, SO_REUSEADDR, 1)
        if address.family == AF_INET6 { setOption(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        guard address.withSystemAddress({ bind(number, $0, $1) }) == 0, Glibc.listen(number, backlog) == 0 else {
            throw .last("listen on", subject)
        }
        return descriptor
    }

    private static func removeStaleSocket(_ path: String) {
        guard let status = try? Files.status(path, followLinks: false), status.st_mode & S_IFMT == S_IFSOCK else {
            return
        }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        guard probe >= 0 else { return }
        defer { close(probe) }
        let result = SocketAddress.unix(path).withSystemAddress { connect(probe, $0, $1) }
        if result != 0, errno == ECONNREFUSED { unlink(path) }
    }

    /// Another descriptor of a socket; nil when there is none to be had.
    package static func copy(of number: Int32, subject: String) -> FileDescriptor? {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
        return copy < 0 ? nil : FileDescriptor(owning: copy, subject: subject)
    }

    /// The next connection of a listening socket; nil when none is waiting.
    package static func accept(
        from listener: Int32
    ) throws(SystemError) -> (descriptor: Int32, peer: SocketAddress)? {
        while true {
            let (number, peer) = SocketAddress.filled { facteur_accept(listener, $0, $1) }
            if number >= 0 {
                if peer.ip != nil { setOption(number, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }
                return (number, peer)
            }
            switch errno {
            case EAGAIN: return nil
            case EINTR, ECONNABORTED, EPROTO: continue
            default: throw .last("accept", "a connection")
            }
        }
    }

    /// A stream socket that has begun to connect; it is writable when it is done, and `connectResult` tells how.
    package static func beginConnecting(
        to address: SocketAddress, from local: IPAddress? = nil
    ) throws(SystemError) -> FileDescriptor {
        try begin(streamType, address, local)
    }

    /// A datagram socket that takes datagrams from `address` alone.
    package static func connectedDatagram(to address: SocketAddress) throws(SystemError) -> FileDescriptor {
        try begin(datagramType, address, nil)
    }

    private static func begin(
        _ type: Int32, _ address: SocketAddress, _ local: IPAddress?
    ) throws(SystemError) -> FileDescriptor {
        let subject = "\(address)"
        let number = socket(address.family, type, 0)
        guard number >= 0 else { throw .last("connect to", subject) }
        let descriptor = FileDescriptor(owning: number, subject: subject)
        if type == streamType, address.ip != nil { setOption(number, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }
        if let local {
            let bound = SocketAddress.ip(local, port: 0).withSystemAddress { bind(number, $0, $1) }
            guard bound == 0 else { throw .last("connect from", "\(local)") }
        }
        let result = address.withSystemAddress { connect(number, $0, $1) }
        guard result == 0 || errno == EINPROGRESS || errno == EINTR else { throw .last("connect to", subject) }
        return descriptor
    }

    /// How connecting ended: 0, or the `errno` of the failure.
    package static func connectResult(_ number: Int32) -> Int32 {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(number, SOL_SOCKET, SO_ERROR, &code, &length) == 0 ? code : errno
    }

    /// The address that a socket is bound to, with the port that the kernel chose.
    package static func localAddress(_ number: Int32) -> SocketAddress {
        SocketAddress.filled { getsockname(number, $0, $1) }.address
    }

    /// The address at the other end.
    package static func peerAddress(_ number: Int32) -> SocketAddress {
        SocketAddress.filled { getpeername(number, $0, $1) }.address
    }

    /// The listening sockets that a service manager handed over (`LISTEN_FDS`, sd_listen_fds(3)).
    package static func inheritedListeners() -> [Int32] {
        guard let process = getenv("LISTEN_PID"), let count = getenv("LISTEN_FDS"),
            Int32(String(cString: process)) == getpid(),
            let count = Int32(String(cString: count)), count > 0, count < 1_024
        else { return [] }
        unsetenv("LISTEN_PID")
        unsetenv("LISTEN_FDS")
        return (3..<(3 + count)).map { number in
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK)
            return number
        }
    }

    /// Has what came over a TCP connection be acknowledged now: a peer that sends its answers one by one may hold the next
    /// one back until then (RFC 896), for as long as the kernel would wait for something to send along.
    package static func acknowledgeAtOnce(_ number: Int32) {
        setOption(number, Int32(IPPROTO_TCP), TCP_QUICKACK, 1)
    }

    private static func setOption(_ number: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}
