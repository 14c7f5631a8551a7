import Foundation

/// A process that plays simulated worlds, which does the same each time.
///
/// Dictionaries and sets iterate in another order in each process, unless told otherwise before the
/// process begins. And what the suspended tasks of a world hold is never freed, some sixty
/// megabytes and two hundred open files a world: who plays many goes on in a new process.
enum DeterministicProcess {
    private static let variable = "SWIFT_DETERMINISTIC_HASHING"
    /// Worlds after which to go on anew.
    static let worldsMax = 16

    /// Returns where that is so already; else this process becomes another of the same command.
    ///
    /// - Throws: ``CannotRestart`` where the system refuses.
    static func ensure() throws(CannotRestart) {
        OpenFiles.raiseLimit()
        guard getenv(variable) == nil else { return }
        setenv(variable, "1", 1)
        try become(Array(CommandLine.arguments.dropFirst()))
    }

    /// This process, with all that it has printed, becomes one of the same program with other
    /// arguments.
    ///
    /// - Throws: ``CannotRestart`` where the system refuses; it never returns.
    static func become(_ arguments: [String]) throws(CannotRestart) {
        fflush(nil)
        var words = (CommandLine.arguments.prefix(1) + arguments).map { strdup($0) }
        words.append(nil)
        execv("/proc/self/exe", words)
        throw CannotRestart(reason: String(cString: strerror(errno)))
    }

    struct CannotRestart: Error, CustomStringConvertible {
        let reason: String
        var description: String {
            "this program could not start itself anew (\(reason)): set \(variable)=1, and play "
                + "fewer worlds at once"
        }
    }
}
