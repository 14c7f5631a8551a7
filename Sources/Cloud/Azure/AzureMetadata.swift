import Core
import S3

/// The instance metadata service of Azure ("Azure Instance Metadata Service", Azure documentation):
/// what is asked and how the answers read.
enum AzureMetadata {
    static func get(_ endpoint: CloudEndpoint, _ target: String) -> CloudRequest {
        CloudRequest("GET", endpoint, "/metadata/" + target, headers: [("metadata", "true")])
    }

    static let instanceTarget = "instance?api-version=2021-02-01"
    static let eventsTarget = "scheduledevents?api-version=2020-07-01"
    static let manager = "https://management.azure.com/"
    static let vault = "https://vault.azure.net"

    /// - Parameters:
    ///   - audience: For whom the token is: ``manager`` or ``vault``.
    ///   - clientID: Which of several identities of the VM.
    static func token(
        _ endpoint: CloudEndpoint, audience: String, clientID: String?
    ) -> CloudRequest {
        var target = "identity/oauth2/token?api-version=2018-02-01"
        target += "&resource=\(PercentCoding.encoded(audience))"
        if let clientID { target += "&client_id=\(PercentCoding.encoded(clientID))" }
        return get(endpoint, target)
    }

    private struct Document: Decodable {
        struct Compute: Decodable {
            let subscriptionId: String
            let resourceGroupName: String
            let name: String
            let resourceId: String?
            let location: String
            let zone: String?
            let vmScaleSetName: String?
        }
        struct Network: Decodable {
            struct Interface: Decodable { let ipv4: Family? }
            struct Family: Decodable { let ipAddress: [Address]? }
            struct Address: Decodable { let privateIpAddress: String? }

            let interface: [Interface]?
        }

        let compute: Compute
        let network: Network?
    }

    static func identity(_ reply: CloudReply, _ host: String) throws(CloudError) -> CloudIdentity {
        let document = try JSONReply.decode(Document.self, reply, from: host)
        let compute = document.compute
        guard !compute.subscriptionId.isEmpty, !compute.name.isEmpty else {
            throw .malformed(host, what: "no subscription or name")
        }
        let group = compute.vmScaleSetName ?? ""
        return CloudIdentity(
            cloud: .azure,
            instanceID: compute.resourceId
                ?? AzureMachines.id(
                    subscription: compute.subscriptionId, group: compute.resourceGroupName,
                    name: compute.name),
            instanceName: compute.name, region: compute.location,
            zone: zone(compute.zone, location: compute.location),
            address: document.network?.interface?.lazy
                .flatMap { $0.ipv4?.ipAddress ?? [] }.compactMap(\.privateIpAddress)
                .first { !$0.isEmpty },
            account: compute.subscriptionId, resourceGroup: compute.resourceGroupName,
            group: group.isEmpty ? nil : group)
    }

    /// `westeurope-1`; the location where the VM is in no zone.
    static func zone(_ number: String?, location: String) -> String {
        guard let number, !number.isEmpty else { return location }
        return "\(location)-\(number)"
    }

    /// The service writes it as a string, others as a number.
    private enum Seconds: Decodable {
        case seconds(Int64)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int64.self) {
                self = .seconds(number)
            } else if let number = Int64(try container.decode(String.self)) {
                self = .seconds(number)
            } else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "no time")
            }
        }

        var value: Int64 {
            switch self {
            case .seconds(let number): number
            }
        }
    }

    private struct Token: Decodable {
        let access_token: String
        let expires_on: Seconds
    }

    static func bearer(
        _ reply: CloudReply, _ host: String, now: WallTime
    ) throws(CloudError) -> BearerToken {
        let token = try JSONReply.decode(Token.self, reply, from: host)
        let left = token.expires_on.value.subtractingReportingOverflow(now.milliseconds / 1000)
        let life = Duration.seconds(left.overflow ? 0 : max(0, min(left.partialValue, 172_800)))
        guard let bearer = BearerToken(token.access_token, life: life, now: now) else {
            throw .malformed(host, what: "no token")
        }
        return bearer
    }
}
