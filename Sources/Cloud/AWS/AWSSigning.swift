import Core
import S3

/// Signs requests of AWS's query and JSON protocols, whose path is `/`.
enum AWSSigning {
    static func sign(
        _ request: CloudRequest, _ credentials: AWSCredentials, region: String, service: String,
        now: WallTime
    ) -> CloudRequest {
        let own = request.headers.map { ($0.name, $0.value) }
        var head = S3RequestHead(
            method: request.method, target: request.target,
            headers: S3Headers(
                [("host", request.endpoint.authority)] + own
                    + [("x-amz-security-token", credentials.token)]))
        let signer = SigV4Signer(
            accessKey: credentials.accessKey, secret: credentials.secret, region: region,
            service: service)
        let hash = Hex.encode(Digest.of(request.body, .sha256))
        signer.sign(&head, payload: hash, now: now)
        var signed = request
        signed.headers = head.headers.filter { $0.name != "host" }
            .map { CloudRequest.Header(name: $0.name, value: $0.value) }
        return signed
    }

    /// `name=value&…` as a form, percent-encoded.
    static func form(_ parameters: [(String, String)]) -> [UInt8] {
        let pairs = parameters.map { "\($0)=\(PercentCoding.encoded($1))" }
        return Array(pairs.joined(separator: "&").utf8)
    }

    /// A request of the query protocol.
    static func query(
        _ endpoint: CloudEndpoint, _ parameters: [(String, String)], replyBytesMax: Int
    ) -> CloudRequest {
        CloudRequest(
            "POST", endpoint, "/",
            headers: [("content-type", "application/x-www-form-urlencoded; charset=utf-8")],
            body: form(parameters), replyBytesMax: replyBytesMax)
    }
}
