import Core
import NIOCore
import NIOPosix

/// The connections of one event loop, each with one request under way. Confined to the loop, so
/// that nothing between two requests takes a lock or a hop.
final class BenchLane {
    /// Reconnects in a row after which a phase is given up.
    static let failuresInRowMax = 100

    /// How long after the end of a phase answers are waited for.
    static let patience = TimeAmount.seconds(60)

    let loop: any EventLoop
    private let address: HostPort
    private var work: BenchWork
    private var phase: BenchPhase?
    private var tally = BenchTally()
    private var measuresFrom = NIODeadline.distantFuture
    private var endsAt = NIODeadline.distantPast
    private var openCount = 0
    private var startedCount = 0
    private var failuresInRow = 0
    private var promise: EventLoopPromise<BenchTally>?

    init(loop: any EventLoop, address: HostPort, work: BenchWork) {
        self.loop = loop
        self.address = address
        self.work = work
    }

    /// Runs a phase on its own connections; the future holds what was seen.
    func run(_ phase: BenchPhase) -> EventLoopFuture<BenchTally> {
        loop.preconditionInEventLoop()
        precondition(promise == nil, "one phase at a time")
        let promise = loop.makePromise(of: BenchTally.self)
        self.promise = promise
        self.phase = phase
        tally = BenchTally()
        startedCount = 0
        failuresInRow = 0
        let now = NIODeadline.now()
        measuresFrom = now + .nanoseconds(phase.warmUp.nanoseconds)
        endsAt = measuresFrom + .nanoseconds(phase.duration.nanoseconds)
        openCount = phase.connections
        for _ in 0..<phase.connections { connect() }
        let bound = NIOLoopBound(self, eventLoop: loop)
        let guardian = loop.scheduleTask(deadline: endsAt + Self.patience) { bound.value.giveUp() }
        promise.futureResult.whenComplete { _ in guardian.cancel() }
        return promise.futureResult
    }

    /// Done so far in the phase.
    var doneCount: Int { tally.done }

    func storedCount(ofSize bytes: Int) -> Int { work.storedCount(ofSize: bytes) }

    // MARK: Connections

    private func connect() {
        let bound = NIOLoopBound(self, eventLoop: loop)
        ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.maxMessagesPerRead, value: 16)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 1024, initial: 65536, maximum: 1 << 20)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        BenchConnection(lane: bound.value))
                }
            }
            .connect(host: address.host, port: address.port)
            .whenFailure { _ in
                bound.value.failed(status: 0)
                bound.value.closed(isDone: false)
            }
    }

    func next() -> BenchWork.Request? {
        guard let phase, NIODeadline.now() < endsAt, failuresInRow < Self.failuresInRowMax else {
            return nil
        }
        if let countMax = phase.countMax, startedCount >= countMax { return nil }
        guard let request = work.next(phase) else { return nil }
        startedCount += 1
        return request
    }

    func answered(
        _ request: BenchWork.Request, _ response: ResponseScanner.Response, since: NIODeadline
    ) {
        guard let phase else { return }
        guard (200..<300).contains(response.status) else { return failed(status: response.status) }
        failuresInRow = 0
        work.finished(request, in: phase)
        guard since >= measuresFrom || phase.warmUp == .zero else { return }
        let elapsed = UInt64((NIODeadline.now() - since).nanoseconds)
        tally.done += 1
        tally.bytes +=
            request.operation == .put ? request.body?.readableBytes ?? 0 : response.bodyBytes
        tally.nanoseconds[Self.rounded(elapsed), default: 0] += 1
    }

    func failed(status: Int) {
        failuresInRow += 1
        tally.failures[status, default: 0] += 1
    }

    /// A connection ended: another takes its place unless it had nothing left to do.
    func closed(isDone: Bool) {
        let isOver = NIODeadline.now() >= endsAt || failuresInRow >= Self.failuresInRowMax
        if isDone || isOver || promise == nil { return ended() }
        let bound = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: .milliseconds(20)) { bound.value.connect() }
    }

    /// A connection has nothing left to do.
    private func ended() {
        guard let promise else { return }
        openCount -= 1
        guard openCount == 0 else { return }
        self.promise = nil
        promise.succeed(tally)
    }

    /// Answers are missing long after the end: they count as failures.
    private func giveUp() {
        guard let promise else { return }
        self.promise = nil
        tally.failures[0, default: 0] += openCount
        promise.succeed(tally)
    }

    /// To three digits, so that a map of counts stays small.
    private static func rounded(_ nanoseconds: UInt64) -> UInt64 {
        var unit: UInt64 = 1
        while nanoseconds / unit >= 1000 { unit *= 10 }
        return nanoseconds / unit * unit
    }
}

extension Duration {
    var nanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}
