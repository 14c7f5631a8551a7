import Core
import Synchronization

/// The clients of all clouds in one process: each is made once, so that tokens are shared.
package final class CloudClients: Sendable {
    package let shell: CloudShell
    package let aws: AWSClient
    package let gcp: GCPClient
    package let azure: AzureClient
    private let detected = Mutex<Cloud?>(nil)

    /// - Parameter azureClientID: `DISCOVERY_AZURE_CLIENT_ID`.
    package init(shell: CloudShell, azureClientID: String? = nil) {
        self.shell = shell
        aws = AWSClient(shell: shell)
        gcp = GCPClient(shell: shell)
        azure = AzureClient(shell: shell, clientID: azureClientID)
    }

    package func identity(
        of cloud: Cloud, _ deadline: CloudDeadline
    ) async throws(CloudError) -> CloudIdentity {
        switch cloud {
        case .aws: try await aws.identity(deadline)
        case .gcp: try await gcp.identity(deadline)
        case .azure: try await azure.identity(deadline)
        }
    }

    package func instances(
        of cloud: Cloud, cluster: String, _ deadline: CloudDeadline
    ) async throws(CloudError) -> CloudInstanceList {
        switch cloud {
        case .aws: try await aws.instances(cluster: cluster, deadline)
        case .gcp: try await gcp.instances(cluster: cluster, deadline)
        case .azure: try await azure.instances(cluster: cluster, deadline)
        }
    }

    /// The value of a secret, fetched with the identity of this machine.
    ///
    /// - Returns: 1...``CloudLimits/secretBytesMax`` bytes.
    package func secret(
        _ reference: SecretReference, _ deadline: CloudDeadline
    ) async throws(CloudError) -> [UInt8] {
        let value: [UInt8] =
            switch reference {
            case .aws(let arn, let region):
                try await aws.secret(arn: arn, region: region, deadline)
            case .gcp(let name): try await gcp.secret(name: name, deadline)
            case .azure(let vault, let path):
                try await azure.secret(vault: vault, path: path, deadline)
            }
        guard (1...CloudLimits.secretBytesMax).contains(value.count) else {
            throw .malformed("the secret's store", what: "a secret of \(value.count) bytes")
        }
        return value
    }

    package func lifecycle(of cloud: Cloud) -> any LifecycleWatch {
        switch cloud {
        case .aws: AWSLifecycle(client: aws)
        case .gcp: GCPLifecycle(client: gcp)
        case .azure: AzureLifecycle(client: azure)
        }
    }

    /// Which cloud this machine runs on: all three are asked at once. Found once, it stays.
    ///
    /// - Throws: ``CloudError/noCloud``, ``CloudError/ambiguous(_:)``.
    package func detect() async throws(CloudError) -> Cloud {
        if let known = detected.withLock({ $0 }) { return known }
        let deadline = shell.round(CloudLimits.detectionTime)
        let found = await withTaskGroup(of: Cloud?.self) { group in
            for cloud in Cloud.allCases {
                group.addTask { await self.answers(cloud, deadline) ? cloud : nil }
            }
            var found: [Cloud] = []
            for await cloud in group { found += cloud.map { [$0] } ?? [] }
            return found.sorted { $0.rawValue < $1.rawValue }
        }
        if Task.isCancelled { throw .cancelled }
        guard let cloud = found.first else { throw .noCloud }
        guard found.count == 1 else { throw .ambiguous(found) }
        detected.withLock { $0 = cloud }
        return cloud
    }

    /// Whether a cloud's metadata service answers in its own way. One that does not is no error:
    /// two of three never do.
    private func answers(_ cloud: Cloud, _ deadline: CloudDeadline) async -> Bool {
        let endpoints = shell.endpoints
        let request =
            switch cloud {
            case .aws: AWSMetadata.session(endpoints.awsMetadata)
            case .gcp: GCPMetadata.get(endpoints.gcpMetadata, "project/project-id")
            case .azure:
                AzureMetadata.get(endpoints.azureMetadata, AzureMetadata.instanceTarget)
            }
        guard
            let reply = try? await shell.send(
                request, deadline, limit: CloudLimits.callTime)
        else { return false }
        return Self.isAnswer(reply, of: cloud)
    }

    static func isAnswer(_ reply: CloudReply, of cloud: Cloud) -> Bool {
        guard reply.isFine else { return false }
        switch cloud {
        case .aws:
            guard let token = reply.word() else { return false }
            // Others may answer a PUT with a page.
            return token.utf8.count >= 8 && !token.contains(" ") && !token.contains("<")
        case .gcp: return GCPMetadata.isGoogle(reply)
        case .azure: return (try? AzureMetadata.identity(reply, "")) != nil
        }
    }
}
