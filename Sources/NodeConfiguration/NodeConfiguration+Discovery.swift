import Core

/// How coordinators are found: reading it, and what goes together.
extension NodeConfiguration {
    static func readDiscovery(_ reader: inout SettingReader) -> Discovery {
        let methods = readMethods(&reader)
        return Discovery(
            methods: methods.isEmpty ? [.static] : methods, dnsNames: readDNSNames(&reader),
            dnsServer: reader.address(.discoveryDNSServer, defaultPort: 53),
            port: reader.whole(.discoveryPort, in: 1...65535) ?? HostPort.defaultPort,
            azureClientID: reader.label(.discoveryAzureClientID))
    }

    private static func readMethods(_ reader: inout SettingReader) -> [DiscoveryMethod] {
        let known = DiscoveryMethod.allCases.map(\.rawValue)
        var methods: [DiscoveryMethod] = []
        for word in reader.words(.discoveryMethod) {
            if let method = DiscoveryMethod(rawValue: word.lowercased()) {
                if !methods.contains(method) { methods.append(method) }
                continue
            }
            let nearest = Suggestion.nearest(to: word.lowercased(), among: known)
            reader.refuse(
                .discoveryMethod,
                "there is no '\(word)'; known: \(known.joined(separator: ", "))",
                nearest.map { "did you mean \($0)?" } ?? "write one or more of them")
        }
        return methods
    }

    private static func readDNSNames(_ reader: inout SettingReader) -> [String] {
        let names = reader.words(.discoveryDNSNames)
        if names.count > dnsNamesMax {
            reader.refuse(
                .discoveryDNSNames, "has \(names.count) names", "write at most \(dnsNamesMax)")
        }
        for name in names where !isDNSName(name) {
            reader.refuse(
                .discoveryDNSNames, "'\(name)' is neither a name with a port nor a service",
                "write host:port, or a service such as _dst._tcp.example.com")
        }
        return names
    }

    /// Each costs packets at every look.
    static let dnsNamesMax = 16

    private static func isDNSName(_ text: String) -> Bool {
        if text.first == "_" {
            // A service has no port of its own, and at least two labels.
            let plain = text.last == "." ? text.dropLast() : text[...]
            return plain.contains(".") && HostPort(plain, defaultPort: 1)?.host == String(plain)
        }
        // A dot at a name's end keeps search domains away.
        return HostPort(text.replacing(".:", with: ":", maxReplacements: 1)) != nil
    }

    func checkDiscovery(_ role: NodeRole, _ reader: inout SettingReader) {
        let methods = discovery.methods
        checkSeeds(role, &reader)
        if methods.contains(.dns) {
            reader.miss(
                .discoveryDNSNames, "is not set, but DISCOVERY_METHOD names dns",
                "write host:port of the coordinators' name, or a service such as "
                    + "_dst._tcp.example.com")
        } else if !discovery.dnsNames.isEmpty {
            reader.warn(
                .discoveryDNSNames, "is not used", "add dns to DISCOVERY_METHOD or remove it")
        }
        if methods.contains(where: \.isCloud), !Self.isTagValue(clusterName) {
            reader.refuse(
                .clusterName,
                "'\(clusterName)' can't be the value of a tag or label in every cloud",
                "write 1 to 32 lower-case letters, digits and hyphens, a letter or digit at both "
                    + "ends")
        }
    }

    /// `^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$`: legal as a label at Google, and no pattern for EC2.
    static func isTagValue(_ text: String) -> Bool {
        func isPlain(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard (1...32).contains(text.utf8.count), let first = text.utf8.first,
            let last = text.utf8.last
        else { return false }
        return isPlain(first) && isPlain(last)
            && text.utf8.allSatisfy { isPlain($0) || $0 == UInt8(ascii: "-") }
    }

    private func checkSeeds(_ role: NodeRole, _ reader: inout SettingReader) {
        guard discovery.methods.contains(.static) else {
            if !seeds.isEmpty {
                reader.warn(
                    .seedNodes, "is not used", "add static to DISCOVERY_METHOD or remove it")
            }
            return
        }
        let isAlone = role == .coordinator && bootstrapExpect == 1
        let isOnly = discovery.methods == [.static]
        if seeds.isEmpty, !isAlone {
            reader.miss(
                .seedNodes, "is not set, so the coordinators can't be found",
                "write their host:port, separated by commas")
        } else if isOnly, role == .coordinator, formation != .never,
            seeds.count + 1 < bootstrapExpect
        {
            reader.refuse(
                .seedNodes,
                "names \(seeds.count), but BOOTSTRAP_EXPECT wants \(bootstrapExpect) coordinators",
                "name all \(bootstrapExpect), this one may be among them")
        }
    }
}
