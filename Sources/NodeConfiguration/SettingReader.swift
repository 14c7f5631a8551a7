import Configuration
import Foundation
import Synchronization

/// Looks settings up in the layered providers, remembers where each was found, and collects what is
/// wrong instead of stopping at the first.
struct SettingReader {
    /// Keeps the last look-up, which says the provider that answered.
    private final class LastAccess: AccessReporter {
        private let event = Mutex<AccessEvent?>(nil)

        func report(_ event: AccessEvent) { self.event.withLock { $0 = event } }

        var provider: (name: String, isFailure: Bool)? {
            event.withLock { event in
                guard let event, let last = event.providerResults.last else { return nil }
                if case .failure = event.result { return (last.providerName, true) }
                return (last.providerName, false)
            }
        }
    }

    private static let flagsName = "flags"
    private static let environmentName = "EnvironmentVariablesProvider"
    private static let defaultsName = "defaults"

    private let reader: ConfigReader
    private let lastAccess = LastAccess()
    private let document: YAMLDocument?
    /// Where the service manager keeps what it hands over.
    private let credentials: String?
    let machine: ConfigurationSources.Machine
    private(set) var problems: [ConfigurationProblem]
    private(set) var warnings: [ConfigurationProblem] = []
    private(set) var values: [Setting: EffectiveValue] = [:]

    init(_ sources: ConfigurationSources) async {
        var problems = ForeignVariables.problems(in: sources.environment)
        document = sources.yamlPath.flatMap { YAMLDocument.read(path: $0, problems: &problems) }
        machine = sources.machine
        credentials = sources.environment["CREDENTIALS_DIRECTORY"].flatMap {
            $0.isEmpty ? nil : $0
        }
        var providers: [any ConfigProvider] = [
            InMemoryProvider(name: Self.flagsName, values: Self.contents(of: sources.flags)),
            // Compose files pass variables that nobody set as empty ones.
            EnvironmentVariablesProvider(
                environmentVariables: sources.environment.filter { !$0.value.isEmpty }),
        ]
        if let document {
            do {
                providers.append(try await Self.yamlProvider(path: document.path))
            } catch {
                if problems.isEmpty {
                    problems.append(
                        ConfigurationProblem(
                            place: document.path, name: "", text: "can't be read (\(error))",
                            advice: "write lines like node_type: storage"))
                }
            }
        }
        let defaults = Setting.allCases.compactMap { setting in
            setting.defaultText.map { (setting.key, $0) }
        }
        providers.append(
            InMemoryProvider(
                name: Self.defaultsName,
                values: Self.contents(of: Dictionary(uniqueKeysWithValues: defaults))))
        reader = ConfigReader(providers: providers, accessReporter: lastAccess)
        self.problems = problems
    }

    private static func contents(of texts: [String: String]) -> [AbsoluteConfigKey: ConfigValue] {
        let lists = Set(Setting.allCases.filter(\.isList).map(\.key))
        return Dictionary(
            uniqueKeysWithValues: texts.map { key, text in
                let content: ConfigContent =
                    lists.contains(key)
                    ? .stringArray(text.split(separator: ",").map(String.init)) : .string(text)
                return (AbsoluteConfigKey([key]), ConfigValue(content, isSecret: false))
            })
    }

    private static func yamlProvider(path: String) async throws -> FileProvider<YAMLSnapshot> {
        let path = InMemoryProvider(values: [
            "filePath": ConfigValue(.string(path), isSecret: false)
        ])
        return try await FileProvider(config: ConfigReader(provider: path))
    }

    // MARK: Reading

    /// The text of a setting and where it was found; `nil` where nobody gave it.
    mutating func text(_ setting: Setting) -> String? {
        if setting.mayBeInFile { return textOrFile(setting) }
        guard let (text, origin) = lookUp(setting.key, of: setting) else { return nil }
        values[setting] = EffectiveValue(setting: setting, text: text, origin: origin)
        return text
    }

    private mutating func textOrFile(_ setting: Setting) -> String? {
        let direct = lookUp(setting.key, of: setting)
        let file = lookUp(setting.fileKey, of: setting)
        if let direct, let file, direct.origin.rank == file.origin.rank {
            problems.append(
                ConfigurationProblem(
                    place: "\(direct.origin)", name: "",
                    text: "is given beside \(file.origin)", advice: "keep one of them"))
            return nil
        }
        if let file, file.origin.rank < direct?.origin.rank ?? .max {
            return text(of: setting, inFile: file.text, origin: file.origin)
        }
        guard let direct else { return credential(setting) }
        note(setting, direct.text, direct.origin)
        return direct.text
    }

