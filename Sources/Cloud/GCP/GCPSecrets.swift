import Core
import S3

/// `projects.secrets.versions.access` (Secret Manager API, v1).
enum GCPSecrets {
    static let permission = "secretmanager.versions.access"

    /// - Parameter name: `projects/P/secrets/S/versions/V`, checked.
    static func access(_ endpoint: CloudEndpoint, name: String) -> CloudRequest {
        CloudRequest(
            "GET", endpoint, "/v1/\(name):access", replyBytesMax: CloudLimits.secretBytesMax * 4)
    }

    private struct Document: Decodable {
        struct Payload: Decodable {
            let data: String
            let dataCrc32c: String?
        }

        let payload: Payload
    }

    static func value(_ reply: CloudReply, _ host: String) throws(CloudError) -> [UInt8] {
        let payload = try JSONReply.decode(Document.self, reply, from: host).payload
        guard let bytes = Base64.decode(payload.data) else {
            throw .malformed(host, what: "no base64")
        }
        if let text = payload.dataCrc32c, let expected = UInt32(text) {
            guard CRC32C.of(bytes) == expected else {
                throw .malformed(host, what: "another checksum than it says")
            }
        }
        return bytes
    }
}

extension GCPClient {
    func secret(name: String, _ deadline: CloudDeadline) async throws(CloudError) -> [UInt8] {
        let endpoint = shell.endpoints.gcpSecrets
        let (reply, _) = try await authorized(
            GCPSecrets.access(endpoint, name: name),
            permission: "\(GCPSecrets.permission) on \(name)", deadline)
        return try GCPSecrets.value(reply, endpoint.authority)
    }
}
