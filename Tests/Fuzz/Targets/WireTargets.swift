import Core
import Logging
import Messages
import NIOCore
import NIOEmbedded
import NIOTLS
import SwiftProtobuf

@testable import Wire

let wireTargets = [
    FuzzTarget(name: "wire-frames", runCount: 30_000, seeds: WireSeeds.frames, run: feedFrames),
    FuzzTarget(
        name: "wire-first-bytes", runCount: 30_000, seeds: WireSeeds.firstBytes,
        run: feedFirstBytes),
    FuzzTarget(name: "wire-hello", runCount: 50_000, seeds: WireSeeds.hellos, run: feedHello),
    FuzzTarget(
        name: "wire-server", runCount: 10_000, seeds: WireSeeds.requests, run: feedServer),
    FuzzTarget(name: "wire-client", runCount: 10_000, seeds: WireSeeds.replies, run: feedClient),
]

// MARK: Frames

/// What a decoder says of all pieces: events, pieces of DATA put together, then why it stopped.
private func frames(of pieces: [ArraySlice<UInt8>], lengthMax: Int) -> [String] {
    var decoder = FrameDecoder()
    decoder.lengthMax = lengthMax
    var said: [String] = []
    var data: (stream: UInt32, bytes: [UInt8])?
    func add(_ text: String) {
        if let data { said.append("data \(data.stream) \(Hex.encode(data.bytes))") }
        data = nil
        said.append(text)
    }
    do throws(FrameError) {
        for piece in pieces {
            decoder.feed(ByteBuffer(bytes: piece))
            while let event = try decoder.next() {
                switch event {
                case .frame(let header, let payload):
                    check(header.length == payload.readableBytes, "all of the payload")
                    check(header.length <= lengthMax, "within the limit")
                    checkRoundTrip(of: header)
                    add("\(header) \(Hex.encode(payload.readableBytesView))")
                case .data(let stream, let bytes, let isEnd):
                    if data?.stream != stream { add("") }
                    data = (stream, (data?.bytes ?? []) + Array(bytes.readableBytesView))
                    if isEnd { add("end") }
                }
            }
        }
        add("more")
    } catch {
        add("\(error)")
    }
    return said.filter { !$0.isEmpty }
}

private func checkRoundTrip(of header: FrameHeader) {
    var buffer = ByteBuffer()
    header.write(into: &buffer)
    let again = try? FrameHeader.read(from: &buffer, lengthMax: header.length)
    check(again == header && buffer.readableBytes == 0, "\(header) became another")
}

private func feedFrames(_ input: [UInt8]) {
    var script = Script(input)
    let (cutting, size) = (script.byte(), script.byte())
    let bytes = script.all()
    let lengthMax = size % 2 == 0 ? WireLimits.helloBytesMax : WireLimits.messageBytesMax
    let whole = frames(of: [bytes[...]], lengthMax: lengthMax)
    let inPieces = frames(of: cut(bytes, by: cutting | 1), lengthMax: lengthMax)
    check(whole == inPieces, "\(whole) in pieces: \(inPieces)")
}

/// A longer beginning never changes what was said of a shorter one.
private func feedFirstBytes(_ input: [UInt8]) {
    var verdict = FirstBytes.Verdict.needMore
    let step = max(1, input.count / 64)
    for count in Array(stride(from: 0, to: input.count, by: step)) + [input.count] {
        let next = FirstBytes.look(at: ByteBuffer(bytes: input[..<count]))
        check(verdict == .needMore || next == verdict, "\(verdict), then \(next)")
        verdict = next
    }
}

// MARK: Connections

private enum WireWorld {
    static let node = PeerIdentity(node: NodeID(high: 5, low: 5), role: .coordinator)
    static let peer = PeerIdentity(node: NodeID(high: 4, low: 4), role: .gateway)
    static let cluster = ClusterID(high: 1, low: 2)
    static let quiet: Logger = {
        var logger = Logger(label: "fuzz")
        logger.logLevel = .critical
        return logger
    }()

    /// Small, so that the input meets the limits.
    static let settings: WireSettings = {
        var settings = WireSettings()
        settings.streamWindowBytes = 1 << 10
        settings.connectionWindowBytes = 4 << 10
        settings.messageBytesMax = 4 << 10
        settings.streamsMax = 4
        return settings
    }()

    static let routes: WireRoutes = {
        var routes = WireRoutes()
        routes.on(.query) { $0.reply($0.message) }
        // Holds the call until its body has ended, and answers in two parts.
        routes.on(.chunkWrite) { call in
            call.readBody { event in
                switch event {
                case .bytes(let bytes):
                    if bytes.readableBytes % 2 == 0 { call.consumed(bytes.readableBytes) }
                case .end:
                    call.startReply(ByteBuffer(string: "head"))
                    call.enqueue(ByteBuffer(repeating: 7, count: 3000), end: true)
                case .failed: break
                }
            }
        }
        // Never answers.
        routes.on(.chunkRead) { call in call.onCancel {} }
        routes.onMessage(.raft) { _, _ in }
        return routes
    }()

