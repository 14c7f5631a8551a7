// swift-tools-version: 6.2
import PackageDescription

/// Warnings are errors where the tests are built; a user's newer compiler must not stop a build.
let strict: [SwiftSetting] =
    Context.environment["DST_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]

/// Set by scripts/fuzz alone: instruments this package's modules, and adds the program that feeds
/// them, instead of the tests that do.
let isFuzzed = Context.environment["DST_FUZZ"] != nil

/// Assertions count, although the code is optimized.
let instruments: [SwiftSetting] =
    isFuzzed
    ? [
        .unsafeFlags([
            "-sanitize=fuzzer,address", "-assert-config", "Debug", "-enable-testing",
        ])
    ] : []

/// Bugs that tests switch on by name (``Mutation``): in debug builds, and where this is set.
let mutations: [SwiftSetting] =
    Context.environment["DST_MUTATIONS"] == nil
    ? [.define("DST_MUTATIONS", .when(configuration: .debug))] : [.define("DST_MUTATIONS")]

let settings: [SwiftSetting] =
    [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny")] + strict + instruments
    + mutations

func product(_ name: String, _ package: String) -> Target.Dependency {
    .product(name: name, package: package)
}

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: dependencies,
        exclude: name == "Raft"
            ? ["Scripts"]
            : name == "Cloud"
                ? [
                    "fakes", "cloud_cluster.py", "cloud_machines.py", "dns_server.py",
                    "test_departure.py", "test_dns.py", "test_formation.py",
                    "test_metadata_address.py",
                ] : [],
        swiftSettings: settings)
}

let nioCore = product("NIOCore", "swift-nio")
let nioPosix = product("NIOPosix", "swift-nio")
let nioEmbedded = product("NIOEmbedded", "swift-nio")
let nioSSL = product("NIOSSL", "swift-nio-ssl")
let nioTLS = product("NIOTLS", "swift-nio")
let nioHTTP1 = product("NIOHTTP1", "swift-nio")
let nioFoundation = product("NIOFoundationCompat", "swift-nio")
let protobuf = product("SwiftProtobuf", "swift-protobuf")
let crypto = product("Crypto", "swift-crypto")
let x509 = product("X509", "swift-certificates")
let asn1 = product("SwiftASN1", "swift-asn1")
let logging = product("Logging", "swift-log")
let metrics = product("Metrics", "swift-metrics")
let coreMetrics = product("CoreMetrics", "swift-metrics")
let grdb = product("GRDB", "GRDB.swift")
let collections = product("DequeModule", "swift-collections")
let orderedCollections = product("OrderedCollections", "swift-collections")
let lifecycle = product("ServiceLifecycle", "swift-service-lifecycle")
let unixSignals = product("UnixSignals", "swift-service-lifecycle")
let hummingbird = product("Hummingbird", "hummingbird")
let hummingbirdCore = product("HummingbirdCore", "hummingbird")
let httpTypes = product("HTTPTypes", "swift-http-types")
let asyncHTTPClient = product("AsyncHTTPClient", "async-http-client")
let argumentParser = product("ArgumentParser", "swift-argument-parser")
let configuration = product("Configuration", "swift-configuration")
let yams = product("Yams", "Yams")
let histogram = product("Histogram", "hdrhistogram-swift")

