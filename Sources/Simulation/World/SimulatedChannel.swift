import NIOCore

/// One end of a connection in the simulated network. What is flushed arrives at the other end, in
/// order, when the network says so.
///
/// `@unchecked Sendable`: confined to the thread of its ``SimulatedTime``.
final class SimulatedChannel: Channel, @unchecked Sendable {
    private enum Water {
        static let high = 1 << 20
        static let low = 256 << 10
    }

    let loop: SimulatedLoop
    let allocator = ByteBufferAllocator()
    private(set) var isActive = false
    private(set) var isWritable = true
    /// Takes what is flushed to the other end.
    var carry: ((ByteBuffer) -> Void)?
    /// Told once, when this end closes.
    var onClose: (() -> Void)?

    private let closePromise: EventLoopPromise<Void>
    private var line: ChannelPipeline?
    private var unflushed: [(ByteBuffer, EventLoopPromise<Void>?)] = []
    private var unflushedBytes = 0
    /// Flushed, and not at the other end yet.
    private var travellingBytes = 0
    private var arrived: [ByteBuffer] = []
    private var wantsRead = false
    private var isEndOfInput = false
    private var isClosed = false

    init(_ loop: SimulatedLoop) {
        self.loop = loop
        closePromise = loop.makePromise()
        line = ChannelPipeline(channel: self)
    }

    var pipeline: ChannelPipeline {
        guard let line else { preconditionFailure("made in init") }
        return line
    }
    var eventLoop: any EventLoop { loop }
    var closeFuture: EventLoopFuture<Void> { closePromise.futureResult }
    var localAddress: SocketAddress? { nil }
    var remoteAddress: SocketAddress? { nil }
    var parent: (any Channel)? { nil }
    var _channelCore: any ChannelCore { self }
    var syncOptions: (any NIOSynchronousChannelOptions)? { SimulatedOptions(channel: self) }
    fileprivate var bufferedBytes: Int { unflushedBytes + travellingBytes }

    func setOption<Option: ChannelOption>(
        _ option: Option, value: Option.Value
    ) -> EventLoopFuture<Void> {
        loop.makeSucceededVoidFuture()
    }

    func getOption<Option: ChannelOption>(_ option: Option) -> EventLoopFuture<Option.Value> {
        loop.makeFailedFuture(ChannelError.operationUnsupported)
    }

    // MARK: The network's side, on the loop

    /// Both ends are there.
    func activate() {
        isActive = true
        pipeline.fireChannelActive()
        pipeline.read()
    }

    func arrive(_ bytes: ByteBuffer) {
        guard isActive else { return }
        arrived.append(bytes)
        deliver()
    }

    /// The other end closed, or the connection broke.
    func end() {
        isEndOfInput = true
        deliver()
    }

    /// Bytes have left this end for good.
    func landed(_ count: Int) {
        travellingBytes -= count
        updateWritability()
    }

    private func deliver() {
        guard isActive, wantsRead else { return }
        if !arrived.isEmpty {
            wantsRead = false
            let pieces = arrived
            arrived = []
            for piece in pieces where isActive { pipeline.fireChannelRead(piece) }
            if isActive {
                pipeline.fireChannelReadComplete()
                pipeline.read()
            }
        } else if isEndOfInput {
            close0(error: ChannelError.eof, mode: .all, promise: nil)
        }
    }

    private func updateWritability() {
        let isRoom = isWritable ? bufferedBytes <= Water.high : bufferedBytes < Water.low
        guard isRoom != isWritable, isActive else { return }
        isWritable = isRoom
        pipeline.fireChannelWritabilityChanged()
    }
}

extension SimulatedChannel: ChannelCore {
    func localAddress0() throws -> SocketAddress { throw ChannelError.unknownLocalAddress }
    func remoteAddress0() throws -> SocketAddress { throw ChannelError.operationUnsupported }
    func register0(promise: EventLoopPromise<Void>?) { promise?.succeed() }
    func registerAlreadyConfigured0(promise: EventLoopPromise<Void>?) { promise?.succeed() }
    func bind0(to: SocketAddress, promise: EventLoopPromise<Void>?) { refuse(promise) }
    func connect0(to: SocketAddress, promise: EventLoopPromise<Void>?) { refuse(promise) }
    func triggerUserOutboundEvent0(_ event: Any, promise: EventLoopPromise<Void>?) {
        refuse(promise)
    }
    func channelRead0(_ data: NIOAny) {}
    func errorCaught0(error: any Error) {}

    private func refuse(_ promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard isActive else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        let bytes = unwrapData(data, as: ByteBuffer.self)
        unflushed.append((bytes, promise))
        unflushedBytes += bytes.readableBytes
        updateWritability()
    }

    func flush0() {
        guard isActive else { return }
        let leaving = unflushed
        unflushed = []
        unflushedBytes = 0
        for (bytes, promise) in leaving {
            travellingBytes += bytes.readableBytes
            carry?(bytes)
            promise?.succeed()
        }
    }

    func read0() {
        guard !wantsRead else { return }
        wantsRead = true
        guard !arrived.isEmpty || isEndOfInput else { return }
        loop.execute { self.deliver() }
    }

    func close0(error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard !isClosed else {
            promise?.fail(ChannelError.alreadyClosed)
            return
        }
        isClosed = true
        for (_, written) in unflushed { written?.fail(error) }
        unflushed = []
        let wasActive = isActive
        isActive = false
        promise?.succeed()
        if wasActive { pipeline.fireChannelInactive() }
        onClose?()
        (carry, onClose) = (nil, nil)
        // After what is going on in the pipeline.
        loop.execute {
            self.removeHandlers(pipeline: self.pipeline)
            self.closePromise.succeed()
        }
    }
}

/// What the node protocol asks of a socket.
private struct SimulatedOptions: NIOSynchronousChannelOptions {
    let channel: SimulatedChannel

    func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) throws {}

    func getOption<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
        if option is ChannelOptions.Types.BufferedWritableBytesOption,
            let value = channel.bufferedBytes as? Option.Value
        {
            return value
        }
        throw ChannelError.operationUnsupported
    }
}
