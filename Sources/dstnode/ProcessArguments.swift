import Foundation

/// What this process was started with.
enum ProcessArguments {
    /// Without the program's name; `nil` where the parser finds them itself.
    ///
    /// The Swift runtime looks for them on the stack beside the environment. A preloaded library
    /// that unsets a variable (libfaketime) makes it find none, and every command would print its
    /// help instead of running.
    static var missedByRuntime: [String]? {
        guard CommandLine.argc == 0, let bytes = FileManager.default.contents(atPath: path) else {
            return nil
        }
        return parse(bytes)
    }

    private static let path = "/proc/self/cmdline"

    /// Each ends with a zero byte.
    static func parse(_ bytes: Data) -> [String] {
        bytes.split(separator: 0, omittingEmptySubsequences: false)
            .dropLast().dropFirst().map { String(decoding: $0, as: UTF8.self) }
    }
}