let package = Package(
    name: "dstorage",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "dstnode", targets: ["dstnode"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(
            url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // 0: the floor. Everything may use it; it uses nobody.
        .target(name: "CCore"),
        .target(name: "CTasks", dependencies: ["CCore"]),
        .systemLibrary(
            name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        module("Core", ["CCore", "CLibCrypto"]),

        // 1: pure rules, and the doors to the network.
        .target(
            name: "Messages", dependencies: ["Core", protobuf], exclude: ["Protos"],
            swiftSettings: settings),
        module("AdminAPI", []),
        module("Raft", ["Core", collections]),
        module("Placement", ["Core"]),
        module("S3", ["Core", crypto]),
        module(
            "Wire",
            [
                "Core", "Messages", nioCore, nioPosix, nioSSL, nioTLS, protobuf, crypto, x509,
                asn1, logging, collections,
            ]),
        module("Cloud", ["Core", "S3", asyncHTTPClient, nioCore, nioHTTP1]),
        module("Discovery", ["Core", "Cloud", nioCore, nioPosix, logging]),

        // 2: what is on disk.
        module("RaftLog", ["Core", "Raft"]),
        module("ChunkStore", ["CCore", "Core", grdb]),
        module("Catalogue", ["Core", "Messages", "Placement", grdb]),

        // 3: operations on objects, without HTTP and without sockets; and how a node follows the
        // catalogue.
        module(
            "ClusterView",
            ["Core", "Messages", "Placement", "Wire", nioCore, logging, protobuf]),
        module("ObjectStore", ["Core", "Messages", "Placement", "S3", nioCore]),

        // 4: the roles.
        module(
            "Gateway",
            [
                "Core", "Messages", "AdminAPI", "Placement", "S3", "ClusterView", "Wire",
                "ObjectStore", hummingbird, hummingbirdCore, httpTypes, nioCore, nioPosix, nioHTTP1,
                nioSSL, logging, metrics,
                lifecycle,
            ]),
        module(
            "Coordinator",
            [
                "Core", "Messages", "Raft", "Placement", "ClusterView", "Wire", "Discovery",
                "RaftLog", "Catalogue", lifecycle, logging, metrics, nioCore, nioPosix,
            ]),
        module(
            "StorageNode",
            [
                "Core", "Messages", "Placement", "ClusterView", "Wire", "ChunkStore", lifecycle,
                logging, metrics, nioCore, nioPosix,
            ]),
        module(
            "Simulation",
            [
                "CCore", "CTasks", "Core", "Messages", "Raft", "RaftLog", "Catalogue", "ChunkStore",
                "ClusterView", "Wire", "Coordinator", "StorageNode", "ObjectStore", "Gateway",
                collections, grdb, logging, lifecycle, nioCore,
            ]),
        module("NodeConfiguration", ["Core", configuration, yams, logging]),

        // 5: the program.
        .executableTarget(
            name: "dstnode",
            dependencies: [
                "Core", "Messages", "Raft", "Catalogue", "ChunkStore", "Wire", "ClusterView",
                "Cloud", "Discovery",
                "Gateway", "Coordinator", "StorageNode", "Simulation", "S3", "NodeConfiguration",
                "AdminAPI", argumentParser,
                asyncHTTPClient, histogram, lifecycle, unixSignals, logging, metrics,
                coreMetrics, nioCore, nioPosix, nioHTTP1,
            ],
            swiftSettings: settings),

        tests("Core", ["Core"]),
        tests("Raft", ["Raft", "Simulation"]),
        tests("Placement", ["Placement"]),
        tests("S3", ["S3", crypto]),
        tests(
            "Wire",
            ["Wire", "Core", "Messages", nioEmbedded, nioCore, nioPosix, nioSSL, nioTLS, logging]),
        tests("Cloud", ["Cloud", "Core", "S3", nioCore, nioPosix, nioHTTP1]),
        tests("Discovery", ["Discovery", "Cloud", "Core", nioCore, nioPosix, logging]),
        tests("RaftLog", ["RaftLog", "Simulation"]),
        tests("ChunkStore", ["ChunkStore", "Simulation"]),
        tests("Catalogue", ["Catalogue", "Simulation"]),
        tests("ClusterView", ["ClusterView"]),
        // What two test targets need: the catalogue as a dictionary.
        .target(
            name: "ObjectStoreModel", dependencies: ["Core", "Messages", "ObjectStore"],
            path: "Tests/ObjectStoreModel", swiftSettings: settings),
        tests("ObjectStore", ["ObjectStore", "ObjectStoreModel"]),
        tests(
            "Gateway",
            [
                "Gateway", "AdminAPI", "ClusterView", "ObjectStore", "ObjectStoreModel",
                "Messages", "S3", "Wire", "Core",
                nioEmbedded,
            ]),
        tests("Coordinator", ["Coordinator", "ClusterView", "Wire", nioPosix, logging]),
        tests(
            "StorageNode",
            [
                "StorageNode", "ChunkStore", "ClusterView", "Core", "Messages", "Wire", nioPosix,
                logging,
            ]),
        tests("Simulation", ["Simulation", "Core", grdb]),
        tests("NodeConfiguration", ["NodeConfiguration", "Core", logging]),
        tests("Tidy", []),
        tests(
            "Node",
            [
                "dstnode", "NodeConfiguration", "Core", "ChunkStore", "Cloud", "ClusterView",
                "Coordinator", "Discovery", "RaftLog", "Wire", argumentParser, logging, coreMetrics,
            ]),
    ]
)

// What reads what others wrote: fed by libFuzzer, and among the tests with fixed inputs. One or the
// other, as a source belongs to one target.
let fuzzed: [Target.Dependency] = [
    "Core", "Messages", "Raft", "S3", "Wire", "Cloud", "Discovery", "RaftLog", "ChunkStore",
    "Catalogue", "Coordinator", "ObjectStore", "NodeConfiguration", nioCore, nioEmbedded, nioTLS,
    protobuf, logging,
]

if isFuzzed {
    // libFuzzer's entrance, for Swift to import.
    package.targets.append(.target(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"))
    package.targets.append(
        .executableTarget(
            name: "dstfuzz", dependencies: ["CFuzzer"] + fuzzed, path: "Tests/Fuzz",
            exclude: ["README.md", "CFuzzer", "Tests"],
            swiftSettings: settings,
            linkerSettings: [
                .unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])
            ]))
} else {
    package.targets.append(
        .testTarget(
            name: "FuzzTests", dependencies: fuzzed, path: "Tests/Fuzz",
            exclude: ["README.md", "CFuzzer", "Program"], swiftSettings: settings))
}
