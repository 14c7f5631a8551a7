import Core
import Synchronization

/// What a node asks Azure. Keeps the tokens of the VM's identity.
package final class AzureClient: Sendable {
    let shell: CloudShell
    private let clientID: String?
    private let tokens = TokenCache()
    /// The first list of a round whose second failed: the next round goes on from there, so that
    /// two lists that fail now and then come together.
    let pendingMachines = Mutex<PendingMachines?>(nil)

    struct PendingMachines: Sendable {
        let machines: [AzureMachines.Machine]
        let isPartial: Bool
        let until: MonotonicTime
    }

    /// - Parameter clientID: Which of several user-assigned identities; `nil`: the only one.
    package init(shell: CloudShell, clientID: String?) {
        self.shell = shell
        self.clientID = clientID
    }

    var metadataHost: String { shell.endpoints.azureMetadata.authority }

    package func identity(_ deadline: CloudDeadline) async throws(CloudError) -> CloudIdentity {
        let reply = try await metadata(AzureMetadata.instanceTarget, deadline)
        return try AzureMetadata.identity(reply, metadataHost)
    }

    /// One answer of the metadata service, 2xx.
    func metadata(
        _ target: String, _ deadline: CloudDeadline
    ) async throws(CloudError) -> CloudReply {
        let reply = try await shell.metadata(
            AzureMetadata.get(shell.endpoints.azureMetadata, target), deadline, repeats: [410])
        if reply.isFine { return reply }
        throw AzureFault.metadata(reply, metadataHost)
    }

    private func token(
        _ audience: String, _ deadline: CloudDeadline
    ) async throws(CloudError) -> BearerToken {
        if let token = tokens.token(audience, now: shell.clocks.wall) { return token }
        let request = AzureMetadata.token(
            shell.endpoints.azureMetadata, audience: audience, clientID: clientID)
        // 404 and 410: the service is just being changed ("How to use managed identities …",
        // section "Retry guidance").
        let reply = try await shell.metadata(request, deadline, repeats: [404, 410])
        guard reply.isFine else {
            if reply.status == 400 || reply.status == 403 {
                throw .noIdentity(.azure, detail: AzureFault.detail(reply))
            }
            throw AzureFault.metadata(reply, metadataHost)
        }
        let token = try AzureMetadata.bearer(reply, metadataHost, now: shell.clocks.wall)
        tokens.keep(token, for: audience)
        return token
    }

    /// Sends a request with a token of the VM's identity; one that is refused is replaced, once.
    ///
    /// - Parameter permission: What the identity needs for it.
    /// - Returns: The reply, whose status is 2xx, and how many calls it cost.
    func authorized(
        _ request: CloudRequest, audience: String, permission: String, _ deadline: CloudDeadline
    ) async throws(CloudError) -> (reply: CloudReply, callCount: Int) {
        for attempt in 1...2 {
            let token = try await token(audience, deadline)
            var outgoing = request
            outgoing.headers.append(.init(name: "authorization", value: "Bearer \(token.text)"))
            let reply = try await shell.once(outgoing, deadline)
            if reply.isFine { return (reply, attempt) }
            let error = AzureFault.error(
                reply, service: request.endpoint.authority, permission: permission)
            guard case .credentialsRefused = error, attempt == 1 else { throw error }
            tokens.drop(token, of: audience)
        }
        preconditionFailure("the second try returns or throws")
    }
}
