import AdminAPI
import Core
import Foundation
import Logging
import Messages
import S3
import Wire

/// Join tokens by the admin API, or beside a coordinator: see ``DirectTokens``.
package struct AdminTokens: Sendable {
    let door: AdminCatalogue
    let clocks: any Clocks
    let logger: Logger
    let fingerprint: String?

    package func list() async throws -> JoinTokenList {
        let now = clocks.wall.milliseconds
        let tokens = try await door.ask(.listJoinTokens(ProtoListJoinTokens())).joinTokens.tokens
        return JoinTokenList(
            tokens: tokens.sorted { ($0.createdMs, $0.id.hex) < ($1.createdMs, $1.id.hex) }.map {
                JoinTokenReport(
                    id: $0.id.hex, role: $0.role.nodeRole?.rawValue ?? "unknown", label: $0.label,
                    createdMilliseconds: $0.createdMs, expiresMilliseconds: $0.expiresMs,
                    state: $0.isRevoked ? "revoked" : $0.expiresMs <= now ? "expired" : "valid")
            })
    }

    func create(_ body: [UInt8]) async throws -> CreatedJoinToken {
        guard let wish = try? JSONDecoder().decode(NewJoinToken.self, from: Data(body)) else {
            throw Self.badWish
        }
        return try await create(wish)
    }

    package func create(_ wish: NewJoinToken) async throws -> CreatedJoinToken {
        guard let role = NodeRole(rawValue: wish.role), role != .coordinator,
            wish.label.count <= GatewayLimits.keyLabelCharactersMax,
            GatewayLimits.joinTokenSeconds.contains(wish.expiresSeconds)
        else { throw Self.badWish }
        guard let fingerprint else {
            throw S3Error(.serviceUnavailable, "This gateway has no certificate yet.")
        }
        var random = SystemRandomNumberGenerator()
        let token = JoinToken(role: role, fingerprint: fingerprint, using: &random)
        let expiry = clocks.wall.milliseconds + Int64(wish.expiresSeconds) * 1000
        let put = ProtoPutJoinToken.with {
            $0.token.id = Data(token.id)
            $0.token.secretHash = Data(JoinToken.hash(ofSecret: token.secret))
            $0.token.role = ProtoRole(role)
            $0.token.expiresMs = expiry
            $0.token.label = wish.label
        }
        try await door.propose(.putJoinToken(put))
        logger.notice(
            "a join token was made",
            metadata: ["token": "\(Hex.encode(token.id))", "role": "\(role.rawValue)"])
        return CreatedJoinToken(
            id: Hex.encode(token.id), token: token.text, expiresMilliseconds: expiry)
    }

    private static var badWish: S3Error {
        S3Error(
            .invalidRequest,
            "The body must be {\"role\": \"storage\" or \"gateway\", \"expiresSeconds\": "
                + "\(GatewayLimits.joinTokenSeconds.lowerBound) to "
                + "\(GatewayLimits.joinTokenSeconds.upperBound), \"label\": TEXT} with a label of "
                + "at most \(GatewayLimits.keyLabelCharactersMax) characters.")
    }

    package func revoke(_ id: String) async throws {
        guard let bytes = Hex.decode(id.utf8), bytes.count == JoinToken.idBytes else {
            throw S3Error(
                .invalidRequest, "A join token's id is \(JoinToken.idBytes * 2) hex digits.")
        }
        try await door.propose(.revokeJoinToken(.with { $0.id = Data(bytes) }))
        logger.notice("a join token was revoked", metadata: ["token": "\(id)"])
    }
}

extension Data {
    fileprivate var hex: String { Hex.encode(self) }
}
