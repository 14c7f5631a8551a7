import AsyncHTTPClient
import Core
import NIOCore
import NIOHTTP1

/// The one door to a cloud's HTTP.
package protocol CloudTransport: Sendable {
    /// - Parameter limit: From connecting to the last byte of the reply.
    /// - Returns: The reply, whatever its status. Redirects are replies like others.
    /// - Throws: ``CloudError/unreachable(_:reason:)``, ``CloudError/late(_:)``,
    ///   ``CloudError/tooLong(_:bytesMax:)``, ``CloudError/cancelled``.
    func send(
        _ request: CloudRequest, within limit: Duration
    ) async throws(CloudError) -> CloudReply
}

/// HTTP over sockets: no proxy, no redirects, no decompression, nothing kept between requests but
/// connections.
package final class HTTPTransport: CloudTransport {
    /// For as long as the process lives. It starts when it is first used.
    package static let shared = HTTPTransport()

    private let client: HTTPClient

    private init() {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(2)), proxy: nil, decompression: .disabled)
        configuration.httpVersion = .http1Only
        configuration.connectionPool = .init(
            idleTimeout: .seconds(30), concurrentHTTP1ConnectionsPerHostSoftLimit: 4)
        // Who asks tries again in its own time; a name that does not exist is an answer at once.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    package func send(
        _ request: CloudRequest, within limit: Duration
    ) async throws(CloudError) -> CloudReply {
        var outgoing = HTTPClientRequest(url: "\(request.endpoint)\(request.target)")
        outgoing.method = HTTPMethod(rawValue: request.method)
        for header in request.headers {
            outgoing.headers.add(name: header.name, value: header.value)
        }
        if !request.body.isEmpty { outgoing.body = .bytes(ByteBuffer(bytes: request.body)) }
        let deadline = NIODeadline.now() + TimeAmount(limit)
        do {
            let response = try await client.execute(outgoing, deadline: deadline)
            let body = try await Self.body(of: response, request)
            var headers: [String: String] = [:]
            for (name, value) in response.headers where headers[name.lowercased()] == nil {
                headers[name.lowercased()] = value
            }
            return CloudReply(
                status: Int(response.status.code), headers: headers, body: body)
        } catch {
            throw Self.translated(error, request)
        }
    }

    /// Once in memory: a page of a list may have megabytes.
    private static func body(
        of response: HTTPClientResponse, _ request: CloudRequest
    ) async throws -> [UInt8] {
        let bytesMax = request.replyBytesMax
        var body: [UInt8] = []
        if let length = response.headers.first(name: "content-length").flatMap({ Int($0) }) {
            guard length <= bytesMax else { throw NIOTooManyBytesError(maxBytes: bytesMax) }
            body.reserveCapacity(max(0, length))
        }
        for try await part in response.body {
            guard body.count + part.readableBytes <= bytesMax else {
                throw NIOTooManyBytesError(maxBytes: bytesMax)
            }
            body.append(contentsOf: part.readableBytesView)
        }
        return body
    }

    private static func translated(_ error: any Error, _ request: CloudRequest) -> CloudError {
        switch error {
        case is CancellationError: .cancelled
        case is NIOTooManyBytesError:
            .tooLong(request.name, bytesMax: request.replyBytesMax)
        case let error as HTTPClientError:
            switch error {
            case .deadlineExceeded, .readTimeout, .connectTimeout,
                .getConnectionFromPoolTimeout:
                .late(request.name)
            case .cancelled: .cancelled
            default: .unreachable(request.endpoint.authority, reason: error.shortDescription)
            }
        default: .unreachable(request.endpoint.authority, reason: Words.short("\(error)"))
        }
    }
}
