import Core
import NIOCore
import NIOHTTP1
import NIOPosix
import S3
import Synchronization
import Testing

@testable import dstnode

/// Keeps what is put, by path; forgets what is deleted. Answers as S3 does where it matters here.
private final class TinyStore: Sendable {
    let sizes = Mutex<[String: Int]>([:])
    let counts = Mutex<[String: Int]>([:])

    func answer(_ head: HTTPRequestHead, _ bodyBytes: Int) -> (HTTPResponseStatus, Int) {
        let path = String(head.uri.prefix { $0 != "?" })
        counts.withLock { $0[head.method.rawValue, default: 0] += 1 }
        return sizes.withLock { sizes in
            switch head.method {
            case .PUT:
                sizes[path] = bodyBytes
                return (.ok, 0)
            case .DELETE:
                return (sizes.removeValue(forKey: path) == nil ? .notFound : .noContent, 0)
            default:
                if head.uri.contains("list-type=2") { return (.ok, 1000) }
                guard let size = sizes[path] else { return (.notFound, 0) }
                return (.ok, size)
            }
        }
    }
}

private final class TinyHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let store: TinyStore
    private var head: HTTPRequestHead?
    private var bodyBytes = 0

    init(store: TinyStore) { self.store = store }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            bodyBytes = 0
        case .body(let bytes): bodyBytes += bytes.readableBytes
        case .end:
            guard let head else { return }
            let (status, size) = store.answer(head, bodyBytes)
            let headers: HTTPHeaders = status == .noContent ? [:] : ["content-length": "\(size)"]
            context.write(
                wrapOutboundOut(.head(.init(version: .http1_1, status: status, headers: headers))),
                promise: nil)
            if head.method == .GET, size > 0 {
                let body = ByteBuffer(repeating: 7, count: size)
                context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}

@Suite struct BenchRunnerTests {
    private func withServer(
        _ body: (HostPort, TinyStore) async throws -> Void
    ) async throws {
        let store = TinyStore()
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 64)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(TinyHandler(store: store))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        do {
            let port = try #require(server.localAddress?.port)
            try await body(HostPort(host: "127.0.0.1", port: port), store)
        } catch {
            try await server.close()
            throw error
        }
        try await server.close()
    }

    private func runner(_ address: HostPort) async throws -> BenchRunner {
        try await BenchRunner(
            addresses: [address], bucket: "b",
            signer: SigV4Signer(accessKey: "a", secret: "s", region: "r"), laneCount: 2,
            serverPIDs: [], run: 1)
    }

    @Test func `every operation is counted, and only what was stored is read`() async throws {
        try await withServer { address, store in
            let runner = try await runner(address)
            for operation in BenchOperation.allCases {
                let isCounted = operation == .put || operation == .delete
                let result = try await runner.run(
                    BenchPhase(
                        operation: operation, objectBytes: 5000, connections: 6, warmUp: .zero,
                        duration: isCounted ? .seconds(60) : .milliseconds(200),
                        countMax: isCounted ? 200 : nil),
                    name: "test")
                #expect(result.failures.isEmpty, "\(operation): \(result.failures)")
                #expect(result.operations > 0, "\(operation)")
                #expect(result.latencyMilliseconds.p50 > 0)
                if isCounted { #expect(result.operations == 200) }
                if operation == .get {
                    #expect(
                        result.bytesPerSecond.rounded()
                            == (Double(5000 * result.operations) / result.seconds).rounded())
                }
            }
            #expect(try await runner.storedCount(ofSize: 5000) == 0)
            #expect(store.counts.withLock { $0["PUT"] ?? 0 } >= 200)
            try await runner.shutdown()
        }
    }

    @Test func `a server that is not there is a failure, not a hang`() async throws {
        let runner = try await runner(HostPort(host: "127.0.0.1", port: 1))
        let result = try await runner.run(
            BenchPhase(
                operation: .put, objectBytes: 10, connections: 2, warmUp: .zero,
                duration: .milliseconds(300)),
            name: "test")
        #expect(result.operations == 0)
        #expect((result.failures["0"] ?? 0) > 0)
        try await runner.shutdown()
    }
}
