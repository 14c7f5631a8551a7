/// The `Range` header (RFC 9110 section 14): one range of bytes. Several at once are answered
/// with the whole object, as S3 does.
package enum RangeHeader: Equatable, Sendable {
    case from(Int)
    case between(Int, Int)
    case last(Int)

    /// - Returns: `nil` for a header that is to be ignored: another unit, several ranges, nonsense.
    package init?(_ text: String) {
        guard text.hasPrefix("bytes=") else { return nil }
        let spec = String(text.dropFirst(6)).trimmingSpaces
        let parts = spec.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        if parts[0].isEmpty {
            guard let count = Self.number(parts[1]) else { return nil }
            self = .last(count)
        } else if parts[1].isEmpty {
            guard let first = Self.number(parts[0]) else { return nil }
            self = .from(first)
        } else {
            guard let first = Self.number(parts[0]), let last = Self.number(parts[1]),
                first <= last
            else { return nil }
            self = .between(first, last)
        }
    }

    private static func number(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        // More digits than fit mean "to the end" or "beyond it".
        return Int(text) ?? Int.max
    }

    /// The bytes of an object of `size` bytes.
    ///
    /// - Returns: Not empty.
    /// - Throws: `InvalidRange` if none are there.
    package func resolve(size: Int) throws(S3Error) -> Range<Int> {
        let range: Range<Int>
        switch self {
        case .from(let first): range = min(first, size)..<size
        case .between(let first, let last):
            range = min(first, size)..<(last >= size ? size : last + 1)
        case .last(let count): range = (size - min(count, size))..<size
        }
        guard !range.isEmpty else {
            throw S3Error(
                .invalidRange,
                details: [("ActualObjectSize", "\(size)"), ("RangeRequested", "\(self)")])
        }
        return range
    }

    /// `bytes 0-99/1234`
    package static func contentRange(_ range: Range<Int>, size: Int) -> String {
        "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
    }
}
