import Core
import Foundation

/// `GetSecretValue` (AWS Secrets Manager API Reference), JSON protocol 1.1.
enum AWSSecrets {
    static let permission = "secretsmanager:GetSecretValue"

    static func get(_ endpoint: CloudEndpoint, arn: String) throws(CloudError) -> CloudRequest {
        let body: Data
        do {
            body = try JSONEncoder().encode(["SecretId": arn])
        } catch {
            throw .badReference(arn, advice: "write it in UTF-8")
        }
        return CloudRequest(
            "POST", endpoint, "/",
            headers: [
                ("content-type", "application/x-amz-json-1.1"),
                ("x-amz-target", "secretsmanager.GetSecretValue"),
            ], body: Array(body), replyBytesMax: CloudLimits.secretBytesMax * 8)
    }

    private struct Value: Decodable {
        let text: String?

        enum CodingKeys: String, CodingKey { case text = "SecretString" }
    }

    static func value(_ reply: CloudReply, _ host: String) throws(CloudError) -> [UInt8] {
        guard let text = try JSONReply.decode(Value.self, reply, from: host).text else {
            throw .malformed(host, what: "a binary secret; store it as text")
        }
        return Array(text.utf8)
    }
}

extension AWSClient {
    func secret(
        arn: String, region: String, _ deadline: CloudDeadline
    ) async throws(CloudError) -> [UInt8] {
        let endpoint = shell.endpoints.awsSecrets(region)
        let (reply, _) = try await signed(
            try AWSSecrets.get(endpoint, arn: arn), service: "secretsmanager", region: region,
            permission: "\(AWSSecrets.permission) on \(arn)", deadline)
        return try AWSSecrets.value(reply, endpoint.authority)
    }
}
