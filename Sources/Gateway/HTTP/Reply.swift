import HTTPTypes
import NIOCore
import ObjectStore

/// The answer to a request, not yet sent.
struct Reply {
    enum Body {
        case none
        case bytes(ByteBuffer)
        case object(ObjectBody)
        /// To a HEAD: what the body would be long.
        case omitted(length: Int)
    }

    var status: Int
    var fields: HTTPFields
    var body: Body
    /// S3's code, for logs and metrics; empty where all went well.
    var code = ""

    init(_ status: Int, fields: HTTPFields = HTTPFields(), body: Body = .none) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    static func xml(_ status: Int, _ document: [UInt8]) -> Reply {
        var reply = Reply(status, body: .bytes(ByteBuffer(bytes: document)))
        reply.fields.append(HTTPField(name: .contentType, value: "application/xml"))
        return reply
    }

    static func text(_ status: Int, _ text: String) -> Reply {
        var reply = Reply(status, body: .bytes(ByteBuffer(string: text)))
        reply.fields.append(HTTPField(name: .contentType, value: "text/plain; charset=utf-8"))
        return reply
    }

    var contentLength: Int? {
        switch body {
        case .none: status == 204 || status == 304 ? nil : 0
        case .bytes(let bytes): bytes.readableBytes
        case .object(let body): body.length
        case .omitted(let length): length
        }
    }
}
