import Core

/// Why no leader is heard: what each coordinator said in one round of asking. Decides when that is
/// news: when it has changed, and not so often that it fills a log.
struct Troubles {
    private var current: Set<String> = []
    /// What was said; nil: nothing yet.
    private(set) var saidText: String?
    private var saidAt: MonotonicTime?

    /// Of the last whole round; before its end, what is known otherwise.
    var text: String?

    mutating func add(_ trouble: String) {
        if current.count < ClusterViewLimits.troublesMax { current.insert(trouble) }
    }

    /// - Returns: What is to be said now, if anything.
    mutating func roundEnded(now: MonotonicTime) -> String? {
        let text =
            current.isEmpty
            ? "no coordinator is known; check discovery" : current.sorted().joined(separator: "; ")
        current = []
        self.text = text
        if let saidAt, now.milliseconds - saidAt.milliseconds < ClusterViewLimits.saidPause {
            return nil
        }
        guard text != saidText else { return nil }
        saidText = text
        saidAt = now
        return text
    }
}
