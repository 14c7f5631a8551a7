import Testing

@Suite struct InputMakerTests {
    private let seeds: [[UInt8]] = [
        [], [1, 2, 3], Array("GET / HTTP/1.1".utf8),
        (0..<5000).map { UInt8(truncatingIfNeeded: $0) },
    ]

    private func inputs(_ count: Int) -> [[UInt8]] {
        var maker = InputMaker(seeds: seeds)
        var inputs: [[UInt8]] = []
        for _ in 0..<count { inputs.append(maker.next()) }
        return inputs
    }

    @Test func `inputs are the same each time`() {
        let (once, again) = (inputs(300), inputs(300))
        #expect(once == again)
    }

    @Test func `seeds come first`() {
        let first = inputs(3)
        #expect(first == Array(seeds.prefix(3)))
    }

    @Test func `inputs are small, and most of them different`() {
        let inputs = inputs(300)
        let largest = inputs.map(\.count).max()
        #expect(largest == InputMaker.byteCountMax)
        #expect(Set(inputs).count > 200)
    }

    @Test(arguments: FuzzTarget.all)
    func `what a target begins with is the same each time`(target: FuzzTarget) {
        let (once, again) = (target.seeds(), target.seeds())
        #expect(!once.isEmpty && once == again)
    }
}
