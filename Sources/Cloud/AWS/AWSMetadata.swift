import Core

/// The instance metadata service, version 2 only ("Use the Instance Metadata Service to access
/// instance metadata", Amazon EC2 User Guide): what is asked and how the answers read.
enum AWSMetadata {
    static func session(_ endpoint: CloudEndpoint) -> CloudRequest {
        CloudRequest(
            "PUT", endpoint, "/latest/api/token",
            headers: [
                ("x-aws-ec2-metadata-token-ttl-seconds", "\(CloudLimits.awsSessionSeconds)")
            ])
    }

    static func get(_ endpoint: CloudEndpoint, _ path: String, session: String) -> CloudRequest {
        CloudRequest(
            "GET", endpoint, "/latest/" + path,
            headers: [("x-aws-ec2-metadata-token", session)])
    }

    static let identityPath = "dynamic/instance-identity/document"
    static let rolesPath = "meta-data/iam/security-credentials/"
    static let lifecyclePath = "meta-data/autoscaling/target-lifecycle-state"
    static let spotPath = "meta-data/spot/instance-action"

    private struct Document: Decodable {
        let region: String
        let availabilityZone: String
        let instanceId: String
        let privateIp: String?
        let accountId: String
    }

    static func identity(_ reply: CloudReply, _ host: String) throws(CloudError) -> CloudIdentity {
        let document = try JSONReply.decode(Document.self, reply, from: host)
        guard isRegion(document.region) else { throw .malformed(host, what: "no region") }
        return CloudIdentity(
            cloud: .aws, instanceID: document.instanceId, instanceName: document.instanceId,
            region: document.region, zone: document.availabilityZone,
            address: document.privateIp, account: document.accountId)
    }

    /// It becomes part of a host name.
    static func isRegion(_ text: String) -> Bool {
        (1...40).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || byte == UInt8(ascii: "-")
            }
    }

    private struct Grant: Decodable {
        let code: String
        let accessKey: String?
        let secret: String?
        let token: String?
        let expiration: String?

        enum CodingKeys: String, CodingKey {
            case code = "Code"
            case accessKey = "AccessKeyId"
            case secret = "SecretAccessKey"
            case token = "Token"
            case expiration = "Expiration"
        }
    }

    static func credentials(
        _ reply: CloudReply, _ host: String
    ) throws(CloudError) -> AWSCredentials {
        let grant = try JSONReply.decode(Grant.self, reply, from: host)
        guard grant.code == "Success" else {
            throw .noIdentity(.aws, detail: Words.short(grant.code))
        }
        guard let key = grant.accessKey, let secret = grant.secret, let token = grant.token,
            let seconds = grant.expiration.flatMap(JSONReply.seconds)
        else { throw .malformed(host, what: "credentials without a part") }
        return AWSCredentials(
            accessKey: key, secret: secret, token: token,
            expires: WallTime(milliseconds: seconds * 1000))
    }
}

/// Credentials of the instance's role. Prints without its secrets.
package struct AWSCredentials: Sendable, Equatable, CustomStringConvertible,
    CustomDebugStringConvertible
{
    let accessKey: String
    let secret: String
    let token: String
    let expires: WallTime

    package var description: String { "credentials \(accessKey.prefix(4))…" }
    package var debugDescription: String { description }
}
