import Core

/// Reading texts as values. Each answers `nil` after noting what is wrong.
extension SettingReader {
    mutating func whole(_ setting: Setting, in range: ClosedRange<Int>) -> Int? {
        guard let text = text(setting) else { return nil }
        if let number = Int(text), range.contains(number) { return number }
        refuse(
            setting, "'\(text)' is not a number from \(range.lowerBound) to \(range.upperBound)",
            "write a whole number such as \(setting.defaultText ?? "\(range.lowerBound)")")
        return nil
    }

    mutating func duration(_ setting: Setting, in range: ClosedRange<Duration>) -> Duration? {
        guard let text = text(setting) else { return nil }
        let shortest = DurationText.format(range.lowerBound)
        let longest = DurationText.format(range.upperBound)
        guard let duration = DurationText.parse(text) else {
            refuse(setting, "'\(text)' is not a duration", "write a number and a unit, such as 10m")
            return nil
        }
        if range.contains(duration) { return duration }
        refuse(
            setting, "\(text) is out of bounds", "write a duration from \(shortest) to \(longest)")
        return nil
    }

    /// Gigabytes, or a size with its unit.
    mutating func gigabytes(_ setting: Setting, min: Int) -> Int? {
        guard let text = text(setting) else { return nil }
        let isPlainNumber = !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) }
        guard let bytes = ByteSize.parse(isPlainNumber ? text + "GB" : text) else {
            refuse(
                setting, "'\(text)' is not a size",
                "write a number of gigabytes such as 100, or a size such as 500GiB")
            return nil
        }
        if bytes >= min { return bytes }
        refuse(
            setting, "\(text) is too little to work with", "write \(ByteSize.format(min)) or more")
        return nil
    }

    mutating func address(_ setting: Setting, defaultPort: Int?) -> HostPort? {
        guard let text = text(setting) else { return nil }
        if let address = HostPort(text, defaultPort: defaultPort) { return address }
        refuse(setting, "'\(text)' is not an address", "write host:port, such as 10.0.0.5:9000")
        return nil
    }

    mutating func addresses(_ setting: Setting) -> [HostPort] {
        guard let text = text(setting) else { return [] }
        var addresses: [HostPort] = []
        for part in text.split(separator: ",") {
            let part = part.trimmed
            if part.isEmpty { continue }
            guard let address = HostPort(part, defaultPort: HostPort.defaultPort) else {
                refuse(
                    setting, "'\(part)' is not an address",
                    "write host:port, separated by commas, such as a:9000,b:9000,c:9000")
                continue
            }
            if !addresses.contains(address) { addresses.append(address) }
        }
        return addresses
    }

    /// Words separated by commas, as written.
    mutating func words(_ setting: Setting) -> [String] {
        (text(setting) ?? "").split(separator: ",").map { $0.trimmed }.filter { !$0.isEmpty }
    }

    /// Letters, digits, dots, hyphens and underscores.
    mutating func label(_ setting: Setting, extra: String = "") -> String? {
        guard let text = text(setting) else { return nil }
        if isLabel(text) { return text }
        refuse(
            setting, "'\(text)' is not a label",
            "write 1 to 64 letters, digits, dots, hyphens or underscores")
        return nil
    }

    func isLabel(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { scalar in
                scalar.isASCII
                    && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                        || scalar == "." || scalar == "-" || scalar == "_")
            }
    }

    mutating func choice<Value: RawRepresentable & CaseIterable>(
        _ setting: Setting, of type: Value.Type
    ) -> Value? where Value.RawValue == String {
        guard let text = text(setting) else { return nil }
        if let value = Value(rawValue: text.lowercased()) { return value }
        let names = Value.allCases.map(\.rawValue)
        let nearest = Suggestion.nearest(to: text.lowercased(), among: names)
        refuse(
            setting, "'\(text)' is not known",
            nearest.map { "did you mean \($0)?" } ?? "write one of \(names.joined(separator: ", "))"
        )
        return nil
    }

    /// Keys of 32 bytes as 64 hex digits, separated by commas. Never repeats what was written.
    mutating func hexKeys(_ setting: Setting, countMax: Int) -> [Redacted<[UInt8]>] {
        guard let text = text(setting) else { return [] }
        var keys: [Redacted<[UInt8]>] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let part = part.trimmed
            guard let bytes = Hex.decode(part), bytes.count == 32 else {
                refuse(
                    setting, "has \(part.count) characters that are not 64 hex digits",
                    "write 64 hex digits; `openssl rand -hex 32` makes them")
                continue
            }
            // 32 random bytes have fewer than 12 distinct ones about never.
            guard Set(bytes).count >= 12 else {
                refuse(
                    setting, "is not random",
                    "write 64 random hex digits; `openssl rand -hex 32` makes them")
                continue
            }
            keys.append(Redacted(bytes))
        }
        if keys.count > countMax {
            refuse(
                setting, "holds \(keys.count) keys", "write at most \(countMax), the newest first")
        }
        return keys
    }
}

extension StringProtocol {
    /// Without spaces and tabs at both ends.
    fileprivate var trimmed: String {
        var rest = Substring(self)
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}
