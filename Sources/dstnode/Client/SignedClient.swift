import ArgumentParser
import AsyncHTTPClient
import Core
import Foundation
import NIOCore
import S3

/// Signed requests to a gateway, one at a time: for the tools.
struct SignedClient: Sendable {
    struct Response: Sendable {
        let status: Int
        let body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
        var isFine: Bool { (200..<300).contains(status) }
    }

    static let responseBytesMax = 64 << 20
    static let timeout = TimeAmount.seconds(60)

    /// `http://host:port`, without a slash at the end.
    let endpoint: String
    /// As the `Host` header says it.
    let host: String
    let signer: SigV4Signer

    init(endpoint: String, accessKey: String, secret: String, region: String) throws {
        guard let components = URLComponents(string: endpoint), let name = components.host,
            components.scheme == "http" || components.scheme == "https"
        else {
            throw ValidationError("'\(endpoint)' is not a URL: write http://host:port")
        }
        let port = components.port.map { ":\($0)" } ?? ""
        self.host = (name.contains(":") && !name.hasPrefix("[") ? "[\(name)]" : name) + port
        self.endpoint = "\(components.scheme ?? "http")://\(host)"
        signer = SigV4Signer(accessKey: accessKey, secret: secret, region: region)
    }

    /// The same credentials at another gateway.
    func at(_ address: HostPort) throws -> SignedClient {
        try SignedClient(
            endpoint: "http://\(address)", accessKey: signer.accessKey, secret: signer.secret,
            region: signer.region)
    }

    /// - Parameter target: Percent-encoded path and perhaps `?query`.
    func send(
        _ method: String, _ target: String, body: [UInt8] = [], headers: [(String, String)] = []
    ) async throws -> Response {
        var head = S3RequestHead(
            method: method, target: target, headers: S3Headers([("host", host)] + headers))
        let hash = Hex.encode(Digest.of(body, .sha256))
        signer.sign(&head, payload: hash, now: SystemClocks().wall)
        var request = HTTPClientRequest(url: endpoint + target)
        request.method = .init(rawValue: method)
        for (name, value) in head.headers { request.headers.add(name: name, value: value) }
        if !body.isEmpty { request.body = .bytes(ByteBuffer(bytes: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: Self.timeout)
        let bytes = try await response.body.collect(upTo: Self.responseBytesMax)
        return Response(status: Int(response.status.code), body: Array(buffer: bytes))
    }

    /// Sends and reads JSON; an S3 error ends the command with its words.
    func json<Answer: Decodable>(
        _ method: String, _ path: String, body: (any Encodable)? = nil, as type: Answer.Type
    ) async throws -> Answer {
        let response = try await checked(method, path, body: body)
        return try JSONDecoder().decode(type, from: Data(response.body))
    }

    @discardableResult
    func checked(
        _ method: String, _ path: String, body: (any Encodable)? = nil
    ) async throws -> Response {
        let bytes = try body.map { Array(try JSONEncoder().encode($0)) } ?? []
        let response: Response
        do {
            response = try await send(method, path, body: bytes)
        } catch {
            Terminal.complain("\(endpoint) does not answer: \(error)")
            throw ExitCode(1)
        }
        guard response.isFine else {
            Terminal.complain(
                "\(endpoint)\(path): \(response.status) \(Self.errorText(response.text))")
            throw ExitCode(1)
        }
        return response
    }

    /// Code and message of an S3 error, or the text as it is.
    static func errorText(_ xml: String) -> String {
        func element(_ name: String) -> String? {
            guard let start = xml.range(of: "<\(name)>"),
                let end = xml.range(of: "</\(name)>", range: start.upperBound..<xml.endIndex)
            else { return nil }
            return String(xml[start.upperBound..<end.lowerBound])
        }
        guard let code = element("Code") else { return String(xml.prefix(500)) }
        return "\(code): \(element("Message") ?? "")"
    }
}
