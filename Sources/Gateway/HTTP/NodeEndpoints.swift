import HTTPTypes
import NIOCore
import S3

/// What every node answers to anybody: `/health`, `/ready`, `/metrics`.
package struct NodeEndpoints: Sendable {
    /// How a node does, in words.
    package enum Verdict: Equatable, Sendable {
        case fine
        /// Why not, for the operator.
        case problem(String)

        /// - Parameter problem: `nil` where there is none.
        package init(problem: String?) { self = problem.map(Verdict.problem) ?? .fine }

        package var problem: String? {
            switch self {
            case .fine: nil
            case .problem(let text): text
            }
        }
    }

    private let health: @Sendable () async -> Verdict
    private let readiness: @Sendable () async -> Verdict
    private let metrics: @Sendable () -> String

    /// - Parameters:
    ///   - health: This process and its disk work; never the quorum.
    ///   - readiness: It can serve its role now.
    ///   - metrics: In Prometheus' text format, as text.
    package init(
        health: @escaping @Sendable () async -> Verdict,
        readiness: @escaping @Sendable () async -> Verdict,
        metrics: @escaping @Sendable () -> String
    ) {
        self.health = health
        self.readiness = readiness
        self.metrics = metrics
    }

    /// - Returns: `nil` for anything else, also for a signed request: that is about a bucket which
    ///   happens to have one of these names.
    func reply(to head: S3RequestHead) async -> Reply? {
        let isOurs: Bool
        switch head.path {
        case "/health", "/ready", "/metrics": isOurs = true
        default: isOurs = false
        }
        guard isOurs, head.method == "GET" || head.method == "HEAD",
            !head.headers.has("authorization"), head.query.isEmpty
        else { return nil }
        var reply: Reply
        switch head.path {
        case "/health": reply = Self.reply(await health())
        case "/ready": reply = Self.reply(await readiness())
        default:
            reply = Reply(200, body: .bytes(ByteBuffer(string: metrics())))
            let type = "text/plain; version=0.0.4; charset=utf-8"
            reply.fields.append(HTTPField(name: .contentType, value: type))
        }
        if head.method == "HEAD" { reply.body = .omitted(length: reply.contentLength ?? 0) }
        return reply
    }

    private static func reply(_ verdict: Verdict) -> Reply {
        switch verdict {
        case .fine: .text(200, "ok\n")
        case .problem(let text): .text(503, text + "\n")
        }
    }
}
