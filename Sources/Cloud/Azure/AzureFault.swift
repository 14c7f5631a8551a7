/// Errors of Azure: `{"error":{"code","message"}}` of the resource manager and the vault,
/// `{"error","error_description"}` of the identity endpoint.
enum AzureFault {
    private struct Document: Decodable {
        struct Fault: Decodable {
            let code: String?
            let message: String?
        }

        let error: Fault
    }

    private struct IdentityDocument: Decodable {
        let error: String
        let error_description: String?
    }

    private static func fault(_ reply: CloudReply) -> (code: String, message: String) {
        if let document = try? JSONReply.decode(Document.self, reply, from: "") {
            return (document.error.code ?? "", document.error.message ?? "")
        }
        if let document = try? JSONReply.decode(IdentityDocument.self, reply, from: "") {
            return (document.error, document.error_description ?? "")
        }
        return ("", "")
    }

    static func detail(_ reply: CloudReply) -> String {
        let (code, message) = fault(reply)
        return Words.short([code, message].filter { !$0.isEmpty }.joined(separator: ": "))
    }

    static func error(_ reply: CloudReply, service: String, permission: String) -> CloudError {
        let (code, detail) = (fault(reply).code, detail(reply))
        switch reply.status {
        case 401: return .credentialsRefused(service, detail: detail)
        case 403: return .denied(permission: permission, detail: detail)
        case 404 where code == "SecretNotFound" || code.isEmpty:
            return .notFound(detail.isEmpty ? service : detail)
        case 404: return .notFound(detail)
        case 429: return .throttled(service, after: reply.retryAfter)
        case 500...:
            return .unavailable(
                service, status: reply.status, detail: detail, after: reply.retryAfter)
        default: return .refused(service, status: reply.status, detail: detail)
        }
    }

    /// Of the metadata service: there is nothing to be allowed.
    static func metadata(_ reply: CloudReply, _ host: String) -> CloudError {
        switch reply.status {
        case 429: .throttled(host, after: reply.retryAfter)
        case 404, 410, 500...:
            .unavailable(
                host, status: reply.status, detail: detail(reply), after: reply.retryAfter)
        default: .refused(host, status: reply.status, detail: detail(reply))
        }
    }
}
