import S3

/// Errors of AWS's services: EC2's `Response/Errors/Error`, the query protocol's
/// `ErrorResponse/Error`, and JSON's `__type`.
enum AWSFault {
    private struct JSONFault: Decodable {
        let type: String?
        let message: String?
        let upperMessage: String?

        enum CodingKeys: String, CodingKey {
            case type = "__type"
            case message
            case upperMessage = "Message"
        }
    }

    static func error(_ reply: CloudReply, service: String, permission: String) -> CloudError {
        let (code, message) = fault(reply)
        let detail = Words.short(message.isEmpty ? code : "\(code): \(message)")
        switch code {
        case "UnauthorizedOperation", "AccessDenied", "AccessDeniedException":
            return .denied(permission: permission, detail: detail)
        case "RequestExpired", "RequestTimeTooSkewed", "InvalidSignatureException":
            return .clockWrong(service)
        case "SignatureDoesNotMatch" where message.contains("Signature expired"),
            "SignatureDoesNotMatch" where message.contains("Signature not yet current"):
            return .clockWrong(service)
        case "AuthFailure", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId",
            "UnrecognizedClientException", "SignatureDoesNotMatch":
            return .credentialsRefused(service, detail: detail)
        case "RequestLimitExceeded", "Throttling", "ThrottlingException", "RequestThrottled",
            "RequestThrottledException", "TooManyRequestsException":
            return .throttled(service, after: reply.retryAfter)
        case "ResourceNotFoundException": return .notFound(detail)
        default: break
        }
        if reply.status == 429 { return .throttled(service, after: reply.retryAfter) }
        if reply.status >= 500 {
            return .unavailable(
                service, status: reply.status, detail: detail, after: reply.retryAfter)
        }
        if reply.status == 401 { return .credentialsRefused(service, detail: detail) }
        if reply.status == 403 { return .denied(permission: permission, detail: detail) }
        return .refused(service, status: reply.status, detail: detail)
    }

    private static func fault(_ reply: CloudReply) -> (code: String, message: String) {
        guard reply.body.count <= CloudLimits.metadataBytesMax else { return ("", "") }
        if reply.body.first == UInt8(ascii: "{") {
            guard let fault = try? JSONReply.decode(JSONFault.self, reply, from: "") else {
                return ("", "")
            }
            // `com.amazonaws.secretsmanager#ResourceNotFoundException`
            let code = fault.type?.split(separator: "#").last.map(String.init) ?? ""
            return (code, fault.message ?? fault.upperMessage ?? "")
        }
        guard let root = try? XMLReader.read(reply.body) else { return ("", "") }
        let error = root.child("Errors")?.child("Error") ?? root.child("Error")
        return (error?.text(of: "Code") ?? "", error?.text(of: "Message") ?? "")
    }
}
