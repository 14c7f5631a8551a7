import Core
import Synchronization

/// What a node asks AWS. Keeps the session of the metadata service and the role's credentials, and
/// fetches both anew before they end.
package final class AWSClient: Sendable {
    private struct Session {
        let token: String
        let until: MonotonicTime
    }

    let shell: CloudShell
    private let session = Mutex<Session?>(nil)
    private let credentials = Mutex<AWSCredentials?>(nil)

    package init(shell: CloudShell) { self.shell = shell }

    var metadataHost: String { shell.endpoints.awsMetadata.authority }

    package func identity(_ deadline: CloudDeadline) async throws(CloudError) -> CloudIdentity {
        let reply = try await metadata(AWSMetadata.identityPath, deadline)
        try checkFine(reply, AWSMetadata.identityPath)
        return try AWSMetadata.identity(reply, metadataHost)
    }

    private func checkFine(_ reply: CloudReply, _ path: String) throws(CloudError) {
        if reply.isFine { return }
        if reply.status >= 500 || reply.status == 429 {
            throw .unavailable(
                metadataHost, status: reply.status, detail: "", after: reply.retryAfter)
        }
        throw .refused(metadataHost, status: reply.status, detail: "/latest/\(path)")
    }

    /// One answer of the metadata service; a session that it no longer knows is replaced once.
    func metadata(
        _ path: String, _ deadline: CloudDeadline
    ) async throws(CloudError) -> CloudReply {
        let token = try await sessionToken(deadline)
        let reply = try await ask(path, token, deadline)
        guard reply.status == 401 else { return reply }
        session.withLock { $0 = nil }
        let again = try await ask(path, try await sessionToken(deadline), deadline)
        guard again.status != 401 else {
            throw .credentialsRefused(metadataHost, detail: "a new session, too")
        }
        return again
    }

    private func ask(
        _ path: String, _ token: String, _ deadline: CloudDeadline
    ) async throws(CloudError) -> CloudReply {
        let request = AWSMetadata.get(shell.endpoints.awsMetadata, path, session: token)
        return try await shell.metadata(request, deadline)
    }

    private func sessionToken(_ deadline: CloudDeadline) async throws(CloudError) -> String {
        let now = shell.clocks.monotonic
        if let session = session.withLock({ $0 }), now < session.until { return session.token }
        let token = try await newSession(deadline)
        let life = Duration.seconds(CloudLimits.awsSessionSeconds) - CloudLimits.refreshBefore
        let until = MonotonicTime(milliseconds: now.milliseconds + life.wholeMilliseconds)
        session.withLock { $0 = Session(token: token, until: until) }
        return token
    }

    private func newSession(_ deadline: CloudDeadline) async throws(CloudError) -> String {
        let reply = try await shell.metadata(
            AWSMetadata.session(shell.endpoints.awsMetadata), deadline)
        if reply.status >= 500 || reply.status == 429 {
            try checkFine(reply, "api/token")
        }
        guard reply.isFine, let token = reply.word(), !token.contains(" ") else {
            throw .notThisCloud(.aws)
        }
        return token
    }

    /// The role's credentials, fetched anew where they end within ``CloudLimits/refreshBefore``.
    func roleCredentials(_ deadline: CloudDeadline) async throws(CloudError) -> AWSCredentials {
        if let known = credentials.withLock({ $0 }), isFresh(known) { return known }
        let roles = try await metadata(AWSMetadata.rolesPath, deadline)
        if roles.status == 404 { throw .noIdentity(.aws, detail: "no role") }
        try checkFine(roles, AWSMetadata.rolesPath)
        let names = String(decoding: roles.body.prefix(1024), as: UTF8.self).split(separator: "\n")
        guard let role = names.first, role.utf8.allSatisfy(Self.isRoleByte) else {
            throw .noIdentity(.aws, detail: "no role")
        }
        let path = AWSMetadata.rolesPath + role
        let reply = try await metadata(path, deadline)
        if reply.status == 404 { throw .noIdentity(.aws, detail: "role \(role) is not ready") }
        try checkFine(reply, path)
        let new = try AWSMetadata.credentials(reply, metadataHost)
        credentials.withLock { $0 = new }
        return new
    }

    private func isFresh(_ known: AWSCredentials) -> Bool {
        let end = known.expires.milliseconds
        return shell.clocks.wall.milliseconds
            < end - Int64(CloudLimits.refreshBefore.wholeMilliseconds)
    }

    /// Letters, digits and `+=,.@-_` (IAM User Guide, "IAM name requirements").
    private static func isRoleByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "+=,.@-_".utf8.contains(byte)
        }
    }

    /// Sends a signed request; credentials that are refused are fetched anew, once.
    ///
    /// - Parameter permission: What the role needs for it.
    /// - Returns: The reply, whose status is 2xx, and how many calls it cost.
    func signed(
        _ request: CloudRequest, service: String, region: String, permission: String,
        _ deadline: CloudDeadline
    ) async throws(CloudError) -> (reply: CloudReply, callCount: Int) {
        for attempt in 1...2 {
            let credentials = try await roleCredentials(deadline)
            let signed = AWSSigning.sign(
                request, credentials, region: region, service: service, now: shell.clocks.wall)
            let reply = try await shell.once(signed, deadline)
            if reply.isFine { return (reply, attempt) }
            let error = AWSFault.error(
                reply, service: request.endpoint.authority, permission: permission)
            guard case .credentialsRefused = error, attempt == 1 else { throw error }
            self.credentials.withLock { if $0 == credentials { $0 = nil } }
        }
        preconditionFailure("the second try returns or throws")
    }
}
