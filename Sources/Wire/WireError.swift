/// How a server refuses or fails a call; travels to the caller.
package struct WireFailure: Error, Hashable, Sendable {
    package enum Code: UInt16, Sendable, CaseIterable {
        /// A defect or a failed dependency of the server; the call may have run.
        case internalError = 1
        /// The server knows no such method. Nothing was done.
        case unknownMethod = 2
        /// The caller's role may not call it. Nothing was done.
        case forbidden = 3
        /// The request is malformed or breaks a limit. Nothing was done.
        case badRequest = 4
        /// A limit of the server is reached. Nothing was done; try later or elsewhere.
        case overloaded = 5
        /// The server is starting, stopping or not (yet) in the cluster. Nothing was done.
        case unavailable = 6
        /// The deadline passed at the server; the call may have run.
        case deadlinePassed = 7
        /// The caller cancelled; the call may have run.
        case cancelled = 8
    }

    package let code: Code
    package let text: String

    package init(_ code: Code, _ text: String = "") {
        self.code = code
        self.text = text
    }

    package var mayHaveRun: Bool {
        switch code {
        case .internalError, .deadlinePassed, .cancelled: true
        case .unknownMethod, .forbidden, .badRequest, .overloaded, .unavailable: false
        }
    }
}

/// Why a call has no answer. ``mayHaveRun`` says if a repeat must be idempotent.
package enum WireError: Error, Hashable, Sendable {
    /// No connection, or no address known. The request was not sent.
    case unreachable(String)
    /// The connection broke after the request was sent.
    case connectionLost(String)
    /// No answer in time.
    case deadlinePassed(mayHaveRun: Bool)
    /// The handshake failed: certificate, cluster, version or identity. The request was not sent.
    case refused(String)
    /// The server's answer.
    case remote(WireFailure)
    /// The caller's task or stream was cancelled.
    case cancelled(mayHaveRun: Bool)
    /// A limit of this side is reached. The request was not sent.
    case overloaded
    /// The answer could not be read.
    case malformedReply(String)

    /// Whether the server may have executed the request.
    package var mayHaveRun: Bool {
        switch self {
        case .unreachable, .refused, .overloaded: false
        case .connectionLost, .malformedReply: true
        case .deadlinePassed(let mayHaveRun), .cancelled(let mayHaveRun): mayHaveRun
        case .remote(let failure): failure.mayHaveRun
        }
    }
}

extension WireError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreachable(let reason): "can't be reached (\(reason))"
        case .connectionLost(let reason): "the connection broke (\(reason))"
        case .deadlinePassed: "no answer in time"
        case .refused(let reason): "the handshake failed: \(reason)"
        case .remote(let failure): "answered \(failure)"
        case .cancelled: "the call was cancelled"
        case .overloaded: "too many calls are under way"
        case .malformedReply(let reason): "the answer can't be read (\(reason))"
        }
    }
}

extension WireFailure: CustomStringConvertible {
    package var description: String { text.isEmpty ? "\(code)" : "\(code): \(text)" }
}
