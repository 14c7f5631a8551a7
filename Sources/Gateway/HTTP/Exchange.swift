import Core
import HTTPTypes
import HummingbirdCore
import NIOCore
import ObjectStore
import S3
import Synchronization

/// One request and its answer on a connection.
///
/// Its state is confined to the connection's task, which awaits every call made with it: a handler
/// and the source of the request's body never run at the same time. That is why it may be
/// unchecked. Only ``waitingSince`` is read by others.
final class Exchange: @unchecked Sendable {
    let head: S3RequestHead
    let id: String
    let channel: any Channel
    /// For the access log.
    private(set) var receivedBytes = 0
    private(set) var sentBytes = 0
    /// `false`: there is no body, or all of it was read.
    private(set) var hasUnreadBody: Bool
    private var expectsContinue: Bool
    private var writer: ResponseWriter?
    private var body: RequestBody.AsyncIterator
    /// Milliseconds of the monotonic clock since which the client is to send or to take bytes; 0
    /// while it is not its turn.
    let waitingSince = Atomic<UInt64>(0)
    private let clocks: any Clocks

    init(
        _ request: Request, writer: consuming ResponseWriter, channel: any Channel, id: String,
        clocks: any Clocks
    ) {
        head = S3RequestHead(request.head)
        self.id = id
        self.channel = channel
        self.writer = consume writer
        self.clocks = clocks
        body = request.body.makeAsyncIterator()
        let length = head.headers["content-length"]
        hasUnreadBody =
            head.headers.has("transfer-encoding") || length != nil && length != "0"
        expectsContinue = head.headers["expect"]?.lowercased() == "100-continue"
    }

    /// The next piece of the body, as it came. The first call tells a client that waits for it to
    /// send the body: so nobody sends one in vain whose request is refused by its head.
    func nextPiece() async throws -> ByteBuffer? {
        guard hasUnreadBody else { return nil }
        if expectsContinue {
            expectsContinue = false
            try await writer?.writeInformationalHead(HTTPResponse(status: .continue))
        }
        startWaiting()
        defer { stopWaiting() }
        guard let piece = try await body.next() else {
            hasUnreadBody = false
            return nil
        }
        receivedBytes += piece.readableBytes
        return piece
    }

    /// Sends the answer. To be called once.
    ///
    /// - Throws: When the connection broke, or the object's bytes could not be read to the end: the
    ///   connection is to be closed.
    func send(_ reply: Reply) async throws {
        guard let writer = writer.take() else { preconditionFailure("a request has one answer") }
        if expectsContinue, !hasUnreadBody, reply.status < 300 {
            // botocore expects it for an empty body too: it takes a final answer for a refusal, and
            // then misreads the next one on the connection.
            expectsContinue = false
            try await writer.writeInformationalHead(HTTPResponse(status: .continue))
        }
        var head = HTTPResponse(
            status: HTTPResponse.Status(code: reply.status), headerFields: reply.fields)
        head.headerFields.append(HTTPField(name: .requestID, value: id))
        head.headerFields.append(HTTPField(name: .date, value: HTTPDate.format(clocks.wall)))
        if let length = reply.contentLength {
            head.headerFields.append(HTTPField(name: .contentLength, value: String(length)))
        }
        if closesAfterAnswer {
            head.headerFields.append(HTTPField(name: .connection, value: "close"))
        }
        startWaiting()
        defer { stopWaiting() }
        switch reply.body {
        case .none, .omitted: try await writer.writeResponse(head)
        case .bytes(let bytes):
            try await writer.write(response: head, body: ResponseBody(byteBuffer: bytes))
            sentBytes = bytes.readableBytes
        case .object(let body):
            if let whole = body.whole {
                try await writer.write(response: head, body: ResponseBody(byteBuffer: whole))
                sentBytes = whole.readableBytes
            } else {
                let target = try await writer.writeHead(head)
                try await stream(body, to: target)
            }
        }
    }

    private func stream(
        _ body: ObjectBody, to target: consuming some ResponseBodyWriter
    ) async throws {
        var iterator = body.makeAsyncIterator()
        while true {
            stopWaiting()
            guard let piece = try await iterator.next() else { break }
            startWaiting()
            sentBytes += piece.readableBytes
            try await target.write(piece)
        }
        try await target.finish(nil)
    }

    private func startWaiting() {
        waitingSince.store(clocks.monotonic.milliseconds, ordering: .relaxed)
    }

    private func stopWaiting() { waitingSince.store(0, ordering: .relaxed) }

    /// The client may still be sending a body that nobody wants, or waits to send it.
    var closesAfterAnswer: Bool { hasUnreadBody || expectsContinue }

    /// Reads on a little, so that a client that is still sending gets to read the answer.
    func drain() async {
        guard hasUnreadBody, !expectsContinue else { return }
        let deadline = clocks.monotonic.milliseconds + UInt64(GatewayLimits.drainMilliseconds)
        let limit = receivedBytes + GatewayLimits.drainedBytesMax
        while receivedBytes < limit, clocks.monotonic.milliseconds < deadline,
            (try? await nextPiece()) != nil
        {}
    }
}

extension S3RequestHead {
    init(_ request: HTTPRequest) {
        var headers = S3Headers()
        headers.reserveCapacity(request.headerFields.count + 1)
        if let authority = request.authority { headers.append("host", authority) }
        for field in request.headerFields {
            headers.append(field.name.canonicalName, field.value)
        }
        self.init(
            method: request.method.rawValue, target: request.path ?? "/", headers: headers)
    }
}
