import ArgumentParser
import Core
import Foundation

/// `dstnode bench`: measures any S3 endpoint.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure an S3 endpoint.",
        discussion: """
            Each connection has one request under way. Bodies are random bytes; PUT and DELETE are \
            signed with an unsigned payload, GET, HEAD and LIST are presigned once for each key. \
            The mix is 45 % GET, 30 % HEAD, 15 % PUT, 10 % DELETE. Server time per operation is \
            that of --pids, else of the dev cluster named by --home, else of all other dstnode \
            processes on this machine.
            """)

    @Option(help: "Object sizes, separated by commas.")
    var sizes = "1KiB,16KiB,128KiB,4MiB,64MiB"
    @Option(help: "Of put, get, head, list, mix, delete.")
    var operations = "put,get,head,list,mix,delete"
    @Option(help: "Connections. Default: 16; 8 for LIST, 4 from 4 MiB up.")
    var connections: Int?
    @Option(help: "How long each phase is measured.")
    var duration = "10s"
    @Option(help: "How long each phase runs before that.")
    var warmUp = "1s"
    @Option(help: "Threads of the client.")
    var threads = 1
    @Option(help: "Bucket to work in; made if it is missing, emptied of what was stored.")
    var bucket = "dst-bench"
    @Option(help: "Further gateways, host:port separated by commas; threads take them in turn.")
    var also = ""
    @Option(help: "Process ids of the server, separated by commas.")
    var pids: String?
    @Option(help: "File for the results as JSON.")
    var json: String?
    @OptionGroup var options: ClientOptions

    func run() async throws {
        let sizes = try parseSizes()
        let operations = try parseOperations()
        let phaseDuration = try parse(duration)
        let phaseWarmUp = try parse(warmUp)
        guard threads > 0, threads <= 64 else { throw ValidationError("--threads is from 1 to 64") }
        let client = try options.client()
        guard client.endpoint.hasPrefix("http://"),
            let first = HostPort(client.host, defaultPort: 80)
        else { throw ValidationError("bench speaks http only: write http://host:port") }
        let more = also.split(separator: ",").compactMap { HostPort($0) }
        let servers = try serverPIDs()
        let made = try await client.send("PUT", "/\(bucket)")
        guard made.isFine || made.status == 409 else {
            throw ValidationError("no bucket: \(SignedClient.errorText(made.text))")
        }
        let runner = try await BenchRunner(
            addresses: [first] + more, bucket: bucket, signer: client.signer, laneCount: threads,
            serverPIDs: servers, run: UInt64(SystemClocks().wall.milliseconds))
        var results: [BenchResult] = []
        var table = TextTable(BenchResult.tableHeader)
        for size in sizes {
            for operation in operations where operation.dependsOnSize || size == sizes[0] {
                let phase = BenchPhase(
                    operation: operation, objectBytes: size,
                    connections: connections ?? Self.connections(operation, size),
                    warmUp: operation == .delete ? .zero : phaseWarmUp, duration: phaseDuration)
                try await fill(runner, for: phase)
                let name = "\(operation.rawValue) \(ByteSize.format(size)) ×\(phase.connections)"
                let result = try await runner.run(phase, name: name)
                results.append(result)
                table.append(result.tableRow)
                if isatty(STDERR_FILENO) == 1 {
                    Terminal.complain("\(name): \(result.tableRow[3])/s")
                }
            }
            try await empty(runner, size)
        }
        try await runner.shutdown()
        Terminal.say(table.text)
        if let json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(results).write(to: URL(fileURLWithPath: json))
        }
        if results.contains(where: { $0.operations == 0 }) { throw ExitCode(1) }
    }

    /// What the issue's table was measured with.
    static func connections(_ operation: BenchOperation, _ size: Int) -> Int {
        if operation == .list { return 8 }
        return size >= 4 << 20 ? 4 : 16
    }

    /// Objects that there must be before an operation on them can be measured.
    private func fill(_ runner: BenchRunner, for phase: BenchPhase) async throws {
        guard phase.operation != .put else { return }
        let wanted = max(4, min(1000, (256 << 20) / max(1, phase.objectBytes)))
        let count = try await runner.storedCount(ofSize: phase.objectBytes)
        guard count < wanted else { return }
        _ = try await runner.run(
            BenchPhase(
                operation: .put, objectBytes: phase.objectBytes, connections: phase.connections,
                warmUp: .zero, duration: .seconds(300), countMax: wanted - count),
            name: "filling")
    }

    private func empty(_ runner: BenchRunner, _ size: Int) async throws {
        guard try await runner.storedCount(ofSize: size) > 0 else { return }
        _ = try await runner.run(
            BenchPhase(
                operation: .delete, objectBytes: size, connections: 16, warmUp: .zero,
                duration: .seconds(300), countMax: Int.max),
            name: "deleting")
    }

    // MARK: Arguments

    private func parseSizes() throws -> [Int] {
        let sizes = try sizes.split(separator: ",").map { text in
            guard let size = ByteSize.parse(String(text)), size <= 1 << 30 else {
                throw ValidationError("'\(text)' is not a size up to 1GiB")
            }
            return size
        }
        guard !sizes.isEmpty else { throw ValidationError("--sizes names none") }
        return sizes
    }

    private func parseOperations() throws -> [BenchOperation] {
        let names = operations.split(separator: ",").map { $0.lowercased() }
        let known = BenchOperation.allCases.map(\.rawValue)
        if let unknown = names.first(where: { !known.contains($0) }) {
            throw ValidationError("'\(unknown)' is none of \(known.joined(separator: ", "))")
        }
        // In the order of the cases: what reads comes after what writes.
        return BenchOperation.allCases.filter { names.contains($0.rawValue) }
    }

    private func parse(_ text: String) throws -> Duration {
        guard let duration = DurationText.parse(text) else {
            throw ValidationError("'\(text)' is not a duration: write a number and a unit")
        }
        return duration
    }

    private func serverPIDs() throws -> [Int32] {
        if let pids { return pids.split(separator: ",").compactMap { Int32($0) } }
        if let home = options.home,
            let text = try? String(contentsOfFile: home + "/dev.pid", encoding: .utf8),
            let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
        {
            return [pid]
        }
        return ProcessUsage.servers()
    }
}
