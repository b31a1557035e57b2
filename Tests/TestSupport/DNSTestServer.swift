import Foundation

/// A question as it came in to a `DNSTestServer`.
public struct DNSRequest: Sendable {
    /// The message, without the length that TCP puts before it.
    public let bytes: [UInt8]
    public let isTCP: Bool
    /// The port that it came from; 0 for TCP.
    public let clientPort: UInt16
    /// How many came before it.
    public let number: Int
    /// In the case in which it was asked, without a dot at the end.
    public let name: String
    public let type: UInt16
    public let hasOptions: Bool
    /// Name, type and class as they stand in the message.
    public let question: [UInt8]

    public init?(_ bytes: [UInt8], isTCP: Bool, number: Int, clientPort: UInt16 = 0) {
        var labels: [String] = []
        var index = 12
        while index < bytes.count, bytes[index] > 0 {
            let end = index + 1 + Int(bytes[index])
            guard end < bytes.count else { return nil }
            labels.append(String(decoding: bytes[(index + 1)..<end], as: UTF8.self))
            index = end
        }
        guard index + 5 <= bytes.count else { return nil }
        self.bytes = bytes
        self.isTCP = isTCP
        self.number = number
        self.clientPort = clientPort
        name = labels.joined(separator: ".")
        type = UInt16(bytes[index + 1]) << 8 | UInt16(bytes[index + 2])
        question = Array(bytes[12..<(index + 5)])
        hasOptions = bytes[11] > 0
    }
}

/// A DNS answer to be: every part can be made wrong.
public struct DNSReply: Sendable {
    public var id: [UInt8]
    /// QR, RD and RA.
    public var flags: UInt16 = 0x8180
    /// In place of the count of each section.
    public var counts: [UInt16]?
    public var question: [UInt8]
    public var questionCount: UInt16 = 1
    public var answers: [[UInt8]] = []
    public var authority: [[UInt8]] = []
    public var additional: [[UInt8]] = []
    public var trailer: [UInt8] = []

    public init(to request: DNSRequest, answers: [[UInt8]] = [], code: UInt16 = 0) {
        id = Array(request.bytes[0..<2])
        question = request.question
        flags |= code
        self.answers = answers
    }

    public var bytes: [UInt8] {
        let counts =
            self.counts ?? [
                questionCount, UInt16(answers.count), UInt16(authority.count), UInt16(additional.count),
            ]
        let header = id + ([flags] + counts).flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        return header + question + (answers + authority + additional).joined() + trailer
    }

    /// A name in wire form; `*` at the end of `text` is a pointer to the question.
    public static func name(_ text: String) -> [UInt8] {
        let labels = text.split(separator: ".").filter { $0 != "*" }
        let wire = labels.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        return wire + (text.hasSuffix("*") ? [0xC0, 12] : [0])
    }

    public static func record(
        _ owner: String, _ type: UInt16, _ data: [UInt8], ttl: UInt32 = 300, class recordClass: UInt16 = 1,
        length: Int? = nil
    ) -> [UInt8] {
        let size = length ?? data.count
        let numbers = [type, recordClass, UInt16(ttl >> 16), UInt16(ttl & 0xFFFF), UInt16(size)]
        return name(owner) + numbers.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] } + data
    }

    public static func mx(_ owner: String, _ preference: UInt16, _ host: String) -> [UInt8] {
        record(owner, 15, [UInt8(preference >> 8), UInt8(preference & 255)] + name(host))
    }

    public static func a(_ owner: String, _ address: [UInt8]) -> [UInt8] { record(owner, 1, address) }

    public static func cname(_ owner: String, _ target: String) -> [UInt8] { record(owner, 5, name(target)) }

    public static func soa(_ owner: String) -> [UInt8] {
        record(owner, 6, name("ns.\(owner)") + name("h.\(owner)") + Array(repeating: 0, count: 19) + [60])
    }
}

/// A DNS server on loopback, UDP and TCP on one port that the kernel chose, that does whatever a test wants.
public final class DNSTestServer: @unchecked Sendable {
    public enum Action: Sendable {
        /// A whole message over the transport of the request.
        case send([UInt8])
        /// A datagram from another port than the one that was asked.
        case sendFromElsewhere([UInt8])
        /// Bytes of a TCP stream as they are, then a pause.
        case raw([UInt8])
        /// Ends the TCP connection.
        case close
    }

