/// Decides whether a history is linearizable, key by key, listings included.
///
/// After Wing and Gong (*Testing and Verifying Concurrent Objects*, 1993) with the "just in time"
/// order of Lowe (*Testing for Linearizability*, 2017), each key by itself (Herlihy and Wing,
/// *Linearizability*, 1990). A page of a listing is one read of each key in its span. All keys are
/// absent at first. It shares no code with what it judges.
///
/// ```
/// ClientHistory ── split ──▶ KeyHistory ──▶ KeyPuzzle ──▶ LinearizabilitySearch ──▶ Violation
///                  by key                   numbers       all that may have happened
/// ```
///
/// Writes in doubt would make this exponential: each may happen at any time or never. Three
/// observations keep them in check, see ``KeyPuzzle``, ``Spent`` and ``LinearizabilitySearch``.
package struct LinearizabilityChecker: Sendable {
    /// More configurations than are worth following: no verdict. The history has too many
    /// operations at once on one key; the caller makes another.
    package struct TooHard: Error, Equatable, CustomStringConvertible {
        package let key: String
        package let configurationCount: Int
        /// How many operations were running at the time.
        package let pendingCount: Int

        package var description: String {
            "key \(key): too hard, after \(configurationCount) configurations, "
                + "with \(pendingCount) operations at once"
        }
    }

    /// How many configurations to follow for each key: seconds of work. A few for each answer are
    /// usual; a dozen clients that write the same key all the time take some hundred. At most 128
    /// operations may run at once on a key.
    package let configurationsMax: Int

    package init(configurationsMax: Int = 16_000_000) {
        precondition(configurationsMax > 0)
        self.configurationsMax = configurationsMax
    }

    /// Each value must be written once; failed writes aside, two of one value are a mistake of the
    /// caller.
    ///
    /// - Returns: All violations, at most one for each key, in order of the keys.
    /// - Throws: If nothing is wrong so far, but some key was too hard. A violation elsewhere is
    ///   certain all the same, and is returned.
    /// - Complexity: O(n log n) for n operations, where few run at once on one key.
    package func check(_ history: ClientHistory) throws(TooHard) -> [LinearizabilityViolation] {
        var violations: [LinearizabilityViolation] = []
        var tooHard: TooHard?
        for key in KeyHistory.split(history) {
            do throws(TooHard) {
                guard let failure = try firstFailure(of: key) else { continue }
                violations.append(
                    LinearizabilityViolation(
                        key: key.key, number: failure.operation, states: failure.states,
                        in: history))
            } catch {
                tooHard = tooHard ?? error
            }
        }
        if violations.isEmpty, let tooHard { throw tooHard }
        return violations
    }

    private func firstFailure(
        of key: KeyHistory
    ) throws(TooHard) -> LinearizabilitySearch.Failure? {
        let failure = try search(key, forMessage: false)
        if failure == nil { return nil }
        // Once more, for the better message. If that is too hard, the first will do.
        do throws(TooHard) {
            return try search(key, forMessage: true) ?? failure
        } catch {
            return failure
        }
    }

    private func search(
        _ key: KeyHistory, forMessage: Bool
    ) throws(TooHard) -> LinearizabilitySearch.Failure? {
        var search = LinearizabilitySearch(
            KeyPuzzle(key, mergesUnseen: !forMessage), looksAhead: !forMessage,
            configurationsMax: configurationsMax)
        return try search.run()
    }
}
