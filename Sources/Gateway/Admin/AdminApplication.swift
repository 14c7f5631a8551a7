import AdminAPI
import ClusterView
import Core
import Foundation
import HTTPTypes
import Logging
import Messages
import NIOCore
import ObjectStore
import S3

/// The admin API: see ``AdminPaths``. Signed with the root key, or refused.
final class AdminApplication: Sendable {
    private let catalogue: any CatalogueDoor
    private let keys: AccessKeys
    /// Until this gateway has seen what was changed; bounded in time.
    typealias Wait = @Sendable (@escaping @Sendable (ClusterState) -> Bool) async -> Bool

    private let waitUntil: Wait
    private let report: @Sendable () async -> ClusterReport
    /// Of the cluster's certificate authority.
    private let fingerprint: @Sendable () -> String?
    /// As this gateway knows it by the watch.
    private let cluster: @Sendable () -> ClusterState
    private let clocks: any Clocks
    private let logger: Logger

    init(
        catalogue: any CatalogueDoor, keys: AccessKeys, clocks: any Clocks, logger: Logger,
        cluster: @escaping @Sendable () -> ClusterState, waitUntil: @escaping Wait,
        report: @escaping @Sendable () async -> ClusterReport,
        fingerprint: @escaping @Sendable () -> String?
    ) {
        self.catalogue = catalogue
        self.keys = keys
        self.clocks = clocks
        self.logger = logger
        self.cluster = cluster
        self.waitUntil = waitUntil
        self.report = report
        self.fingerprint = fingerprint
    }

    func serves(_ path: String) -> Bool { path.hasPrefix("/-/") }

    func reply(
        to exchange: Exchange, _ identity: Authenticator.Identity
    ) async throws -> Reply {
        guard identity.isRoot else {
            throw S3Error(.accessDenied, "The admin API takes the root key only.")
        }
        let head = exchange.head
        let body = try await exchange.collect(
            identity.proof, bytesMax: GatewayLimits.adminBodyBytesMax,
            tooLarge: .entityTooLarge)
        switch (head.method, head.path) {
        case ("GET", AdminPaths.status): return try Self.json(await report())
        case ("GET", AdminPaths.keys): return try Self.json(list())
        case ("POST", AdminPaths.keys): return try await create(body)
        case ("GET", AdminPaths.tokens): return try Self.json(try await tokens.list())
        case ("POST", AdminPaths.tokens): return try Self.json(try await tokens.create(body))
        case ("DELETE", let path) where path.hasPrefix(AdminPaths.tokens + "/"):
            try await tokens.revoke(String(path.dropFirst(AdminPaths.tokens.count + 1)))
            return Reply(204)
        case ("POST", let path) where path.hasPrefix(AdminPaths.nodes + "/"):
            try await nodes.change(path, head.query)
            return Reply(204)
        default: return try await change(head)
        }
    }

    private static func json(_ value: some Encodable) throws -> Reply {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = ByteBuffer(bytes: Array(try encoder.encode(value)))
        var reply = Reply(200, body: .bytes(bytes))
        reply.fields.append(HTTPField(name: .contentType, value: "application/json"))
        return reply
    }

    private func list() -> AccessKeyList {
        AccessKeyList(
            keys: cluster().accessKeys.values.sorted {
                ($0.createdMs, $0.id) < ($1.createdMs, $1.id)
            }.map {
                AccessKeyReport(
                    id: $0.id, label: $0.label, isEnabled: $0.isEnabled,
                    createdMilliseconds: $0.createdMs)
            })
    }

    private func create(_ body: [UInt8]) async throws -> Reply {
        guard let wish = try? JSONDecoder().decode(NewAccessKey.self, from: Data(body)),
            wish.label.count <= GatewayLimits.keyLabelCharactersMax
        else {
            throw S3Error(
                .invalidRequest,
                "The body must be {\"label\": TEXT} with at most "
                    + "\(GatewayLimits.keyLabelCharactersMax) characters.")
        }
        let created = Self.draw()
        var random = SystemRandomNumberGenerator()
        let nonce = (0..<BlockCipher.nonceBytes).map { _ in
            UInt8.random(in: 0...255, using: &random)
        }
        guard let sealed = keys.seal(secret: created.secret, id: created.id, nonce: nonce) else {
            throw S3Error(
                .notImplemented, "This gateway has no cluster secret and can make no keys.")
        }
        var key = ProtoAccessKey()
        key.id = created.id
        key.sealedSecret = sealed
        key.isEnabled = true
        key.label = wish.label
        key.createdMs = clocks.wall.milliseconds
        try await propose(.putAccessKey(.with { $0.key = key }))
        logger.notice("an access key was made", metadata: ["access.key": "\(created.id)"])
        return try Self.json(created)
    }

    /// Twenty characters and forty, as AWS makes them; about 80 and 236 bits.
    private static func draw() -> CreatedAccessKey {
        var random = SystemRandomNumberGenerator()
        func text(_ count: Int, of alphabet: [Character]) -> String {
            String(
                (0..<count).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                })
        }
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        let all = letters + Array("abcdefghijklmnopqrstuvwxyz0189+/")
        return CreatedAccessKey(id: "DSTK" + text(16, of: letters), secret: text(40, of: all))
    }

    private func change(_ head: S3RequestHead) async throws -> Reply {
        let prefix = AdminPaths.keys + "/"
        guard head.path.hasPrefix(prefix) else { throw Self.notFound(head.path) }
        let parts = head.path.dropFirst(prefix.count).split(
            separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, !first.isEmpty,
            let bytes = PercentCoding.decode(first.utf8)
        else { throw Self.notFound(head.path) }
        let id = String(decoding: bytes, as: UTF8.self)
        switch (head.method, parts.dropFirst().joined(separator: "/")) {
        case ("POST", "enable"): try await setEnabled(id, true)
        case ("POST", "disable"): try await setEnabled(id, false)
        case ("DELETE", ""):
            try await propose(.deleteAccessKey(.with { $0.id = id }))
            logger.notice("an access key was deleted", metadata: ["access.key": "\(id)"])
        default: throw Self.notFound(head.path)
        }
        return Reply(204)
    }

    private func setEnabled(_ id: String, _ isEnabled: Bool) async throws {
        try await propose(
            .setAccessKeyEnabled(
                .with {
                    $0.id = id
                    $0.isEnabled = isEnabled
                }))
        logger.notice(
            "an access key was \(isEnabled ? "enabled" : "disabled")",
            metadata: ["access.key": "\(id)"])
    }

    private var door: AdminCatalogue { AdminCatalogue(catalogue: catalogue, clocks: clocks) }

    private var tokens: AdminTokens {
        AdminTokens(door: door, clocks: clocks, logger: logger, fingerprint: fingerprint())
    }

    private var nodes: AdminNodes {
        AdminNodes(door: door, cluster: cluster(), waitUntil: waitUntil, logger: logger)
    }

    private static func notFound(_ path: String) -> S3Error {
        S3Error(.methodNotAllowed, "The admin API has no \(path) with this method.")
    }

    private func propose(_ kind: ProtoSystemCommand.OneOf_Kind) async throws {
        try await door.propose(kind)
    }
}
