import Cloud
import Core
import Logging

/// What a role does before its machine goes.
struct Departing: Sendable {
    /// Called once a second from the notice on, with its reason: repeating it is harmless.
    let depart: @Sendable (String) async -> Void
    /// Why going now would cost something; `nil` where it would not.
    let keepsIt: @Sendable () async -> String?
}

/// Looks out for the end of this machine, prepares the node for it, and tells the cloud when it may
/// go: at once where everything is safe elsewhere, never that it is where it isn't.
struct DepartureWatch: Sendable {
    let watch: any LifecycleWatch
    let node: Departing
    let clocks: any Clocks
    let logger: Logger

    /// Until cancelled.
    func run() async {
        var troubles = CloudTroubles(logger: logger)
        while !Task.isCancelled {
            do throws(CloudError) {
                let notice = try await watch.look()
                troubles = CloudTroubles(logger: logger)
                if let notice, notice.isFinal { return await leave(notice) }
            } catch {
                troubles.say("the end of this machine can't be looked out for", error)
            }
            try? await Task.sleep(for: watch.pause)
        }
    }

    /// Until cancelled: what was announced is not taken back.
    private func leave(_ notice: LifecycleNotice) async {
        let reason = "its machine is about to go (\(notice.detail))"
        logger.notice(
            "this machine is about to go; preparing",
            metadata: [
                "kind": "\(notice.kind.rawValue)", "notice": "\(notice.detail)",
                "deadline": "\(notice.deadline.map { "\($0)" } ?? "none")",
            ])
        let begun = clocks.monotonic
        var beatAt = begun
        var answerAt = begun
        var answered = false
        var troubles = CloudTroubles(logger: logger)
        while !Task.isCancelled {
            await node.depart(reason)
            let obstacle = await node.keepsIt()
            let now = clocks.monotonic
            if !answered, now >= answerAt, let result = decide(notice, obstacle, since: begun) {
                answered = await answer(notice, result, obstacle, &troubles)
                answerAt = MonotonicTime(
                    milliseconds: now.milliseconds + DepartureLimits.answerPauseMilliseconds)
            }
            if !answered, let pause = watch.heartbeatPause,
                clocks.monotonic.milliseconds - beatAt.milliseconds >= pause.wholeMilliseconds
            {
                beatAt = clocks.monotonic
                await heartbeat(notice, &troubles)
            }
            try? await Task.sleep(for: DepartureLimits.pause)
        }
    }

    /// - Returns: What to answer now; `nil` to go on waiting.
    func decide(
        _ notice: LifecycleNotice, _ obstacle: String?, since begun: MonotonicTime
    ) -> LifecycleResult? {
        let waited = clocks.monotonic.milliseconds - begun.milliseconds
        // Leadership that was handed over has to be taken, load balancers have to notice.
        guard waited >= DepartureLimits.settleMilliseconds else { return nil }
        if obstacle == nil { return .safe }
        if waited >= DepartureLimits.waitMillisecondsMax { return .unsafe }
        guard let deadline = notice.deadline else { return nil }
        let left = deadline.milliseconds - clocks.wall.milliseconds
        return left < DepartureLimits.answerBeforeMilliseconds ? .unsafe : nil
    }

    /// - Returns: Whether the cloud took it; else it is tried again.
    private func answer(
        _ notice: LifecycleNotice, _ result: LifecycleResult, _ obstacle: String?,
        _ troubles: inout CloudTroubles
    ) async -> Bool {
        do throws(CloudError) {
            try await watch.answer(notice, result)
        } catch {
            troubles.say("the cloud could not be told that this machine may go", error)
            return false
        }
        if let obstacle, result == .unsafe {
            logger.error("not yet safe: this machine is about to go although \(obstacle)")
        } else {
            logger.notice("this machine may go: nothing depends on it any more")
        }
        return true
    }

    private func heartbeat(
        _ notice: LifecycleNotice, _ troubles: inout CloudTroubles
    ) async {
        do throws(CloudError) {
            try await watch.heartbeat(notice)
        } catch {
            troubles.say("the cloud could not be asked for more time", error)
        }
    }
}

/// Says once of each kind what goes wrong: what is tried every few seconds would fill the log.
private struct CloudTroubles {
    let logger: Logger
    private var last = ""

    init(logger: Logger) { self.logger = logger }

    mutating func say(_ what: String, _ error: CloudError) {
        guard error.kind != last else { return }
        last = error.kind
        logger.warning("\(what): \(error); it is tried again")
    }
}

/// Every bound of the preparation, and how they relate.
enum DepartureLimits {
    static let pause = Duration.seconds(1)
    /// Between two tries to find out which cloud this is.
    static let detectionPause = Duration.seconds(30)
    /// From the notice to the first answer.
    static let settleMilliseconds: UInt64 = 10_000
    /// Between two tries to answer.
    static let answerPauseMilliseconds: UInt64 = 5_000
    /// An answer is given this long before the machine goes anyway.
    static let answerBeforeMilliseconds: Int64 = 20_000
    /// Longer than any cloud waits (AWS: 48 h).
    static let waitMillisecondsMax: UInt64 = 48 * 3_600_000

    /// Run once in a test.
    static func check() {
        precondition(
            settleMilliseconds < UInt64(answerBeforeMilliseconds),
            "the shortest notice (30 s) leaves time for an answer")
    }
}
