import NIOSSL

/// What a failure of TLS means, for an operator.
enum TLSFailure {
    /// Names of alerts (RFC 8446, 6.2) by which a peer refuses the certificate that it was shown.
    private static let refusals = [
        "ALERT_CERTIFICATE", "ALERT_BAD_CERTIFICATE", "ALERT_UNKNOWN_CA",
        "ALERT_UNSUPPORTED_CERTIFICATE", "ALERT_ACCESS_DENIED",
    ]

    /// - Returns: Why the peer refuses this node; `nil` where it was something else.
    static func refusal(_ error: any Error) -> String? {
        guard case BoringSSLError.sslError(let stack) = error,
            stack.contains(where: { place in refusals.contains { "\(place)".contains($0) } })
        else { return nil }
        return "the peer does not accept this node's certificate; compare the clocks and "
            + "CLUSTER_SECRET of both; the peer's log says why"
    }

    /// The library's text has the places in its sources where the error arose; they are left out.
    static func describe(_ error: any Error) -> String {
        guard case BoringSSLError.sslError(let stack) = error, !stack.isEmpty else {
            return "\(error)"
        }
        return stack.map { place in
            let text = "\(place)"
            return text.firstRange(of: " at /").map { String(text[..<$0.lowerBound]) } ?? text
        }.joined(separator: ", ")
    }
}