    static let server: WireServer = {
        guard
            let certificates = try? NodeCertificates(
                identity: node, secrets: [[UInt8](repeating: 7, count: 32)])
        else { preconditionFailure("a secret makes certificates") }
        return WireServer(
            certificates: certificates, routes: routes, logger: quiet, settings: settings,
            cluster: { cluster })
    }()

    static func hello(_ lane: Lane) -> ByteBuffer {
        var bytes = ByteBuffer()
        Preface.write(into: &bytes)
        let hello = Handshake.hello(
            identity: peer, cluster: cluster, lane: lane, settings: settings)
        var payload = ByteBuffer(message: hello)
        FrameHeader(length: payload.readableBytes, type: .hello, isEnd: false, stream: 0)
            .write(into: &bytes)
        bytes.writeBuffer(&payload)
        return bytes
    }
}

/// One end of a connection; the input speaks for the other.
private struct Conversation {
    let channel = EmbeddedChannel()
    let connection: WireConnection

    init(_ side: WireConnection.Side) {
        connection = WireConnection(
            eventLoop: channel.eventLoop, inbox: LoopInbox(eventLoop: channel.eventLoop),
            settings: WireWorld.settings, side: side,
            certificate: CertificateCheck(identity: WireWorld.peer))
        try? channel.pipeline.syncOperations.addHandler(connection)
        channel.connect(to: .anywhere, promise: nil)
        channel.pipeline.fireUserInboundEventTriggered(
            TLSUserEvent.handshakeCompleted(negotiatedProtocol: Handshake.alpn))
    }

    func hear(_ bytes: ByteBuffer) {
        _ = try? channel.writeInbound(bytes)
        channel.embeddedEventLoop.run()
    }

    /// Whatever this end says keeps to the format.
    func checkSaid() {
        var decoder = FrameDecoder()
        decoder.lengthMax = WireLimits.messageBytesMax
        do {
            while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
                decoder.feed(bytes)
                while try decoder.next() != nil {}
            }
        } catch {
            preconditionFailure("what was sent is no frame: \(error)")
        }
    }

    func checkBooks() {
        if connection.state == .closed { return }
        let open = connection.streams.values
        check(connection.sendWindow >= 0 && connection.receiveWindow >= 0, "a window below zero")
        check(open.allSatisfy { $0.sendWindow >= 0 && $0.receiveWindow >= 0 }, "a stream's window")
        check(open.count <= WireWorld.settings.streamsMax, "too many streams")
        if !connection.isClient {
            let bytes = open.reduce(0) { $0 + $1.message.readableBytes }
            check(connection.messageBytesInFlight == bytes, "bytes in flight are miscounted")
        }
    }

    func end() {
        _ = try? channel.finish(acceptAlreadyClosed: true)
        channel.embeddedEventLoop.run()
        check(connection.state == .closed && connection.streams.isEmpty, "it does not end")
    }
}

extension SocketAddress {
    fileprivate static var anywhere: SocketAddress {
        guard let address = try? SocketAddress(ipAddress: "127.0.0.1", port: 1) else {
            preconditionFailure("an address")
        }
        return address
    }
}

private func feedServer(_ input: [UInt8]) {
    var script = Script(input)
    let cutting = script.byte()
    let talk = Conversation(.server(WireWorld.server))
    talk.hear(WireWorld.hello(.bulk))
    for piece in cut(script.all(), by: cutting) {
        talk.hear(ByteBuffer(bytes: piece))
        talk.checkBooks()
    }
    talk.checkSaid()
    talk.end()
    check(WireWorld.server.connectionCount == 0, "the server keeps what has ended")
}

private func feedClient(_ input: [UInt8]) {
    var script = Script(input)
    let cutting = script.byte()
    let talk = Conversation(
        .client(
            .init(
                expected: nil, identity: WireWorld.node, lane: .bulk, cluster: WireWorld.cluster,
                logger: WireWorld.quiet, logGate: LogGate(), onReady: { _ in },
                onDraining: { _ in }, onClosed: { _, _ in })))
    talk.hear(WireWorld.hello(.control))
    for isUnary in [true, false, false] {
        let stream = WireStream(
            method: .chunkRead, message: ByteBuffer(string: "message"),
            deadline: .now() + .hours(1), inbox: talk.connection.inbox,
            receiver: isUnary ? .unary { _ in } : .events { _ in },
            queuedBytesHigh: WireWorld.settings.queuedBytesHigh)
        stream.hasEndQueued = isUnary
        talk.connection.open(stream)
        if !isUnary { _ = stream.enqueue(ByteBuffer(repeating: 3, count: 3000), end: true) }
    }
    for piece in cut(script.all(), by: cutting) {
        talk.hear(ByteBuffer(bytes: piece))
        talk.checkBooks()
    }
    talk.checkSaid()
    talk.end()
}

