import Foundation

/// Where in a workload the power went and what it left: all that is needed to do it again.
///
/// A failing test prints it. With the environment variable `DST_CRASH` set to what was printed, the
/// tests of crash points look at this one alone.
package struct CrashPlace: Equatable, Sendable, CustomStringConvertible {
    /// Without a slash. With the seed, if it has one.
    package let workload: String
    /// Changes of the disk that were made.
    package let point: Int
    /// As ``CrashVariants`` counts, or a name.
    package let variant: String

    package init(_ workload: String, point: Int, variant: String) {
        precondition(!workload.contains("/"))
        self.workload = workload
        self.point = point
        self.variant = variant
    }

    package init(_ workload: String, point: Int, variant: [Int]) {
        self.init(
            workload, point: point,
            variant: variant.isEmpty ? "-" : variant.map(String.init).joined(separator: "."))
    }

    /// - Returns: `nil` for other text.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 2).map(String.init)
        guard parts.count == 3, let point = Int(parts[1]) else { return nil }
        self.init(parts[0], point: point, variant: parts[2])
    }

    package var description: String { "\(workload)/\(point)/\(variant)" }

    private static let wanted = ProcessInfo.processInfo.environment["DST_CRASH"]
        .flatMap { CrashPlace($0) }

    /// Whether anything of the workload is to be looked at.
    package static func isWanted(workload: String) -> Bool {
        wanted == nil || wanted?.workload == workload
    }

    package static func isWanted(_ workload: String, point: Int) -> Bool {
        wanted == nil || wanted?.workload == workload && wanted?.point == point
    }

    package var isWanted: Bool { Self.wanted == nil || Self.wanted == self }

    /// Whether one place alone is looked at: a test then need not have seen many.
    package static var isReplay: Bool { wanted != nil }
}
