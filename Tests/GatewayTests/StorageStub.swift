import Core
import Foundation
import Logging
import Messages
import NIOCore
import NIOPosix
import Synchronization
import Wire

/// A storage node's side of the node protocol, kept in memory: real sockets, real TLS.
final class StorageStub: Sendable {
    enum Mood: Sendable {
        case good
        /// Answers every chunk call with this.
        case answers(ProtoChunkStatus)
        /// Sends this many bytes of what was asked for, then fails the call.
        case breaksOff(afterBytes: Int)
        /// Never answers.
        case silent
    }

    static let cluster = ClusterID(high: 1, low: 2)
    let id: NodeID
    let chunks = Mutex<[ChunkID: [UInt8]]>([:])
    let mood = Mutex(Mood.good)
    let deleted = Mutex<[ChunkID]>([])
    let pulled = Mutex<[ChunkID]>([])
    private let listener: PortListener
    var address: String { "127.0.0.1:\(listener.port)" }

    init(_ number: UInt64) async throws {
        id = NodeID(high: 7, low: number)
        let server = WireServer(
            certificates: try Self.certificates(id, .storage), logger: Logger.quiet
        ) { Self.cluster }
        var configuration = PortListener.Configuration(
            address: "127.0.0.1:0", group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger.quiet)
        configuration.wire = server
        listener = try await PortListener.bind(configuration)
        var routes = WireRoutes()
        routes.on(.chunkWrite) { [self] call in call.run { try await self.write($0) } }
        routes.on(.chunkRead) { [self] call in call.run { try await self.read($0) } }
        routes.on(.chunkDelete) { [self] call in
            call.respond { call in
                let request = try call.decode(ProtoDeleteChunksRequest.self)
                self.deleted.withLock { $0 += request.chunks.compactMap { ChunkID(bytes: $0) } }
                return ProtoDeleteChunksReply.with { $0.status = .done }
            }
        }
        routes.on(.chunkPull) { [self] call in
            call.respond { call in
                let request = try call.decode(ProtoPullChunksRequest.self)
                self.pulled.withLock { $0 += request.chunks.compactMap { ChunkID(bytes: $0) } }
                return ProtoPullChunksReply.with { $0.status = .done }
            }
        }
        server.setRoutes(routes)
    }

    static func certificates(_ id: NodeID, _ role: NodeRole) throws -> NodeCertificates {
        try NodeCertificates(
            identity: PeerIdentity(node: id, role: role),
            secrets: [[UInt8](repeating: 7, count: 32)], clocks: SystemClocks())
    }

    func stop() async { await listener.close() }

    private func write(_ call: ServerCall) async throws {
        let request = try call.decode(ProtoWriteChunkRequest.self)
        switch mood.withLock({ $0 }) {
        case .answers(let status):
            return call.reply(ProtoWriteChunkReply.with { $0.status = status })
        case .silent: return try await Task.sleep(for: .seconds(60))
        case .breaksOff: return call.fail(WireFailure(.internalError, "broken off"))
        case .good: break
        }
        var bytes: [UInt8] = []
        while let piece = try await call.nextBody() { bytes += piece.readableBytesView }
        let isWhole = bytes.count == Int(request.bytes)
        if isWhole, let id = ChunkID(bytes: request.chunk) {
            chunks.withLock { [bytes] in $0[id] = bytes }
        }
        call.reply(ProtoWriteChunkReply.with { $0.status = isWhole ? .done : .invalid })
    }

    private func read(_ call: ServerCall) async throws {
        let request = try call.decode(ProtoReadChunkRequest.self)
        var count = Int.max
        switch mood.withLock({ $0 }) {
        case .answers(let status):
            return call.reply(ProtoReadChunkReply.with { $0.status = status })
        case .silent: return try await Task.sleep(for: .seconds(60))
        case .breaksOff(let bytes): count = bytes
        case .good: break
        }
        guard let id = ChunkID(bytes: request.chunk), let sealed = chunks.withLock({ $0[id] })
        else { return call.reply(ProtoReadChunkReply.with { $0.status = .notFound }) }
        call.startReply(ProtoReadChunkReply.with { $0.status = .done })
        let start = Int(request.firstBlock) * Limits.sealedBlockBytes
        let end = min(sealed.count, start + Int(request.blockCount) * Limits.sealedBlockBytes)
        for offset in stride(from: start, to: end, by: Limits.sealedBlockBytes) {
            guard offset - start < count else {
                return call.fail(WireFailure(.internalError, "broken off"))
            }
            let block = sealed[offset..<min(end, offset + Limits.sealedBlockBytes)]
            try await call.send(ByteBuffer(bytes: block))
        }
        call.finish()
    }
}

extension Logger {
    static var quiet: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }
}
