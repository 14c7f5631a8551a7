import Core
import S3

/// `Get Secret` (Azure Key Vault REST API, 7.4).
enum AzureSecrets {
    static let permission = "Microsoft.KeyVault/vaults/secrets/getSecret/action"

    /// - Parameter path: `/secrets/NAME` or `/secrets/NAME/VERSION`, checked.
    static func get(_ endpoint: CloudEndpoint, path: String) -> CloudRequest {
        CloudRequest(
            "GET", endpoint, "\(path)?api-version=7.4",
            replyBytesMax: CloudLimits.secretBytesMax * 8)
    }

    private struct Value: Decodable { let value: String }

    static func value(_ reply: CloudReply, _ host: String) throws(CloudError) -> [UInt8] {
        Array(try JSONReply.decode(Value.self, reply, from: host).value.utf8)
    }
}

extension AzureClient {
    func secret(
        vault: String, path: String, _ deadline: CloudDeadline
    ) async throws(CloudError) -> [UInt8] {
        let endpoint = shell.endpoints.azureVault(vault)
        let (reply, _) = try await authorized(
            AzureSecrets.get(endpoint, path: path), audience: AzureMetadata.vault,
            permission:
                "\(AzureSecrets.permission) on \(vault)\(path) (role Key Vault Secrets User)",
            deadline)
        return try AzureSecrets.value(reply, endpoint.authority)
    }
}