    public let port: UInt16
    private let datagrams: Int32
    private let listener: Int32
    private let handler: @Sendable (DNSRequest) -> [Action]
    private let lock = NSLock()
    private var isStopped = false
    private var log: [DNSRequest] = []

    /// Starts it. Without TCP nothing listens there.
    public init(tcp: Bool = true, _ handler: @escaping @Sendable (DNSRequest) -> [Action]) throws {
        self.handler = handler
        for _ in 0..<20 {
            let (udp, port) = DNSTestServer.bound(SOCK_DGRAM, 0)
            let (stream, _) = DNSTestServer.bound(SOCK_STREAM, port)
            if udp >= 0, stream >= 0 {
                datagrams = udp
                listener = stream
                self.port = port
                if tcp { listen(stream, 16) }
                Thread.detachNewThread { [self] in serve(tcp: tcp) }
                return
            }
            Glibc.close(udp)
            Glibc.close(stream)
        }
        throw TestFailure("no port for a DNS server")
    }

    /// Stops answering.
    public func stop() { lock.withLock { isStopped = true } }

    /// What was asked so far.
    public var requests: [DNSRequest] { lock.withLock { log } }

    private static func bound(_ type: __socket_type, _ port: UInt16) -> (Int32, UInt16) {
        let number = socket(AF_INET, Int32(type.rawValue) | O_CLOEXEC, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw -> Int32 in
                guard bind(number, raw, size) == 0 else { return -1 }
                return getsockname(number, raw, &size)
            }
        }
        return result == 0 ? (number, UInt16(bigEndian: address.sin_port)) : (-1, 0)
    }

    private func serve(tcp: Bool) {
        while !lock.withLock({ isStopped }) {
            var polls = [
                pollfd(fd: datagrams, events: Int16(POLLIN), revents: 0),
                pollfd(fd: tcp ? listener : -1, events: Int16(POLLIN), revents: 0),
            ]
            poll(&polls, 2, 50)
            if polls[0].revents != 0 { answerDatagram() }
            if polls[1].revents != 0 { answerConnection() }
        }
        Glibc.close(datagrams)
        Glibc.close(listener)
    }

    private func actions(_ bytes: [UInt8], isTCP: Bool, clientPort: UInt16 = 0) -> [Action] {
        let number = lock.withLock { log.count }
        guard let request = DNSRequest(bytes, isTCP: isTCP, number: number, clientPort: clientPort) else { return [] }
        lock.withLock { log.append(request) }
        return handler(request)
    }

    private func answerDatagram() {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        var peer = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &peer) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                let count = recvfrom(datagrams, &buffer, buffer.count, 0, raw, &size)
                guard count > 0 else { return }
                let port = raw.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    UInt16(bigEndian: $0.pointee.sin_port)
                }
                for action in actions(Array(buffer[..<count]), isTCP: false, clientPort: port) {
                    switch action {
                    case .send(let bytes): sendto(datagrams, bytes, bytes.count, 0, raw, size)
                    case .sendFromElsewhere(let bytes):
                        let other = DNSTestServer.bound(SOCK_DGRAM, 0).0
                        sendto(other, bytes, bytes.count, 0, raw, size)
                        Glibc.close(other)
                    case .raw, .close: break
                    }
                }
            }
        }
    }

    private func answerConnection() {
        let stream = accept(listener, nil, nil)
        defer { Glibc.close(stream) }
        var timeout = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(stream, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        guard let length = read(stream, 2), let message = read(stream, Int(length[0]) << 8 | Int(length[1])) else {
            return
        }
        for action in actions(message, isTCP: true) {
            switch action {
            case .send(let bytes): write(stream, [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes)
            case .raw(let bytes):
                write(stream, bytes)
                usleep(20_000)
            case .close: return
            case .sendFromElsewhere: break
            }
        }
        _ = read(stream, 1)
    }

    private func read(_ stream: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return recv(stream, &bytes, count, Int32(MSG_WAITALL)) == count ? bytes : nil
    }

    private func write(_ stream: Int32, _ bytes: [UInt8]) {
        _ = Glibc.send(stream, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}
