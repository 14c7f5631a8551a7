import Foundation
import Logging

/// How many files and connections this process may have open.
enum OpenFiles {
    /// Connections of clients and nodes at their most, segments, and some to spare.
    static let wanted: UInt64 = 16_384
    static let countMax: UInt64 = 1 << 20

    /// Raises the soft limit as far as the hard one lets everybody.
    ///
    /// - Returns: What it is then; `nil` where the system does not say.
    @discardableResult
    static func raiseLimit() -> UInt64? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return nil
        }
        let best = min(UInt64(limit.rlim_max), countMax)
        if UInt64(limit.rlim_cur) < best {
            limit.rlim_cur = rlim_t(best)
            _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        return best
    }

    /// The same, with a warning where that is little.
    static func raiseLimit(_ logger: Logger) {
        guard let best = raiseLimit(), best < wanted else { return }
        logger.warning(
            """
            this process may open only \(best) files: with many clients, connections will be \
            refused; raise the limit (LimitNOFILE, --ulimit nofile) to \(wanted) or more
            """)
    }
}
