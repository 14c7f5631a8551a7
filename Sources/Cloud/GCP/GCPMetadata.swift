import Core

/// The metadata server ("About VM metadata", Compute Engine documentation): what is asked and how
/// the answers read.
enum GCPMetadata {
    static func get(_ endpoint: CloudEndpoint, _ path: String) -> CloudRequest {
        CloudRequest(
            "GET", endpoint, "/computeMetadata/v1/\(path)",
            headers: [("metadata-flavor", "Google")])
    }

    static let tokenPath = "instance/service-accounts/default/token"
    static let stopStatePath = "instance/shutdown-details/stop-state"
    static let preemptedPath = "instance/preempted"

    /// The reply says that it is Google's: anybody may answer at a name or a link-local address.
    static func isGoogle(_ reply: CloudReply) -> Bool {
        reply.headers["metadata-flavor"] == "Google"
    }

    private struct Token: Decodable {
        let access_token: String
        let expires_in: Int
    }

    static func token(
        _ reply: CloudReply, _ host: String, now: WallTime
    ) throws(CloudError) -> BearerToken {
        let token = try JSONReply.decode(Token.self, reply, from: host)
        let life = Duration.seconds(max(0, min(token.expires_in, 86400)))
        guard let bearer = BearerToken(token.access_token, life: life, now: now) else {
            throw .malformed(host, what: "no token")
        }
        return bearer
    }

    /// The last part of `projects/1/zones/europe-west1-b`.
    static func lastPart(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? ""
    }

    /// `europe-west1` of `europe-west1-b`.
    static func region(ofZone zone: String) -> String {
        zone.lastIndex(of: "-").map { String(zone[..<$0]) } ?? zone
    }

    /// A project's id or number: it becomes part of a path.
    static func isProject(_ text: String) -> Bool {
        (1...80).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || "-.:".utf8.contains(byte)
            }
    }
}
