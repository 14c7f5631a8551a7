import Cloud
import Core

/// Answers until their time is over. Bounded: a full one forgets everything that is over, or all.
struct DNSCache: Sendable {
    private struct Entry {
        let answer: DNSAnswer
        let until: MonotonicTime
    }

    private var entries: [DNSQuestion: Entry] = [:]

    var count: Int { entries.count }

    func answer(_ question: DNSQuestion, _ now: MonotonicTime) -> DNSAnswer? {
        guard let entry = entries[question], now < entry.until else { return nil }
        return entry.answer
    }

    mutating func keep(_ answer: DNSAnswer, to question: DNSQuestion, _ now: MonotonicTime) {
        if entries.count >= DiscoveryLimits.dnsCacheMax {
            entries = entries.filter { now < $0.value.until }
            if entries.count >= DiscoveryLimits.dnsCacheMax { entries.removeAll() }
        }
        let until = now.milliseconds + answer.ttl.wholeMilliseconds
        entries[question] = Entry(answer: answer, until: MonotonicTime(milliseconds: until))
    }
}
