import Core
import Foundation
import Testing

@testable import NodeConfiguration

private let secret = "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"
private let otherSecret = "ff112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"
private let coordinator = [
    "NODE_TYPE": "coordinator", "SEED_NODES": "a:9000,b:9000,c:9000", "CLUSTER_SECRET": secret,
]

private func load(
    flags: [String: String] = [:], environment: [String: String] = coordinator,
    yaml: String? = nil
) async throws -> LoadedConfiguration {
    try await NodeConfiguration.load(
        ConfigurationSources(
            flags: flags, environment: environment, yamlPath: yaml,
            machine: .init(hostName: "host-7", address: "10.1.2.3")))
}

/// What is wrong with the settings, one line each; empty where nothing is.
private func problems(
    flags: [String: String] = [:], environment: [String: String] = coordinator,
    yaml: String? = nil
) async throws -> [String] {
    do {
        _ = try await load(flags: flags, environment: environment, yaml: yaml)
        return []
    } catch let error as ConfigurationProblems {
        return error.problems.map(\.description)
    }
}

private enum JoinTokenText {
    static let storage =
        "dst1.storage.\(String(repeating: "ab", count: 32)).0011223344556677.\(secret)"
}

@Suite struct ConfigurationTests {
    @Test func `the deployment guide's flags start a coordinator`() async throws {
        let loaded = try await load(
            flags: [
                "node_type": "coordinator", "node_id": "c1", "listen_address": "0.0.0.0:9000",
                "data_path": "/opt/dstorage/data", "seed_nodes": "a:9000,b:9000,c:9000",
                "capacity_gb": "100", "replication_factor": "3", "discovery_method": "static",
            ], environment: ["CLUSTER_SECRET": secret])
        let configuration = loaded.configuration
        #expect(configuration.role == .coordinator)
        #expect(configuration.label == "c1")
        #expect(configuration.dataPath == "/opt/dstorage/data")
        #expect(configuration.seeds.map(\.description) == ["a:9000", "b:9000", "c:9000"])
        #expect(configuration.capacityBytes == 100_000_000_000)
        #expect(configuration.advertiseAddress == HostPort(host: "10.1.2.3", port: 9000))
        #expect(configuration.clusterSecrets.map { Hex.encode($0.value) } == [secret])
        #expect(loaded.warnings.isEmpty)
    }

    @Test func `a flag beats the environment beats YAML beats the default`() async throws {
        let directory = try TemporaryDirectory()
        let yaml = try directory.file(
            "node.yaml", "zone: yaml\ncluster_name: yaml\nlog_level: debug\n")
        var environment = coordinator
        environment["ZONE"] = "environment"
        environment["CLUSTER_NAME"] = "environment"
        let loaded = try await load(
            flags: ["zone": "flag"], environment: environment, yaml: yaml)
        #expect(loaded.configuration.zone == "flag")
        #expect(loaded.configuration.clusterName == "environment")
        #expect(loaded.configuration.logLevel == .debug)
        #expect(loaded.configuration.region == "us-east-1")
        let origins = Dictionary(
            uniqueKeysWithValues: loaded.values.map { ($0.setting, "\($0.origin)") })
        #expect(origins[.zone] == "flag --zone")
        #expect(origins[.clusterName] == "environment CLUSTER_NAME")
        #expect(origins[.logLevel] == "\(yaml):3")
        #expect(origins[.s3Region] == "default")
        #expect(origins[.nodeID] == "default: the host name")
    }

    @Test func `YAML takes plain values, numbers and lists`() async throws {
        let directory = try TemporaryDirectory()
        let yaml = try directory.file(
            "node.yaml",
            """
            # A storage node.
            node_type: storage
            capacity_gb: 500
            replication_factor: 3
            seed_nodes:
              - a:9000
              - "[fe80::1]:9001"
            cluster_secret: "\(secret)"
            """)
        let configuration = try await load(environment: [:], yaml: yaml).configuration
        #expect(configuration.role == .storage)
        #expect(configuration.capacityBytes == 500_000_000_000)
        #expect(configuration.seeds.map(\.description) == ["a:9000", "[fe80::1]:9001"])
        #expect(configuration.zone == "default")
    }

