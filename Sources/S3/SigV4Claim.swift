import Core

/// Who a request says it is from, and the signature that is to prove it. Parsed, not yet proven.
///
/// ```
/// head ── SigV4Claim.parse ──► claim ── look up secret ── claim.verify ──► SigV4Proof
/// ```
package struct SigV4Claim: Sendable {
    package let accessKey: String
    package let isPresigned: Bool
    let scope: CredentialScope
    let timestamp: String
    let time: WallTime
    let signedHeaders: [Substring]
    let signature: Substring
    /// For presigned requests.
    let expiresSeconds: Int64
    let payload: PayloadMode
    let payloadText: String

    static let algorithm = "AWS4-HMAC-SHA256"

    /// - Returns: `nil` for a request that carries no signature at all (anonymous).
    /// - Throws: For one that carries a signature this server cannot read.
    package static func parse(
        _ head: S3RequestHead, query: S3Query
    ) throws(S3Error) -> SigV4Claim? {
        let authorization = head.headers["authorization"]
        let algorithm = query["X-Amz-Algorithm"]
        if authorization != nil && algorithm != nil {
            throw S3Error(
                .invalidArgument,
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
                    + "Signature query string parameter or the Authorization header should be "
                    + "specified")
        }
        if let authorization { return try SigV4Claim(header: authorization, head: head) }
        if let algorithm {
            return try SigV4Claim(algorithm: algorithm, head: head, query: query)
        }
        return nil
    }

    package static let unsupported = S3Error(
        .invalidRequest,
        "The authorization mechanism you have provided is not supported. Please use "
            + "AWS4-HMAC-SHA256.")

    private init(header: String, head: S3RequestHead) throws(S3Error) {
        guard header.hasPrefix(Self.algorithm) else { throw Self.unsupported }
        let fields = AuthorizationFields(header.dropFirst(Self.algorithm.count))
        guard let credential = fields.credential, let signed = fields.signedHeaders,
            let signature = fields.signature
        else {
            throw S3Error(
                .authorizationHeaderMalformed,
                "The authorization header is malformed; it needs Credential, SignedHeaders and "
                    + "Signature.")
        }
        guard let (accessKey, scope) = Self.split(credential) else {
            throw S3Error(
                .authorizationHeaderMalformed,
                "The authorization header is malformed; the Credential is mal-formed; expecting "
                    + "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
        }
        guard let time = Self.time(of: head) else {
            throw S3Error(
                .accessDenied,
                "AWS authentication requires a valid Date or x-amz-date header")
        }
        guard let payloadText = head.headers["x-amz-content-sha256"] else {
            throw S3Error(
                .invalidRequest, "Missing required header for this request: x-amz-content-sha256")
        }
        self.accessKey = accessKey
        self.scope = scope
        self.time = time
        self.timestamp = ISODate.formatBasic(time)
        self.signedHeaders = Self.names(signed)
        self.signature = signature
        self.payloadText = payloadText
        self.payload = try PayloadMode(payloadText)
        self.isPresigned = false
        self.expiresSeconds = 0
        if !timestamp.hasPrefix(scope.date) {
            throw S3Error(
                .authorizationHeaderMalformed,
                "The authorization header is malformed; Invalid credential date. Date is not the "
                    + "same as X-Amz-Date.")
        }
    }

    private init(algorithm: String, head: S3RequestHead, query: S3Query) throws(S3Error) {
        func fail(_ message: String) -> S3Error {
            S3Error(.authorizationQueryParametersError, message)
        }
        guard algorithm == Self.algorithm else {
            throw fail("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"")
        }
        guard let credential = query["X-Amz-Credential"], let date = query["X-Amz-Date"],
            let expires = query["X-Amz-Expires"], let signed = query["X-Amz-SignedHeaders"],
            let signature = query["X-Amz-Signature"]
        else {
            throw fail(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, "
                    + "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
                    + "X-Amz-Expires parameters.")
        }
        guard let (accessKey, scope) = Self.split(credential[...]) else {
            throw fail(
                "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; "
                    + "expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
        }
        guard let time = ISODate.parseBasic(date), date.hasPrefix(scope.date) else {
            throw fail("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        }
        guard let seconds = Int64(expires), seconds >= 0 else {
            throw fail("X-Amz-Expires should be a number")
        }
        guard seconds <= S3Limits.presignedSecondsMax else {
            throw fail("X-Amz-Expires must be less than a week (in seconds) that is, 604800")
        }
        let payloadText =
            head.headers["x-amz-content-sha256"] ?? query["X-Amz-Content-Sha256"]
            ?? PayloadMode.unsignedText
        self.accessKey = accessKey
        self.scope = scope
        self.time = time
        self.timestamp = date
        self.signedHeaders = Self.names(signed[...])
        self.signature = signature[...]
        self.payloadText = payloadText
        self.payload = try PayloadMode(payloadText)
        self.isPresigned = true
        self.expiresSeconds = seconds
    }

    private static func names(_ list: Substring) -> [Substring] {
        list.split(separator: ";").map { Substring($0.lowercased()) }
    }

    /// Access keys may hold slashes; the scope is the last four parts.
    private static func split(_ credential: Substring) -> (String, CredentialScope)? {
        let parts = credential.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 5, parts[parts.count - 1] == "aws4_request",
            parts[parts.count - 2] == "s3", parts[parts.count - 4].utf8.count == 8
        else { return nil }
        let accessKey = parts[..<(parts.count - 4)].joined(separator: "/")
        let scope = CredentialScope(
            date: String(parts[parts.count - 4]), region: String(parts[parts.count - 3]))
        return accessKey.isEmpty ? nil : (accessKey, scope)
    }

    private static func time(of head: S3RequestHead) -> WallTime? {
        if let date = head.headers["x-amz-date"] {
            return ISODate.parseBasic(date) ?? HTTPDate.parse(date)
        }
        return head.headers["date"].flatMap { HTTPDate.parse($0) ?? ISODate.parseBasic($0) }
    }
}

/// The parts of an `Authorization` header: `Credential=…, SignedHeaders=…, Signature=…`, with or
/// without spaces.
private struct AuthorizationFields {
    var credential: Substring?
    var signedHeaders: Substring?
    var signature: Substring?

    init(_ text: Substring) {
        for part in text.utf8.split(separator: UInt8(ascii: ",")) {
            let field = Substring(part.drop { $0 == UInt8(ascii: " ") })
            guard let mark = field.utf8.firstIndex(of: UInt8(ascii: "=")) else { continue }
            var value = field[field.utf8.index(after: mark)...]
            while value.utf8.last == UInt8(ascii: " ") { value.removeLast() }
            switch field[..<mark] {
            case "Credential": credential = value
            case "SignedHeaders": signedHeaders = value
            case "Signature": signature = value
            default: continue
            }
        }
    }
}
