import Foundation

/// Dictionaries and sets iterate in another order in each process, unless told otherwise before the
/// process begins: what must do the same twice starts itself anew.
enum DeterministicProcess {
    private static let variable = "SWIFT_DETERMINISTIC_HASHING"

    /// Returns where that is so already; else this process becomes another of the same command.
    ///
    /// - Throws: ``CannotRestart`` where the system refuses.
    static func ensure() throws(CannotRestart) {
        guard getenv(variable) == nil else { return }
        setenv(variable, "1", 1)
        var arguments = CommandLine.arguments.map { strdup($0) }
        arguments.append(nil)
        execv("/proc/self/exe", arguments)
        throw CannotRestart(reason: String(cString: strerror(errno)))
    }

    struct CannotRestart: Error, CustomStringConvertible {
        let reason: String
        var description: String {
            "this program could not start itself with \(variable)=1 (\(reason)): set it"
        }
    }
}
