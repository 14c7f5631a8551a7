import Core
import Messages
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization
import X509

/// Asks a coordinator for a certificate.
package struct EnrolmentClient: Sendable {
    private let group: any EventLoopGroup
    private let clocks: any Clocks

    package init(group: any EventLoopGroup, clocks: any Clocks) {
        self.group = group
        self.clocks = clocks
    }

    /// - Parameters:
    ///   - address: `host:port`.
    ///   - trusted: Fingerprints of authorities; a coordinator of another is sent nothing.
    package func ask(
        _ address: String, _ request: ProtoCertificateRequest, trusted: Set<String>
    ) async throws(EnrolmentError) -> ProtoCertificateReply {
        guard let place = HostPort(address) else {
            throw .unreachable("'\(address)' is no address")
        }
        let check = CoordinatorCheck(trusted: trusted, clocks: clocks)
        let reply = group.next().makePromise(of: ProtoCertificateReply.self)
        let channel: any Channel
        do {
            let context = try Self.context()
            channel = try await ClientBootstrap(group: group)
                .connectTimeout(WireSettings().connectTimeout)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers([
                            NIOSSLClientHandler(
                                context: context, serverHostname: nil,
                                customVerificationCallback: check.verify),
                            ByteToMessageHandler(EnrolmentDecoder()),
                            EnrolmentClientHandler(request, reply),
                        ])
                    }
                }
                .connect(host: place.host, port: place.port).get()
        } catch {
            reply.fail(error)
            throw .unreachable("\(address): \(error)")
        }
        defer { channel.close(promise: nil) }
        do {
            return try await reply.futureResult.get()
        } catch {
            if let refusal = check.refusal { throw .notTrusted("\(address): \(refusal)") }
            throw error as? EnrolmentError ?? .unreachable("\(address): \(error)")
        }
    }

    private static func context() throws -> NIOSSLContext {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv13
        tls.applicationProtocols = [EnrolmentChannel.alpn]
        tls.certificateVerification = .noHostnameVerification
        return try NIOSSLContext(configuration: tls)
    }
}

/// Looks at a coordinator's certificates in the name of a node that knows the authority's
/// fingerprint only: the chain is the coordinator's own and the authority's.
private final class CoordinatorCheck: Sendable {
    private let trusted: Set<String>
    private let clocks: any Clocks
    private let found = Mutex<String?>(nil)

    init(trusted: Set<String>, clocks: any Clocks) {
        self.trusted = trusted
        self.clocks = clocks
    }

    var refusal: String? { found.withLock { $0 } }

    @Sendable func verify(
        _ chain: [NIOSSLCertificate], _ promise: EventLoopPromise<NIOSSLVerificationResult>
    ) {
        do throws(HandshakeRefusal) {
            try check(chain)
            promise.succeed(.certificateVerified)
        } catch {
            found.withLock { $0 = error.text }
            promise.succeed(.failed)
        }
    }

    private func check(_ chain: [NIOSSLCertificate]) throws(HandshakeRefusal) {
        guard chain.count == 2, let bytes = try? chain[1].toDERBytes(),
            let certificate = try? Certificate(derEncoded: bytes),
            let authority = try? TrustedAuthority(certificate: certificate)
        else { throw HandshakeRefusal(text: "it shows no certificate of a cluster's authority") }
        guard trusted.contains(authority.fingerprint) else {
            let own = trusted.sorted().map { $0.prefix(16) }.joined(separator: ", ")
            throw HandshakeRefusal(
                text: "it is of another cluster (authority \(authority.fingerprint.prefix(16))) "
                    + "than the join token (\(own)): give this node a token of that cluster, or "
                    + "correct how coordinators are found")
        }
        let identity = try CertificateCheck.identity(
            of: chain, trusted: [authority], now: clocks.wall)
        guard identity.role == .coordinator else {
            throw HandshakeRefusal(text: "it is a \(identity.role.rawValue), not a coordinator")
        }
    }
}

/// Sends the request once TLS is up; what comes back, or an error, is the reply.
private final class EnrolmentClientHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: ProtoCertificateRequest
    private let reply: EventLoopPromise<ProtoCertificateReply>
    private var timer: Scheduled<Void>?

    init(_ request: ProtoCertificateRequest, _ reply: EventLoopPromise<ProtoCertificateReply>) {
        self.request = request
        self.reply = reply
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: WireLimits.enrolmentTime) {
            channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        reply.fail(EnrolmentError.noReply)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent {
            let bytes = EnrolmentChannel.write(request, to: context.channel.allocator)
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let message = unwrapInboundIn(data).decoded(as: ProtoCertificateReply.self) {
            reply.succeed(message)
        } else {
            reply.fail(EnrolmentError.malformed)
        }
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        reply.fail(error)
        context.close(promise: nil)
    }
}
