/// Sizes as operators write them: `8KiB`, `100 GB`, `512`.
package enum ByteSize {
    private static let units: [(name: String, bytes: UInt64)] = [
        ("kib", 1 << 10), ("mib", 1 << 20), ("gib", 1 << 30), ("tib", 1 << 40),
        ("kb", 1000), ("mb", 1_000_000), ("gb", 1_000_000_000), ("tb", 1_000_000_000_000),
        ("b", 1), ("", 1),
    ]

    /// - Returns: Bytes; `nil` for anything but a whole number and a known unit, and for more than
    ///   fits `Int`.
    package static func parse(_ text: String) -> Int? {
        let text = text.filter { $0 != " " }.lowercased()
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = String(text.dropFirst(digits.count))
        guard let number = UInt64(digits),
            let bytes = units.first(where: { $0.name == unit })?.bytes
        else { return nil }
        let (product, overflows) = number.multipliedReportingOverflow(by: bytes)
        return overflows ? nil : Int(exactly: product)
    }

    /// The largest binary unit with at most one decimal: `1.5 GiB`.
    package static func format(_ bytes: Int) -> String {
        let names = ["TiB", "GiB", "MiB", "KiB"]
        for (index, name) in names.enumerated() {
            let unit = 1 << (40 - index * 10)
            if bytes >= unit {
                let tenths = bytes / (unit / 10)
                return tenths % 10 == 0 || tenths >= 1000
                    ? "\(tenths / 10) \(name)" : "\(tenths / 10).\(tenths % 10) \(name)"
            }
        }
        return "\(bytes) B"
    }
}

/// Durations as operators write them: `10m`, `500ms`, `24h`.
package enum DurationText {
    /// - Returns: `nil` for anything but a whole number with `ms`, `s`, `m`, `h` or `d`.
    package static func parse(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), number <= 1_000_000_000 else { return nil }
        switch text.dropFirst(digits.count) {
        case "ms": return .milliseconds(number)
        case "s": return .seconds(number)
        case "m": return .seconds(number * 60)
        case "h": return .seconds(number * 3600)
        case "d": return .seconds(number * 86400)
        default: return nil
        }
    }

    package static func format(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        if attoseconds != 0 {
            return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000)ms"
        }
        for (unit, size) in [("d", Int64(86400)), ("h", 3600), ("m", 60)]
        where seconds >= size && seconds % size == 0 {
            return "\(seconds / size)\(unit)"
        }
        return "\(seconds)s"
    }
}
