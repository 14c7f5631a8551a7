/// The door to randomness: keys, nonces, identifiers, jitter. Tests give a seeded one.
package struct Randomness: RandomNumberGenerator, Sendable {
    private let draw: @Sendable () -> UInt64

    package init(_ draw: @escaping @Sendable () -> UInt64) { self.draw = draw }

    /// The operating system's, fit for keys; in a simulation, what it put in its place.
    package static let system = Randomness {
        if let draw = ProcessDoors.replacement?.random { return draw() }
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }

    package func next() -> UInt64 { draw() }

    package func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 7)
        while bytes.count < count {
            withUnsafeBytes(of: draw()) { bytes.append(contentsOf: $0) }
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    package func identifier<ID: Identifier128>(_ type: ID.Type = ID.self) -> ID {
        ID(high: draw(), low: draw())
    }
}
