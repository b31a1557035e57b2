import Bytes
import Glibc
import OpenSSL
import Unix

/// One TCP or Unix connection, plain or TLS, used from one task on the event loop; for servers and clients alike.
///
/// Input is taken from `input` after `receive` has filled it; output gathers in a buffer until `flush`. While a
/// connection waits with nothing buffered it holds no memory for either.
package final class Connection {
    /// The other end.
    package let peer: SocketAddress
    /// This end.
    package let local: SocketAddress
    /// What has come in, decrypted, and was not taken yet.
    package var input = InputBuffer()

    private let socket: PolledDescriptor
    private var output: [UInt8] = []
    private var engine: TLSEngine?

    /// The most that one `receive` takes from the kernel.
    private static let receiveSize = 65_536

    /// Takes over a connected, non-blocking socket. Call on the loop.
    package init(_ descriptor: consuming FileDescriptor, peer: SocketAddress) throws(SystemError) {
        self.peer = peer
        local = Sockets.localAddress(descriptor.number)
        socket = try PolledDescriptor(descriptor)
    }

    deinit { socket.close() }

    /// Connects to `address`, from the local address `from` when given.
    package static func connect(
        to address: SocketAddress, from local: IPAddress? = nil, timeout: Duration
    ) async throws(ConnectionError) -> Connection {
        let connection: Connection
        do throws(SystemError) {
            connection = try Connection(Sockets.beginConnecting(to: address, from: local), peer: address)
        } catch {
            throw .system(error)
        }
        try check(await connection.socket.waitUntilWritable(deadline: deadline(after: timeout)))
        let code = Sockets.connectResult(connection.socket.number)
        guard code == 0 else {
            throw .system(SystemError(code: code, operation: "connect to", subject: "\(address)"))
        }
        return connection
    }

    /// What TLS has agreed on; nil on a plain connection.
    package var tls: TLSDescription? { engine?.description }

    /// The certificate of the other side and how it was judged; nil on a plain connection or when it gave none.
    package var peerCertificate: TLSPeerCertificate? { engine?.peerCertificate }

    /// What identifies the TLS connection (RFC 5056), by type; empty on a plain connection.
    package var channelBindings: [TLSChannelBinding: [UInt8]] { engine?.channelBindings ?? [:] }

    /// The other side has said in TLS that nothing more comes: the stream is whole, not cut.
    package var isClosedByPeer: Bool { engine?.isClosedByPeer ?? false }

    /// The other side has proved by TLS who it is.
    package var hasVerifiedPeer: Bool { engine?.isPeerVerified ?? false }

    /// The descriptor, for a server that interrupts its sessions.
    var polled: PolledDescriptor { socket }

    /// Closes at once. What was not flushed is lost; a TLS connection says goodbye when the kernel takes it.
    package func close() {
        if let engine {
            engine.beginShutdown()
            let goodbye = engine.takeOutput()
            _ = send(goodbye.span)
        }
        socket.close()
    }

    /// Closes at once, without the goodbye of TLS.
    package func abort() { socket.close() }

    // MARK: Receiving

    /// Waits until at least a byte is added to `input`; false at the end of the stream.
    ///
    /// With `interruptible`, a stopping server ends the wait with `ConnectionError.interrupted`.
    package func receive(
        timeout: Duration, interruptible: Bool = false
    ) async throws(ConnectionError) -> Bool {
        var deadline: UInt64?
        while true {
            let before = input.count
            if let engine {
                try readPlaintext(engine)
                if input.count > before { return true }
                if engine.isClosedByPeer { return false }
            }
            switch try receiveOnce() {
            case .some(0): return false
            case .some where engine == nil: return true
            case .some: continue
            case .none: break
            }
            if deadline == nil { deadline = Connection.deadline(after: timeout) }
            try Connection.check(
                await socket.waitUntilReadable(deadline: deadline, interruptible: interruptible))
        }
    }

    /// Reads once from the kernel into `input` or the TLS engine: the count, 0 at the end, nil when it would block.
    private func receiveOnce() throws(ConnectionError) -> Int? {
        let result = withUnsafeTemporaryAllocation(byteCount: Connection.receiveSize, alignment: 16) { buffer -> Int in
            let count = retryingOnInterrupt { recv(socket.number, buffer.baseAddress, buffer.count, 0) }
            guard count > 0 else { return count }
            let received = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            if let engine {
                engine.receive(Span(_unsafeBytes: received))
            } else {
                input.append(received)
            }
            return count
        }
        if result >= 0 { return result }
        switch errno {
        case EAGAIN: return nil
        case ECONNRESET, EPIPE: throw .closed
        default: throw .system(.last("receive from", "\(peer)"))
        }
    }

    private func readPlaintext(_ engine: TLSEngine) throws(ConnectionError) {
        do throws(TLSError) {
            input.append(try engine.readPlaintext())
        } catch {
            throw .tls("\(error)")
        }
        // Answers of the protocol itself, as to a key update, go out with the next flush at the latest.
        output += engine.takeOutput()
    }

    /// The next line without its line end (LF or CRLF); nil at the end of the stream.
    package func receiveLine(limit: Int, timeout: Duration) async throws(ConnectionError) -> [UInt8]? {
        var searched = 0
        while true {
            if let lf = input.bytes.firstIndex(of: ASCII.lf, from: searched) {
                var line = input.bytes.array(0..<lf)
                if line.last == ASCII.cr { line.removeLast() }
                input.consume(lf + 1)
                return line
            }
            searched = input.count
            if searched > limit { throw .lineTooLong }
            guard try await receive(timeout: timeout) else { return nil }
        }
    }

    /// Tells the other end that its first words have come: it may hold back the rest until it knows (RFC 896).
    package func acknowledgeAtOnce() {
        if peer.ip != nil { Sockets.acknowledgeAtOnce(socket.number) }
    }

    // MARK: Sending

    /// Adds to what `flush` will send.
    package func write(_ text: String) { write(Array(text.utf8)) }

    /// Adds to what `flush` will send.
    package func write(_ bytes: [UInt8]) { write(bytes.span) }

    /// Adds to what `flush` will send.
    package func write(_ bytes: Span<UInt8>) {
        if let engine {
            engine.writePlaintext(bytes)
            output += engine.takeOutput()
        } else {
            output.append(span: bytes)
        }
    }

    /// How many bytes wait to be flushed.
    package var pendingOutput: Int { output.count }

    /// Sends everything written so far. `timeout` is the longest time without any progress.
    package func flush(timeout: Duration) async throws(ConnectionError) {
        var sent = 0
        defer { output = [] }
        while sent < output.count {
            let count = send(output.span.extracting(sent..<output.count))
            if count >= 0 {
                sent += count
                continue
            }
            switch errno {
            case EAGAIN:
                let deadline = Connection.deadline(after: timeout)
                try Connection.check(await socket.waitUntilWritable(deadline: deadline))
            case ECONNRESET, EPIPE: throw .closed
            default: throw .system(.last("send to", "\(peer)"))
            }
        }
    }

    private func send(_ bytes: Span<UInt8>) -> Int {
        // Safe: the pointer and count are those of the span.
        bytes.withUnsafeBytes { raw in
            retryingOnInterrupt { Glibc.send(socket.number, raw.baseAddress, raw.count, Int32(MSG_NOSIGNAL)) }
        }
    }

    // MARK: TLS

    /// Begins TLS as the server. Everything that was received in the clear is thrown away first (RFC 3207 4.2); with
    /// `takingInput`, where a proxy's header has come before TLS, it is the beginning of the handshake.
    package func startTLS(
        server context: TLSContext, takingInput: Bool = false, timeout: Duration
    ) async throws(ConnectionError) {
        let received = takingInput ? input.takeAll() : []
        try await start({ () throws(TLSError) in try TLSEngine(server: context) }, received, timeout)
    }

    /// Begins TLS as the client and verifies that the server is `serverName`, as `context` asks. Without `checkingName`
    /// the certificate is judged by its chain and its time only; with TLSA records, by these (RFC 7672), for which the
    /// context must be made.
    package func startTLS(
        client context: TLSContext, serverName: String, checkingName: Bool = true,
        associations: [TLSAssociation] = [], timeout: Duration
    ) async throws(ConnectionError) {
        try await start(
            { () throws(TLSError) in
                let engine = try TLSEngine(client: context, serverName: serverName, checkingName: checkingName)
                if !associations.isEmpty { try engine.judge(by: associations, host: serverName) }
                return engine
            }, [], timeout)
    }

    /// Everything that the certificates of the other side say; nil on a plain connection or when it gave none.
    package func inspectCertificates(host: String) -> TLSInspection? { engine?.inspection(host: host) }

    private func start(
        _ make: () throws(TLSError) -> TLSEngine, _ received: [UInt8], _ timeout: Duration
    ) async throws(ConnectionError) {
        input.removeAll()
        let engine: TLSEngine
        do throws(TLSError) {
            engine = try make()
        } catch {
            throw .tls("\(error)")
        }
        if !received.isEmpty { engine.receive(received.span) }
        let deadline = Connection.deadline(after: timeout)
        while true {
            let result = Result { () throws(TLSError) in try engine.advanceHandshake() }
            output += engine.takeOutput()
            // An alert is sent even when the handshake has failed, so that the other side learns why.
            try await flush(timeout: timeout)
            switch result {
            case .success(true):
                self.engine = engine
                return
            case .success(false): break
            case .failure(let error): throw .tls("\(error)")
            }
            try await receiveCiphertext(engine, deadline)
        }
    }

    private func receiveCiphertext(_ engine: TLSEngine, _ deadline: UInt64?) async throws(ConnectionError) {
        while true {
            let result = withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 16) { buffer -> Int in
                let count = retryingOnInterrupt { recv(socket.number, buffer.baseAddress, buffer.count, 0) }
                if count > 0 {
                    engine.receive(Span(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<count])))
                }
                return count
            }
            if result > 0 { return }
            if result == 0 { throw .closed }
            switch errno {
            case EAGAIN: try Connection.check(await socket.waitUntilReadable(deadline: deadline))
            case ECONNRESET, EPIPE: throw .closed
            default: throw .system(.last("receive from", "\(peer)"))
            }
        }
    }

    // MARK: Waiting

    private static func deadline(after timeout: Duration) -> UInt64? {
        EventLoop.current?.deadline(after: timeout)
    }

    private static func check(_ readiness: Readiness) throws(ConnectionError) {
        switch readiness {
        case .ready: return
        case .timedOut: throw .timedOut
        case .cancelled: throw .cancelled
        case .interrupted: throw .interrupted
        }
    }
}
