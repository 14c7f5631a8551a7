/// Errors of Google's APIs: JSON with `error.code`, `message` and `errors[].reason` ("Errors",
/// Cloud APIs design guide).
enum GCPFault {
    private struct Document: Decodable {
        struct Fault: Decodable {
            struct Item: Decodable { let reason: String? }

            let message: String?
            let status: String?
            let errors: [Item]?
        }

        let error: Fault
    }

    private static let rateReasons: Set<String> = [
        "rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded",
    ]

    static func error(_ reply: CloudReply, service: String, permission: String) -> CloudError {
        let fault = (try? JSONReply.decode(Document.self, reply, from: ""))?.error
        let reasons = fault?.errors?.compactMap(\.reason) ?? []
        let word = reasons.first ?? fault?.status ?? ""
        let message = fault?.message ?? ""
        let detail = Words.short([word, message].filter { !$0.isEmpty }.joined(separator: ": "))
        let isRate = reasons.contains { rateReasons.contains($0) }
        switch reply.status {
        case 401: return .credentialsRefused(service, detail: detail)
        case 403 where isRate, 429: return .throttled(service, after: reply.retryAfter)
        case 403: return .denied(permission: permission, detail: detail)
        case 404: return .notFound(detail.isEmpty ? service : detail)
        case 500...:
            return .unavailable(
                service, status: reply.status, detail: detail, after: reply.retryAfter)
        default: return .refused(service, status: reply.status, detail: detail)
        }
    }
}
