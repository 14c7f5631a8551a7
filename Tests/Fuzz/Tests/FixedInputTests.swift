import Foundation
import Testing

extension FuzzTarget: CustomTestStringConvertible {
    var testDescription: String { name }
}

/// What scripts/fuzz feeds, without libFuzzer: a few inputs of each target, always the same ones.
///
/// A target that does not take an input stops the process. The input is in a file then, for
/// `scripts/fuzz --replay`: see ../README.md.
@Suite(.serialized) struct FixedInputTests {
    /// One in so many of the inputs of a short run of scripts/fuzz, and at least so many: meant to
    /// take 30 to 60 s in all, in a debug build on one core.
    static let shortRunShare = 3
    static let inputCountMin = 60

    static func inputCount(of target: FuzzTarget) -> Int {
        max(inputCountMin, target.runCount / shortRunShare)
    }

    @Test(arguments: FuzzTarget.all)
    func `any input is taken`(target: FuzzTarget) async throws {
        let file = try #require(InputFile(of: target))
        let areHeld = await onThread {
            var maker = InputMaker(seeds: target.seeds())
            for _ in 0..<Self.inputCount(of: target) {
                let input = maker.next()
                guard file.hold(input) else { return false }
                target.run(input)
            }
            return true
        }
        file.remove()
        #expect(areHeld, "no room for an input in \(file.path)")
    }

    /// Some targets wait for a task: not on one of the few threads that run tasks.
    private func onThread(_ body: @escaping @Sendable () -> Bool) async -> Bool {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: body()) }
        }
    }
}
