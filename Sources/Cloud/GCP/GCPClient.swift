import Core

/// What a node asks Google Cloud. Keeps the token of its service account.
package final class GCPClient: Sendable {
    let shell: CloudShell
    private let tokens = TokenCache()

    package init(shell: CloudShell) { self.shell = shell }

    var metadataHost: String { shell.endpoints.gcpMetadata.authority }

    package func identity(_ deadline: CloudDeadline) async throws(CloudError) -> CloudIdentity {
        let project = try await word("project/project-id", deadline)
        guard GCPMetadata.isProject(project) else {
            throw .malformed(metadataHost, what: "no project")
        }
        let zone = GCPMetadata.lastPart(try await word("instance/zone", deadline))
        return CloudIdentity(
            cloud: .gcp, instanceID: try await word("instance/id", deadline),
            instanceName: try await word("instance/name", deadline),
            region: GCPMetadata.region(ofZone: zone), zone: zone,
            address: try await word("instance/network-interfaces/0/ip", deadline),
            account: project,
            group: try await optionalWord("instance/attributes/created-by", deadline))
    }

    func word(_ path: String, _ deadline: CloudDeadline) async throws(CloudError) -> String {
        guard let word = try await optionalWord(path, deadline) else {
            throw .malformed(metadataHost, what: "no \(path)")
        }
        return word
    }

    /// - Returns: `nil` for a value that is not set (404).
    private func optionalWord(
        _ path: String, _ deadline: CloudDeadline
    ) async throws(CloudError) -> String? {
        let reply = try await metadata(path, deadline)
        return reply.status == 404 ? nil : reply.word()
    }

    /// One answer of the metadata server: 2xx or 404.
    func metadata(_ path: String, _ deadline: CloudDeadline) async throws(CloudError) -> CloudReply
    {
        let reply = try await shell.metadata(
            GCPMetadata.get(shell.endpoints.gcpMetadata, path), deadline)
        return try checked(reply, path)
    }

    func checked(_ reply: CloudReply, _ path: String) throws(CloudError) -> CloudReply {
        guard GCPMetadata.isGoogle(reply) else { throw .notThisCloud(.gcp) }
        if reply.isFine || reply.status == 404 { return reply }
        if reply.status >= 500 || reply.status == 429 {
            throw .unavailable(
                metadataHost, status: reply.status, detail: "", after: reply.retryAfter)
        }
        throw .refused(metadataHost, status: reply.status, detail: path)
    }

    private func token(_ deadline: CloudDeadline) async throws(CloudError) -> BearerToken {
        let path = GCPMetadata.tokenPath
        if let token = tokens.token(path, now: shell.clocks.wall) { return token }
        let reply = try await metadata(path, deadline)
        if reply.status == 404 { throw .noIdentity(.gcp, detail: "no default service account") }
        let token = try GCPMetadata.token(reply, metadataHost, now: shell.clocks.wall)
        tokens.keep(token, for: path)
        return token
    }

    /// Sends a request with the service account's token; one that is refused is replaced, once.
    ///
    /// - Parameter permission: What the service account needs for it.
    /// - Returns: The reply, whose status is 2xx, and how many calls it cost.
    func authorized(
        _ request: CloudRequest, permission: String, _ deadline: CloudDeadline
    ) async throws(CloudError) -> (reply: CloudReply, callCount: Int) {
        for attempt in 1...2 {
            let token = try await token(deadline)
            var outgoing = request
            outgoing.headers.append(.init(name: "authorization", value: "Bearer \(token.text)"))
            let reply = try await shell.once(outgoing, deadline)
            if reply.isFine { return (reply, attempt) }
            let error = GCPFault.error(
                reply, service: request.endpoint.authority, permission: permission)
            guard case .credentialsRefused = error, attempt == 1 else { throw error }
            tokens.drop(token, of: GCPMetadata.tokenPath)
        }
        preconditionFailure("the second try returns or throws")
    }
}