    @Test func `an unknown key is named with its line and what was meant`() async throws {
        let directory = try TemporaryDirectory()
        let yaml = try directory.file(
            "node.yaml",
            "node_type: coordinator\nreplication_facter: 3\nseed-nodes: a:9000\nxyzzy: 1\n")
        let found = try await problems(yaml: yaml)
        #expect(
            found == [
                "\(yaml):2: replication_facter: there is no such setting; did you mean "
                    + "replication_factor?",
                "\(yaml):3: seed-nodes: there is no such setting; did you mean seed_nodes?",
                "\(yaml):4: xyzzy: there is no such setting; see docs/CONFIGURATION.md for all "
                    + "settings",
            ])
    }

    @Test func `everything that is wrong is said at once`() async throws {
        let found = try await problems(
            flags: ["listen_address": "0.0.0.0"],
            environment: [
                "NODE_TYPE": "storge", "REPAIR_DELAY": "ten minutes", "CAPACITY_GB": "lots",
                "BOOTSTRAP_EXPECT": "4", "REPLICATION_FACTOR": "0", "CLUSTER_SECRET": "abc",
                "SEED_NODES": "a:9000,b:99999", "LOG_LEVEL": "loud", "DATA_PATH": "data",
            ])
        let expected = [
            "environment NODE_TYPE: 'storge' is not known; did you mean storage?",
            "flag --address: '0.0.0.0' is not an address",
            "environment DATA_PATH: 'data' is not an absolute path",
            "environment REPLICATION_FACTOR: '0' is not a number from 1 to 8",
            "environment SEED_NODES: 'b:99999' is not an address",
            "environment CAPACITY_GB: 'lots' is not a size",
            "environment CLUSTER_SECRET: has 3 characters that are not 64 hex digits",
            "environment BOOTSTRAP_EXPECT: '4' is not an odd number",
            "environment REPAIR_DELAY: 'ten minutes' is not a duration",
            "environment LOG_LEVEL: 'loud' is not known",
        ]
        #expect(found.count == expected.count)
        for text in expected {
            #expect(found.contains { $0.hasPrefix(text) }, "\(text)\n\(found)")
        }
    }

    @Test(arguments: [
        ("a node without a type", ["NODE_TYPE": ""], "NODE_TYPE: is not set"),
        ("no secret", ["CLUSTER_SECRET": ""], "CLUSTER_SECRET: is not set, but a coordinator"),
        ("zero coordinators", ["BOOTSTRAP_EXPECT": "0"], "environment BOOTSTRAP_EXPECT: '0'"),
        ("no seeds", ["SEED_NODES": ""], "SEED_NODES: is not set"),
        ("too few seeds", ["SEED_NODES": "a:9000"], "environment SEED_NODES: names 1, but BOOT"),
        ("a token", ["JOIN_TOKEN": "x"], "environment JOIN_TOKEN: is no join token"),
        (
            "a coordinator's token", ["JOIN_TOKEN": JoinTokenText.storage],
            "environment JOIN_TOKEN: a coordinator does not join by a token"
        ),
        ("storage without capacity", ["NODE_TYPE": "storage"], "CAPACITY_GB: is not set"),
        ("a gateway without a key", ["NODE_TYPE": "gateway"], "ENCRYPTION_KEY: is not set"),
        ("half a root key", ["ROOT_ACCESS_KEY": "root"], "ROOT_SECRET_KEY: is not set, but"),
        ("a wildcard", ["ADVERTISE_ADDRESS": "0.0.0.0:9000"], "environment ADVERTISE_ADDRESS: '"),
        ("a weak secret", ["CLUSTER_SECRET": String(repeating: "ab", count: 32)], "environment C"),
        ("a bad time", ["FORM_CLUSTER": "tomorrow"], "environment FORM_CLUSTER: 'tomorrow'"),
        ("too short a delay", ["REPAIR_DELAY": "1s"], "environment REPAIR_DELAY: 1s is out of"),
        ("a tiny disk", ["CAPACITY_GB": "1MiB"], "environment CAPACITY_GB: 1MiB is too little"),
    ])
    func `impossible settings are refused`(
        what: String, change: [String: String], expected: String
    ) async throws {
        let environment = coordinator.merging(change) { $1 }
        let found = try await problems(environment: environment)
        #expect(found.count == 1, "\(what): \(found)")
        #expect(found.first?.hasPrefix(expected) == true, "\(what): \(found)")
    }

    @Test(arguments: [
        ("DST_NODE_TYPE", "did you mean NODE_TYPE? Settings have no prefix"),
        ("DST_CLUSTER_SECRT_FILE", "did you mean CLUSTER_SECRET_FILE? Settings have no prefix"),
        ("DST_CONFG", "did you mean DST_CONFIG?"),
        ("DST_FAR_FROM_ALL", "remove it; see docs/CONFIGURATION.md for all settings"),
    ])
    func `an unknown variable with our prefix is refused`(
        name: String, advice: String
    ) async throws {
        let found = try await problems(environment: coordinator.merging([name: "x"]) { $1 })
        #expect(found == ["environment \(name): there is no such setting; \(advice)"])
    }

    @Test func `variables of the scripts and of others are none of our business`() async throws {
        let environment = [
            "DST_HOME": "/x", "DST_CAPACITY": "1GB", "DST_STRICT": "1", "NODE_OPTIONS": "x",
            "DST_CLUSTER_SEEDS": "9", "DST_CLUSTER_SECONDS": "9", "DST_MUTATIONS": "1",
            "DSTORAGE_IMAGE": "x",
        ]
        #expect(try await problems(environment: coordinator.merging(environment) { $1 }).isEmpty)
    }

    @Test func `the root access key comes from a file too, and is shown`() async throws {
        let directory = try TemporaryDirectory()
        let access = try directory.file("access", "AKEXAMPLE\n")
        let secret = try directory.file("secret", "hunter2hunter2\n")
        let loaded = try await load(
            environment: coordinator.merging([
                "ROOT_ACCESS_KEY_FILE": access, "ROOT_SECRET_KEY_FILE": secret,
            ]) { $1 })
        #expect(loaded.configuration.rootKey?.accessKey == "AKEXAMPLE")
        #expect(loaded.configuration.rootKey?.secretKey.value == "hunter2hunter2")
        #expect(loaded.report.contains("AKEXAMPLE"))
    }

    @Test func `sled is another word for the default, with a warning`() async throws {
        let loaded = try await load(
            environment: coordinator.merging(["STORAGE_BACKEND": "sled"]) { $1 })
        #expect(loaded.warnings.count == 1)
        #expect(
            loaded.warnings.first?.description.hasPrefix("environment STORAGE_BACKEND: 'sled'")
                == true)
    }

    @Test func `a secret comes from a file too, and the stronger source wins`() async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.file("secret", otherSecret + "\n")
        var environment = coordinator
        environment["CLUSTER_SECRET"] = nil
        environment["CLUSTER_SECRET_FILE"] = file
        let fromFile = try await load(environment: environment)
        #expect(fromFile.configuration.clusterSecrets.map { Hex.encode($0.value) } == [otherSecret])

        let fromFlag = try await load(flags: ["cluster_secret_file": file])
        #expect(fromFlag.configuration.clusterSecrets.map { Hex.encode($0.value) } == [otherSecret])

        environment["CLUSTER_SECRET"] = secret
        let both = try await problems(environment: environment)
        #expect(
            both.first
                == "environment CLUSTER_SECRET: is given beside environment CLUSTER_SECRET_FILE; "
                + "keep one of them")
        environment["CLUSTER_SECRET"] = nil
        environment["CLUSTER_SECRET_FILE"] = directory.path + "/none"
        let missing = try await problems(environment: environment)
        #expect(missing.count == 1)
        #expect(missing.first?.contains("can't be read") == true, "\(missing)")
    }

    @Test func `a secret comes from the service manager where nobody else gives it`() async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.file("cluster-secret", otherSecret + "\n")
        // A unit names the secrets of all roles; those of others are empty.
        _ = try directory.file("encryption-key", "\n")
        var environment = coordinator
        environment["CREDENTIALS_DIRECTORY"] = directory.path
        let given = try await load(environment: environment)
        #expect(given.configuration.clusterSecrets.map { Hex.encode($0.value) } == [secret])
        environment["CLUSTER_SECRET"] = nil
        let handedOver = try await load(environment: environment)
        #expect(
            handedOver.configuration.clusterSecrets.map { Hex.encode($0.value) } == [otherSecret])
        let value = handedOver.values.first { $0.setting == .clusterSecret }
        #expect(value == .init(setting: .clusterSecret, text: nil, origin: .credential(file)))

        _ = try directory.file("cluster-secret", "abc")
        #expect(
            try await problems(environment: environment).first?
                .hasPrefix("\(file): CLUSTER_SECRET: has 3 characters") == true)
        _ = try directory.file("cluster-secret", "")
        let missing = try await problems(environment: environment)
        #expect(missing.count == 1)
        #expect(missing.first?.hasPrefix("CLUSTER_SECRET: is not set, but") == true)
        #expect(missing.first?.hasSuffix("as packaged /etc/dstnode/cluster-secret") == true)
    }

    @Test func `two secrets are valid during a rotation, three are not`() async throws {
        var environment = coordinator
        environment["CLUSTER_SECRET"] = "\(otherSecret),\(secret)"
        let both = try await load(environment: environment).configuration
        #expect(both.clusterSecrets.map { Hex.encode($0.value) } == [otherSecret, secret])
        environment["CLUSTER_SECRET"] = "\(otherSecret),\(secret),\(secret)"
        #expect(try await problems(environment: environment).count == 1)
    }

    @Test func `no secret is ever printed`() async throws {
        var environment = coordinator
        environment["ROOT_ACCESS_KEY"] = "root"
        environment["ROOT_SECRET_KEY"] = "hunter2hunter2"
        environment["ENCRYPTION_KEY"] = otherSecret
        let loaded = try await load(environment: environment)
        var dumped = ""
        dump(loaded.configuration, to: &dumped)
        for text in [loaded.report, "\(loaded)", dumped, String(reflecting: loaded.configuration)] {
            #expect(!text.contains(secret) && !text.contains(otherSecret))
            #expect(!text.contains("hunter2"))
        }
        #expect(loaded.report.contains("<redacted>"))
        // A refused secret is not repeated either.
        environment["ROOT_SECRET_KEY"] = "hunter2 hunter2"
        environment["ENCRYPTION_KEY"] = otherSecret + "0"
        let found = try await problems(environment: environment).joined()
        #expect(!found.contains("hunter2") && !found.contains(otherSecret), "\(found)")
    }

    @Test(arguments: [
        ("a: [1", "is not YAML"), ("- a\n- b\n", "is not a list of settings"),
        ("zone: a\nzone: b\n", "given twice"), ("zone:\n  deep: 1\n", "holds further settings"),
        ("zone: [a, b]\n", "is a list"), ("zone:\n", "is empty"),
    ])
    func `a malformed file is refused with its line`(text: String, expected: String) async throws {
        let directory = try TemporaryDirectory()
        let yaml = try directory.file("node.yaml", text)
        let found = try await problems(yaml: yaml)
        #expect(found.first?.hasPrefix(yaml + ":") == true, "\(found)")
        #expect(found.first?.contains(expected) == true, "\(found)")
    }

    @Test func `a missing file is a problem, an empty one is not`() async throws {
        let directory = try TemporaryDirectory()
        #expect(try await problems(yaml: directory.path + "/none.yaml").count == 1)
        let empty = try directory.file("empty.yaml", "# nothing\n")
        #expect(try await problems(yaml: empty).isEmpty)
    }

    @Test func `a cluster is formed always, never or until a time`() async throws {
        func formation(_ text: String) async throws -> NodeConfiguration.Formation {
            try await load(environment: coordinator.merging(["FORM_CLUSTER": text]) { $1 })
                .configuration.formation
        }
        #expect(try await formation("auto") == .auto)
        #expect(try await formation("never") == .never)
        #expect(
            try await formation("2026-01-01T00:00:00Z")
                == .until(WallTime(milliseconds: 1_767_225_600_000)))
    }
}

