import NIOCore

/// A handler of calls. Runs on the event loop: it must not block, and may answer later from any
/// thread.
package protocol WireService: Sendable {
    func receive(_ call: ServerCall)
}

/// Who handles what on this node.
package struct WireRoutes: Sendable {
    package typealias CallHandler = @Sendable (ServerCall) -> Void
    package typealias MessageHandler = @Sendable (PeerIdentity, ByteBuffer) -> Void

    var calls: [Method: CallHandler] = [:]
    var messages: [Method: MessageHandler] = [:]

    package init() {}

    package mutating func on(_ method: Method, _ handler: @escaping CallHandler) {
        calls[method] = handler
    }

    package mutating func on(_ methods: [Method], _ service: some WireService) {
        for method in methods { calls[method] = { service.receive($0) } }
    }

    /// One-way messages (Raft): on the loop, must not block.
    package mutating func onMessage(_ method: Method, _ handler: @escaping MessageHandler) {
        messages[method] = handler
    }
}
