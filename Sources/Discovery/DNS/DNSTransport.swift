import Core
import Foundation
import NIOCore
import NIOPosix

/// The one door to a DNS server.
package protocol DNSTransport: Sendable {
    /// Sends a message and waits for one that `isReply` accepts; others are dropped.
    ///
    /// - Parameter isStream: TCP, for replies that a datagram can't hold.
    /// - Throws: ``DNSTransportError``.
    func exchange(
        _ query: [UInt8], with server: HostPort, isStream: Bool, within limit: Duration,
        isReply: @escaping @Sendable ([UInt8]) -> Bool
    ) async throws(DNSTransportError) -> [UInt8]
}

package enum DNSTransportError: Error, Equatable, CustomStringConvertible {
    case late
    case failed(String)

    package var description: String {
        switch self {
        case .late: "no answer in time"
        case .failed(let reason): reason
        }
    }
}

/// A socket per question: the kernel draws its port, and only the server's packets reach it.
package struct NIODNSTransport: DNSTransport {
    private let group: any EventLoopGroup

    package init(group: any EventLoopGroup) { self.group = group }

    package func exchange(
        _ query: [UInt8], with server: HostPort, isStream: Bool, within limit: Duration,
        isReply: @escaping @Sendable ([UInt8]) -> Bool
    ) async throws(DNSTransportError) -> [UInt8] {
        let loop = group.next()
        let promise = loop.makePromise(of: [UInt8].self)
        // Whoever comes second finds the promise kept; NIO ignores it.
        let timer = loop.scheduleTask(in: TimeAmount(limit)) {
            promise.fail(DNSTransportError.late)
        }
        do {
            let address = try await Self.address(of: server)
            let channel = try await open(
                address, loop, isStream: isStream, limit,
                DNSExchangeHandler(promise: promise, isReply: isReply))
            var buffer = channel.allocator.buffer(capacity: query.count + 2)
            if isStream { buffer.writeInteger(UInt16(clamping: query.count)) }
            buffer.writeBytes(query)
            channel.writeAndFlush(buffer).cascadeFailure(to: promise)
            let result = await promise.futureResult.resultGet()
            timer.cancel()
            try await channel.close().recover { _ in }.get()
            return try result.get()
        } catch {
            timer.cancel()
            promise.fail(error)
            throw error as? DNSTransportError ?? .failed(Self.reason(error))
        }
    }

    /// A server may be given by name, which the system looks up.
    private static func address(of server: HostPort) async throws -> SocketAddress {
        if let address = try? SocketAddress(ipAddress: server.host, port: server.port) {
            return address
        }
        return try await NIOThreadPool.singleton.runIfActive {
            try SocketAddress.makeAddressResolvingHost(server.host, port: server.port)
        }
    }

    private func open(
        _ address: SocketAddress, _ loop: any EventLoop, isStream: Bool, _ limit: Duration,
        _ handler: DNSExchangeHandler
    ) async throws -> any Channel {
        if isStream {
            return try await ClientBootstrap(group: loop)
                .connectTimeout(TimeAmount(limit))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers([
                            ByteToMessageHandler(
                                DNSFrameDecoder(),
                                maximumBufferSize: DiscoveryLimits.dnsMessageBytesMax + 2),
                            handler,
                        ])
                    }
                }
                .connect(to: address).get()
        }
        return try await DatagramBootstrap(group: loop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4096))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        DNSDatagramHandler(), handler,
                    ])
                }
            }
            .connect(to: address).get()
    }

    private static func reason(_ error: any Error) -> String {
        if let error = error as? IOError {
            return String(cString: strerror(error.errnoCode))
        }
        return "\(error)"
    }
}

/// Takes the envelopes from datagrams, and puts them around.
private final class DNSDatagramHandler: ChannelDuplexHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.fireChannelRead(wrapInboundOut(unwrapInboundIn(data).data))
    }

    func write(
        context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
    ) {
        guard let address = context.remoteAddress else {
            promise?.fail(ChannelError.unknownLocalAddress)
            return
        }
        context.write(
            wrapOutboundOut(
                AddressedEnvelope(remoteAddress: address, data: unwrapOutboundIn(data))),
            promise: promise)
    }
}

/// Two bytes of length before each message (RFC 1035 section 4.2.2).
private struct DNSFrameDecoder: ByteToMessageDecoder {
    typealias InboundOut = ByteBuffer

    mutating func decode(
        context: ChannelHandlerContext, buffer: inout ByteBuffer
    ) throws -> DecodingState {
        guard let message = buffer.readLengthPrefixedSlice(as: UInt16.self) else {
            return .needMoreData
        }
        context.fireChannelRead(wrapInboundOut(message))
        return .continue
    }
}

/// Waits for the reply.
private final class DNSExchangeHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<[UInt8]>
    private let isReply: @Sendable ([UInt8]) -> Bool

    init(promise: EventLoopPromise<[UInt8]>, isReply: @escaping @Sendable ([UInt8]) -> Bool) {
        self.promise = promise
        self.isReply = isReply
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Array(buffer: unwrapInboundIn(data))
        if isReply(bytes) { promise.succeed(bytes) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { promise.fail(error) }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(DNSTransportError.failed("the server hung up"))
        context.fireChannelInactive()
    }
}

extension EventLoopFuture where Value: Sendable {
    fileprivate func resultGet() async -> Result<Value, any Error> {
        do { return .success(try await get()) } catch { return .failure(error) }
    }
}