/// The first message of a peer, read and judged.
private func feedHello(_ input: [UInt8]) {
    guard let hello = ByteBuffer(bytes: input).decoded(as: ProtoHello.self) else { return }
    let bytes = ByteBuffer(message: hello)
    check(bytes.decoded(as: ProtoHello.self) == hello, "a hello became another")
    for cluster in [nil, WireWorld.cluster] {
        do throws(HandshakeRefusal) {
            let theirs = try Handshake.check(
                hello, certificate: WireWorld.peer, cluster: cluster, expected: nil)
            check(theirs == nil || cluster == nil || theirs == cluster, "another cluster")
        } catch {
            check(!error.text.isEmpty, "a refusal says why")
        }
    }
}

// MARK: Seeds

private enum WireSeeds {
    static func bytes(
        _ type: FrameType, _ stream: UInt32, isEnd: Bool = false, _ payload: [UInt8] = []
    ) -> [UInt8] {
        var buffer = ByteBuffer()
        FrameHeader(length: payload.count, type: type, isEnd: isEnd, stream: stream)
            .write(into: &buffer)
        return Array(buffer.readableBytesView) + payload
    }

    static func request(_ method: Wire.Method, _ stream: UInt32, isEnd: Bool) -> [UInt8] {
        let head = [UInt8(method.rawValue), 0, 0, 0, 0, 100, 0, 0]
        return bytes(.request, stream, isEnd: isEnd, head + [1, 2, 3])
    }

    static func frames() -> [[UInt8]] {
        let hello = Array(WireWorld.hello(.bulk).readableBytesView)
        let talk = request(.query, 1, isEnd: true) + bytes(.data, 1, [1, 2, 3, 4])
        return [[0, 0] + hello, [4, 1] + hello + talk, [9, 0] + hello + bytes(.ping, 0, talk)]
    }

    static func hellos() -> [[UInt8]] {
        let hello = WireWorld.hello(.bulk)
        return [Array(hello.readableBytesView.dropFirst(20))]
    }

    static func requests() -> [[UInt8]] {
        let body = request(.chunkWrite, 1, isEnd: false) + bytes(.data, 1, [5, 5, 5, 5])
        return [
            [0] + request(.query, 1, isEnd: true) + request(.chunkRead, 2, isEnd: true)
                + bytes(.cancel, 2, isEnd: true),
            [3] + body + bytes(.data, 1, isEnd: true) + bytes(.window, 1, [0, 8, 0, 0])
                + bytes(.window, 0, [0, 8, 0, 0]),
            [7] + bytes(.ping, 0, [1, 2, 3, 4, 5, 6, 7, 8]) + bytes(.message, 0, [1, 0, 0, 0, 9])
                + bytes(.pong, 0) + bytes(.goAway, 0),
        ]
    }

    static func replies() -> [[UInt8]] {
        [
            [0] + bytes(.reply, 1, isEnd: true, [1, 2]) + bytes(.reply, 2, [3])
                + bytes(.data, 2, [4, 5, 6]) + bytes(.data, 2, isEnd: true),
            [2] + bytes(.failure, 2, isEnd: true, [1, 0, 65, 66]) + bytes(.goAway, 0)
                + bytes(.window, 3, [0, 8, 0, 0]),
        ]
    }

    static func firstBytes() -> [[UInt8]] {
        let names: [UInt8] = [5] + Array("dst/1".utf8)
        let alpn: [UInt8] = [0, 16, 0, UInt8(names.count + 2), 0, UInt8(names.count)] + names
        let body: [UInt8] =
            [3, 3] + [UInt8](repeating: 9, count: 32) + [0, 0, 2, 0x13, 1, 1, 0]
            + [0, UInt8(alpn.count)] + alpn
        let hello: [UInt8] = [1, 0, 0, UInt8(body.count)] + body
        func record(_ bytes: some Collection<UInt8>) -> [UInt8] {
            [22, 3, 1, 0, UInt8(bytes.count)] + bytes
        }
        return [
            Array("GET / HTTP/1.1\r\nhost: a\r\n\r\n".utf8), record(hello),
            record(hello.prefix(9)) + record(hello.dropFirst(9)),
        ]
    }
}