    private mutating func note(_ setting: Setting, _ text: String, _ origin: Origin) {
        values[setting] = EffectiveValue(
            setting: setting, text: setting.isSecret ? nil : text, origin: origin)
    }

    private mutating func text(
        of setting: Setting, inFile path: String, origin: Origin
    ) -> String? {
        note(setting, "", origin)
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            let text = String(decoding: data.prefix(64 << 10), as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            note(setting, text, origin)
            if !text.isEmpty { return text }
            refuse(setting, "\(path) is empty", "write the value into the file")
        } catch {
            refuse(
                setting, "\(path) can't be read (\(YAMLDocument.reason(error)))",
                "check the path and its permissions")
        }
        return nil
    }

    /// What the service manager hands over by the setting's name (systemd's `LoadCredential=`). An
    /// empty file counts as not set: a unit names the secrets of all roles.
    private mutating func credential(_ setting: Setting) -> String? {
        guard let credentials else { return nil }
        let path = credentials + "/" + setting.credentialName
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let origin = Origin.credential(path)
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            let text = String(decoding: data.prefix(64 << 10), as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            guard !text.isEmpty else { return nil }
            note(setting, text, origin)
            return text
        } catch {
            note(setting, "", origin)
            refuse(
                setting, "can't be read (\(YAMLDocument.reason(error)))",
                "check the unit's LoadCredential=\(setting.credentialName)")
            return nil
        }
    }

    private func lookUp(_ key: String, of setting: Setting) -> (text: String, origin: Origin)? {
        let configKey = ConfigKey([key])
        var text: String?
        if setting.isList {
            text = reader.stringArray(forKey: configKey, isSecret: setting.isSecret)?
                .joined(separator: ",")
        }
        text = text ?? reader.string(forKey: configKey, isSecret: setting.isSecret)
        guard let text, !text.isEmpty, let provider = lastAccess.provider else { return nil }
        return (text, origin(of: key, setting: setting, provider: provider.name))
    }

    private func origin(of key: String, setting: Setting, provider: String) -> Origin {
        if provider == "InMemoryProvider[\(Self.flagsName)]" {
            return .flag(
                setting.isSecret ? setting.flag : setting.shortFlag ?? setting.flag)
        }
        if provider == Self.environmentName { return .environment(key.uppercased()) }
        if provider == "InMemoryProvider[\(Self.defaultsName)]" { return .standard }
        return .yaml(path: document?.path ?? "", line: document?.lines[key] ?? 0)
    }

    // MARK: Noting

    /// Notes what is wrong with a setting that was given.
    mutating func refuse(_ setting: Setting, _ text: String, _ advice: String) {
        problems.append(problem(setting, text, advice))
    }

    mutating func warn(_ setting: Setting, _ text: String, _ advice: String) {
        warnings.append(problem(setting, text, advice))
    }

    /// Notes a setting that must be given and was not.
    mutating func miss(_ setting: Setting, _ text: String, _ advice: String) {
        // A value that was given and refused is not missing too.
        guard values[setting] == nil else { return }
        var advice = advice
        if setting.isSecret, credentials != nil {
            let name = setting.credentialName
            advice +=
                ", into the file that the unit's LoadCredential=\(name) names: as packaged "
                + "/etc/dstnode/\(name)"
        }
        problems.append(
            ConfigurationProblem(place: "", name: setting.name, text: text, advice: advice))
    }

    /// Shows a value that was worked out.
    mutating func derive(_ setting: Setting, _ text: String, from: String) {
        values[setting] = EffectiveValue(setting: setting, text: text, origin: .derived(from))
    }

    private func problem(_ setting: Setting, _ text: String, _ advice: String)
        -> ConfigurationProblem
    {
        switch values[setting]?.origin {
        case .yaml(let path, let line):
            ConfigurationProblem(
                place: "\(path):\(line)", name: setting.key, text: text, advice: advice)
        case .flag(let name):
            ConfigurationProblem(place: "flag --\(name)", name: "", text: text, advice: advice)
        case .environment(let name):
            ConfigurationProblem(place: "environment \(name)", name: "", text: text, advice: advice)
        case .credential(let path):
            ConfigurationProblem(place: path, name: setting.name, text: text, advice: advice)
        case .standard, .derived, nil:
            ConfigurationProblem(place: "", name: setting.name, text: text, advice: advice)
        }
    }
}
