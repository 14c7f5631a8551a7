import Testing

@testable import Coordinator

@Suite struct SweepFenceTests {
    private static let day: Int64 = 86_400_000
    private static let now: Int64 = 1_800_000_000_000

    @Test func `a fence moves in eighths of SWEEP_AGE, and only forward`() {
        func due(_ now: Int64, _ fence: UInt32) -> UInt32? {
            SweepFence.due(now: now, ageMilliseconds: Self.day, fence: fence)
        }
        let first = UInt32((Self.now - Self.day) / 1000)
        #expect(due(Self.now, 0) == first)
        #expect(due(Self.now, first) == nil)
        #expect(due(Self.now + Self.day / 8 - 1_000, first) == nil)
        #expect(due(Self.now + Self.day / 8, first) == first + 10_800)
        #expect(due(Self.now - 100 * Self.day, first) == nil)
    }

    @Test func `no clock makes it trap or wrap around`() {
        for now in [Int64.min + Self.day, -1, 0, Self.day, Int64.max] {
            let fence = SweepFence.due(now: now, ageMilliseconds: Self.day, fence: 0)
            #expect(fence == nil || now > Self.day)
        }
    }

    @Test func `with an age of seconds it moves every second`() {
        #expect(SweepFence.due(now: 10_000, ageMilliseconds: 2_000, fence: 7) == 8)
        #expect(SweepFence.due(now: 9_500, ageMilliseconds: 2_000, fence: 7) == nil)
    }
}
