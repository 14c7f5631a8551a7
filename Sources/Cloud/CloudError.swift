/// Asking the cloud failed. Each says what to do; all are expected, none stops a node.
package enum CloudError: Error, Equatable, Sendable {
    /// Nobody listens there, or the connection broke. Asked again later.
    case unreachable(String, reason: String)
    /// No complete answer in time. Asked again later.
    case late(String)
    /// The answer is longer than we read. Somebody else answers there, or a limit is too low.
    case tooLong(String, bytesMax: Int)
    /// The answer is not what the API's description says.
    case malformed(String, what: String)
    /// Somebody answers at the metadata address, but not this cloud.
    case notThisCloud(Cloud)
    /// No metadata service of any known cloud answers, or more than one.
    case noCloud
    case ambiguous([Cloud])
    /// The instance has no identity to ask with.
    case noIdentity(Cloud, detail: String)
    /// The identity lacks a permission: granting it takes minutes to work.
    case denied(permission: String, detail: String)
    /// The token or the credentials are expired or unknown: fetched anew.
    case credentialsRefused(String, detail: String)
    /// The clocks differ by minutes.
    case clockWrong(String)
    /// Too many calls; `after`: what the cloud asks for, cut to ``CloudLimits/retryAfterMax``.
    case throttled(String, after: Duration?)
    /// The service has a problem of its own.
    case unavailable(String, status: Int, detail: String, after: Duration?)
    /// The service answers that the request is wrong.
    case refused(String, status: Int, detail: String)
    case notFound(String)
    /// The next page is said to be at another host; a token sent there would be stolen.
    case foreignLink(String)
    /// A reference to a secret that can't be read.
    case badReference(String, advice: String)
    /// An endpoint or a setting that can't be used.
    case badEndpoint(name: String, value: String)
    case cancelled

    /// Whether the same call may succeed later without anybody changing anything.
    package var isTransient: Bool {
        switch self {
        case .unreachable, .late, .throttled, .unavailable, .credentialsRefused, .clockWrong,
            .noCloud, .tooLong, .malformed, .cancelled:
            true
        case .notThisCloud, .ambiguous, .noIdentity, .denied, .refused, .notFound, .foreignLink,
            .badReference, .badEndpoint:
            false
        }
    }

    /// Which error it is, without the words that differ from one call to the next: two of one kind
    /// are one line in the log.
    package var kind: String {
        switch self {
        case .unreachable(let host, _): "unreachable \(host)"
        case .late(let host): "late \(host)"
        case .tooLong(let host, _): "too long \(host)"
        case .malformed(let host, let what): "malformed \(host) \(what)"
        case .noIdentity(let cloud, _): "no identity \(cloud)"
        case .denied(let permission, _): "denied \(permission)"
        case .credentialsRefused(let service, _): "credentials \(service)"
        case .throttled(let service, _): "throttled \(service)"
        case .unavailable(let service, let status, _, _): "unavailable \(service) \(status)"
        case .refused(let service, let status, _): "refused \(service) \(status)"
        case .notThisCloud, .noCloud, .ambiguous, .clockWrong, .notFound, .foreignLink,
            .badReference, .badEndpoint, .cancelled:
            description
        }
    }

    /// What the service asks to wait.
    package var retryAfter: Duration? {
        switch self {
        case .throttled(_, let after), .unavailable(_, _, _, let after): after
        default: nil
        }
    }
}

extension CloudError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreachable(let host, let reason):
            "\(host) can't be reached (\(reason)); check the route, the firewall and, for a "
                + "private endpoint, its DNS name"
        case .late(let host): "\(host) did not answer in time; it is asked again"
        case .tooLong(let host, let max):
            "\(host) answers with more than \(max) bytes; check what listens there"
        case .malformed(let host, let what):
            "\(host) answers with something else than expected (\(what)); check what listens there"
        case .notThisCloud(let cloud):
            "the metadata service is not that of \(cloud.title); write DISCOVERY_METHOD=cloud or "
                + "the cloud that this machine runs on"
        case .noCloud:
            "no cloud's metadata service answers; write DISCOVERY_METHOD=static or dns where this "
                + "machine runs in no cloud"
        case .ambiguous(let clouds):
            "the metadata services of \(clouds.map(\.title).joined(separator: " and ")) answer; "
                + "write the name of the cloud instead of cloud"
        case .noIdentity(let cloud, let detail): Self.identityAdvice(cloud) + " (\(detail))"
        case .denied(let permission, let detail):
            "the instance's identity lacks \(permission); grant it, which takes minutes to work"
                + (detail.isEmpty ? "" : " (\(detail))")
        case .credentialsRefused(let service, let detail):
            "\(service) refuses the instance's credentials (\(detail)); new ones are fetched"
        case .clockWrong(let service):
            "\(service) finds that this machine's clock is wrong; check NTP"
        case .throttled(let service, let after):
            "\(service) is asked too often"
                + (after.map { "; it wants \($0.components.seconds) s of rest" } ?? "")
        case .unavailable(let service, let status, let detail, _):
            "\(service) has a problem (\(status)\(detail.isEmpty ? "" : ", \(detail)")); it is "
                + "asked again"
        case .refused(let service, let status, let detail):
            "\(service) refuses the request (\(status), \(detail)); check the settings"
        case .notFound(let what): "not found, or without a value yet: \(what)"
        case .foreignLink(let host):
            "the next page is said to be at \(host); nothing is sent to another host"
        case .badReference(let text, let advice):
            "'\(text)' is no reference to a secret; \(advice)"
        case .badEndpoint(let name, let value):
            "\(name)='\(value)' is no endpoint; write http://host:port or https://host"
        case .cancelled: "cancelled"
        }
    }

    private static func identityAdvice(_ cloud: Cloud) -> String {
        switch cloud {
        case .aws: "the instance has no role; attach an instance profile"
        case .gcp: "the instance has no service account; attach one with the scope cloud-platform"
        case .azure:
            "the VM has no identity, or several; assign one, or name its client id in "
                + "DISCOVERY_AZURE_CLIENT_ID"
        }
    }
}
