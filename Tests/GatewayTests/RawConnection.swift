import NIOCore
import NIOPosix

/// HTTP/1.1 by hand, so that a test says and sees every byte. One task at a time.
final class RawConnection {
    struct Response {
        var status = 0
        /// Names in lower case.
        var headers: [(name: String, value: String)] = []
        var body: [UInt8] = []

        subscript(name: String) -> String? { headers.first { $0.name == name }?.value }
        var text: String { String(decoding: body, as: UTF8.self) }
        /// The `Code` of an error document.
        var code: String? {
            text.split(separator: "<Code>").dropFirst().first?
                .split(separator: "</Code>").first.map(String.init)
        }
    }

    struct Closed: Error {}

    private let channel: any Channel
    private var pieces: AsyncStream<ByteBuffer>.Iterator
    private var buffer: [UInt8] = []

    private init(_ channel: any Channel, _ stream: AsyncStream<ByteBuffer>) {
        self.channel = channel
        pieces = stream.makeAsyncIterator()
    }

    deinit { channel.close(promise: nil) }

    static func open(_ port: Int) async throws -> RawConnection {
        let (stream, feed) = AsyncStream<ByteBuffer>.makeStream(bufferingPolicy: .unbounded)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Feeder(feed))
                }
            }.connect(host: "127.0.0.1", port: port).get()
        return RawConnection(channel, stream)
    }

    func send(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    /// Ends this side; the other may go on.
    func close() async { try? await channel.close() }

    private func more() async throws {
        guard let piece = await pieces.next() else { throw Closed() }
        buffer += piece.readableBytesView
    }

    /// Nothing more comes.
    func isClosedByServer() async -> Bool {
        do { while true { try await more() } } catch { return true }
    }

    func response(to method: String = "GET") async throws -> Response {
        let end = Array("\r\n\r\n".utf8)
        var position = buffer.firstRange(of: end)
        while position == nil {
            try await more()
            position = buffer.firstRange(of: end)
        }
        guard let position else { throw Closed() }
        var response = Self.head(buffer[..<position.lowerBound])
        buffer.removeFirst(position.upperBound)
        if method == "HEAD" || response.status < 200 || [204, 304].contains(response.status) {
            return response
        }
        let length = Int(response["content-length"] ?? "") ?? 0
        while buffer.count < length { try await more() }
        response.body = Array(buffer.prefix(length))
        buffer.removeFirst(length)
        return response
    }

    private static func head(_ bytes: ArraySlice<UInt8>) -> Response {
        var response = Response()
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n")
        response.status = Int(lines[0].split(separator: " ")[1]) ?? 0
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            let value = parts.count > 1 ? parts[1].drop { $0 == " " } : ""
            response.headers.append((parts[0].lowercased(), String(value)))
        }
        return response
    }
}

private final class Feeder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let feed: AsyncStream<ByteBuffer>.Continuation

    init(_ feed: AsyncStream<ByteBuffer>.Continuation) { self.feed = feed }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        feed.yield(unwrapInboundIn(data))
    }

    func channelInactive(context: ChannelHandlerContext) { feed.finish() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
