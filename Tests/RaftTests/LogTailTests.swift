import Core
import Testing

@testable import Raft

@Suite struct LogTailTests {
    /// A plain array of terms, index 1 first, beside the real thing.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func `the tail knows what a plain list knows`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var tail = LogTail(start: .zero, firstOnDisk: LogIndex(rawValue: 1))
        var terms: [UInt64] = []
        var term: UInt64 = 1
        var compacted = 0
        for _ in 0..<60 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0: term += 1
            case 1:
                let from = max(Int(tail.start.index.rawValue), compacted) + 1
                guard from <= terms.count else { break }
                let index = Int.random(in: from...terms.count, using: &random)
                _ = tail.truncate(from: LogIndex(rawValue: UInt64(index)))
                terms.removeSubrange((index - 1)...)
            case 2:
                let limit = Int.random(in: 0...terms.count, using: &random)
                tail.evict(
                    through: LogIndex(rawValue: UInt64(limit)),
                    bytesMax: .random(in: 0...200, using: &random))
            case 3:
                guard compacted < terms.count else { break }
                compacted = .random(in: (compacted + 1)...terms.count, using: &random)
                tail.compact(to: LogIndex(rawValue: UInt64(compacted)))
            default:
                terms.append(term)
                tail.append(
                    RaftEntry(
                        term: Term(rawValue: term),
                        index: LogIndex(rawValue: UInt64(terms.count)), payload: .empty))
            }
            check(tail, terms, compacted)
        }
    }

    private func check(_ tail: LogTail, _ terms: [UInt64], _ compacted: Int) {
        #expect(tail.last.index == LogIndex(rawValue: UInt64(terms.count)))
        for index in 0...(terms.count + 1) {
            let known = tail.term(at: LogIndex(rawValue: UInt64(index)))?.rawValue
            if index > terms.count || index < compacted {
                #expect(known == nil)
            } else {
                #expect(known == (index == 0 ? 0 : terms[index - 1]))
            }
        }
        for termMax in 0...((terms.last ?? 0) + 1) {
            let newest = tail.newestPosition(
                notAfter: tail.last.index, termMax: Term(rawValue: termMax))
            let expected = terms.lastIndex { $0 <= termMax }.map { $0 + 1 } ?? 0
            #expect(
                newest?.index
                    == (expected < compacted ? nil : LogIndex(rawValue: UInt64(expected))))
        }
        let inMemory = terms.count - Int(tail.start.index.rawValue)
        #expect(tail.byteCount == inMemory * RaftLimits.entryOverheadBytes)
        let slice = tail.slice(
            from: tail.start.index.next, through: tail.last.index, bytesMax: .max)
        #expect(slice.entries.count == inMemory)
    }
}