@Suite struct SuggestionTests {
    @Test func `a slip of the pen is found, nonsense is not`() {
        let words = ["seed_nodes", "s3_region", "zone"]
        #expect(Suggestion.nearest(to: "sede_nodes", among: words) == "seed_nodes")
        #expect(Suggestion.nearest(to: "region", among: words) == nil)
        #expect(Suggestion.nearest(to: "s3region", among: words) == "s3_region")
        #expect(Suggestion.distance(Array("ab".utf8), Array("ba".utf8)) == 1)
        #expect(Suggestion.distance(Array("".utf8), Array("abc".utf8)) == 3)
    }

    @Test func `a node with a token needs no secret, and may not have both`() async throws {
        let storage = [
            "NODE_TYPE": "storage", "SEED_NODES": "a:9000", "CAPACITY_GB": "100",
            "JOIN_TOKEN": JoinTokenText.storage,
        ]
        let loaded = try await load(environment: storage)
        #expect(loaded.configuration.joinToken?.value.text == JoinTokenText.storage)
        #expect(loaded.configuration.clusterSecrets.isEmpty)
        let both = try await problems(
            environment: storage.merging(["CLUSTER_SECRET": secret]) { $1 })
        #expect(both.count == 1 && both[0].contains("is set beside CLUSTER_SECRET"))
        let other = try await problems(
            environment: storage.merging([
                "NODE_TYPE": "gateway", "ENCRYPTION_KEY": secret,
            ]) { $1 })
        #expect(other.count == 1 && other[0].contains("is for storage nodes"))
        var none = storage
        none["JOIN_TOKEN"] = nil
        let missing = try await problems(environment: none)
        #expect(missing.count == 1 && missing[0].contains("or set JOIN_TOKEN"))
    }
}
