import Core
import Testing

@testable import Simulation

/// Changes and their fates against the obvious: a list of whole contents.
@Suite struct FileChangeTests {
    /// A file in memory that remembers what it was.
    private struct Model {
        var content: [UInt8]
        var changes: [FileChange] = []
        /// What each write brought; nothing for a resize.
        var newBytes: [[UInt8]] = []

        mutating func change(using random: inout SeededRandom) {
            let sequence = changes.count + 1
            let oldSize = content.count
            if Int.random(in: 0..<4, using: &random) == 0 {
                let newSize = Int.random(in: 0...oldSize + 2000, using: &random)
                let oldBytes = newSize < oldSize ? Array(content[newSize...]) : []
                changes.append(
                    .resize(sequence, to: newSize, oldSize: oldSize, oldBytes: oldBytes))
                newBytes.append([])
                content = Self.resized(content, to: newSize)
            } else {
                let start = Int.random(in: 0...oldSize + 1000, using: &random)
                let bytes = (0..<Int.random(in: 1...3000, using: &random)).map { _ in
                    UInt8.random(in: 1...255, using: &random)
                }
                let end = start + bytes.count
                let old = start < oldSize ? Array(content[start..<min(end, oldSize)]) : []
                changes.append(
                    .write(sequence, at: start..<end, oldSize: oldSize, oldBytes: old))
                newBytes.append(bytes)
                content = Self.resized(content, to: max(oldSize, end))
                content.replaceSubrange(start..<end, with: bytes)
            }
        }

        static func resized(_ content: [UInt8], to size: Int) -> [UInt8] {
            Array(content.prefix(size))
                + [UInt8](repeating: 0, count: max(0, size - content.count))
        }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `changes are undone and made again`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var model = Model(
            content: [UInt8](repeating: 7, count: .random(in: 0...4000, using: &random)))
        var contents = [model.content]
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            model.change(using: &random)
            contents.append(model.content)
        }
        var content = model.content
        for (index, change) in model.changes.enumerated().reversed() {
            #expect(change.undo(in: &content) == model.newBytes[index])
            #expect(content == contents[index])
        }
        for (index, change) in model.changes.enumerated() {
            change.redo(in: &content, newBytes: model.newBytes[index], as: .whole)
            #expect(content == contents[index + 1])
        }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `a write of whole sectors keeps or loses each of them`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let base = [UInt8](repeating: 1, count: 8 * 512)
        let range = 1000..<3900
        let change = FileChange.write(1, at: range, oldSize: 4096, oldBytes: Array(base[range]))
        let fates = PowerCutFates.draw(for: [change], using: &random)
        var content = base
        change.redo(
            in: &content, newBytes: [UInt8](repeating: 2, count: range.count), as: fates[1]!)
        #expect(content.count == base.count)
        #expect(content[..<range.lowerBound].allSatisfy { $0 == 1 })
        #expect(content[range.upperBound...].allSatisfy { $0 == 1 })
        for sector in PowerCutFates.sectors(of: range) {
            #expect(Set(content[sector]).count == 1, "a sector is written as a whole")
        }
    }

    @Test func `all outcomes of a cut come up`() {
        let bytes = [UInt8](repeating: 0, count: 2048)
        let changes = (0..<4).map {
            FileChange.write($0, at: 0..<2048, oldSize: 2048, oldBytes: bytes)
        }
        var seen: Set<String> = []
        for seed in 0..<200 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            let drawn = PowerCutFates.draw(for: changes, using: &random)
            let fates = changes.compactMap { drawn[$0.sequence] }
            #expect(fates.count == changes.count)
            if fates.allSatisfy({ $0 == .whole }) { seen.insert("all kept") }
            if fates.allSatisfy({ $0 == .lost }) { seen.insert("all lost") }
            if fates.first == .lost, fates.last == .whole { seen.insert("reordered") }
            if case .parts(let parts) = fates[1], fates[0] == .whole, fates[2] == .lost,
                !parts.isEmpty
            {
                seen.insert("torn prefix")
            }
        }
        #expect(seen == ["all kept", "all lost", "reordered", "torn prefix"])
    }
}
