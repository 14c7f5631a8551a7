import Core
import Foundation
import Logging
import ServiceLifecycle

/// Keeps the service manager that started this process informed: that it is up, that it lives, how
/// it does (systemd's `Type=notify` and `WatchdogSec=`).
struct ServiceManager: Sendable {
    private let socket: NotifySocket
    private let watchdog: Duration?
    private let clocks: any Clocks
    private let logger: Logger

    /// - Returns: `nil` where nobody asked to be told.
    init?(environment: [String: String], clocks: any Clocks, logger: Logger) {
        guard let address = environment["NOTIFY_SOCKET"], !address.isEmpty else { return nil }
        do {
            socket = try NotifySocket(address: address)
        } catch {
            logger.warning("the service manager can't be told of this node: \(error)")
            return nil
        }
        watchdog = Self.watchdog(environment, process: getpid())
        self.clocks = clocks
        self.logger = logger
    }

    /// Tells until cancelled; each time all that `facts` says. A `facts` that hangs is a node that
    /// hangs: the watchdog hears nothing more.
    func run(_ facts: @Sendable () async -> ServiceReport.Facts) async {
        var report = ServiceReport(watchdog: watchdog)
        var lastProblem: NotifySocket.Problem?
        while !Task.isCancelled {
            var facts = await facts()
            facts.isStopping = Task.isShuttingDownGracefully
            if let message = report.message(facts, now: clocks.monotonic) {
                do {
                    try socket.send(message)
                    lastProblem = nil
                } catch {
                    report.forget()
                    if error != lastProblem {
                        logger.warning("the service manager was not reached: \(error)")
                    }
                    lastProblem = error
                }
            }
            await Self.sleep(report.pause, wakesToStop: !facts.isStopping)
        }
    }

    private static func sleep(_ pause: Duration, wakesToStop: Bool) async {
        if wakesToStop {
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }
        } else {
            try? await Task.sleep(for: pause)
        }
    }

    /// `WATCHDOG_USEC`, where it is meant for this process (`sd_watchdog_enabled(3)`).
    static func watchdog(_ environment: [String: String], process: pid_t) -> Duration? {
        if let text = environment["WATCHDOG_PID"], pid_t(text) != process { return nil }
        guard let text = environment["WATCHDOG_USEC"], let patience = Int64(text), patience > 0
        else { return nil }
        return .microseconds(patience)
    }
}
