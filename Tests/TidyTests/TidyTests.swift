import Foundation
import Testing

/// The style guide, where a machine can check it.
@Suite struct TidyTests {
    static let pureModules = ["Core", "Raft", "Placement", "S3"]
    static let impureImports = [
        "NIO", "AsyncHTTPClient", "Hummingbird", "GRDB", "Logging", "Metrics", "ServiceLifecycle",
        "FoundationNetworking",
    ]
    static let lineLengthMax = 100
    static let fileLinesMax = 500
    static let functionLinesMax = 70

    /// Checks every line of Swift below the folders.
    private func check(
        _ folders: [String], _ complaint: Comment, _ isFine: (SourceTree.Line) -> Bool
    ) throws {
        for folder in folders {
            for file in try SourceTree.files(in: folder) {
                for line in try SourceTree.lines(of: file) where !isFine(line) {
                    Issue.record("\(complaint): \(line.place): \(line.text)")
                }
            }
        }
    }

    @Test(arguments: pureModules)
    func `pure modules stay pure`(module: String) throws {
        try check(["Sources/\(module)"], "a banned import") { line in
            !Self.impureImports.contains { line.text.hasPrefix("import \($0)") }
        }
    }

    @Test func `lines fit the screen`() throws {
        try check(["Sources", "Tests"], "a long line") { line in
            // swift-format leaves long string literals and URLs alone; so do we.
            line.text.count <= Self.lineLengthMax || line.text.contains("\"")
                || line.text.contains("https://")
        }
    }

    @Test func `files hold one idea`() throws {
        for folder in ["Sources", "Tests"] {
            for file in try SourceTree.files(in: folder) {
                let count = try SourceTree.lines(of: file).count
                #expect(count <= Self.fileLinesMax + 1, "\(file) has \(count) lines")
            }
        }
    }

    @Test func `functions fit a page`() throws {
        for file in try SourceTree.files(in: "Sources") {
            for function in FunctionLengths.longer(
                than: Self.functionLinesMax, in: try SourceTree.lines(of: file))
            {
                Issue.record("\(function.place): \(function.count) lines: \(function.text)")
            }
        }
    }

    @Test func `nothing is left for later`() throws {
        // Split, so that this file passes its own test.
        let words = ["FIX" + "ME", "TO" + "DO", "XX" + "X"]
        try check(["Sources", "Tests"], "left for later") { line in
            !words.contains { line.text.contains($0) }
        }
    }

    @Test func `no stream grows without bound`() throws {
        for file in try SourceTree.files(in: "Sources") {
            let lines = try SourceTree.lines(of: file)
            for (index, line) in lines.enumerated() {
                let makes =
                    line.code.contains("AsyncStream.makeStream")
                    || line.code.contains("AsyncStream(") || line.code.contains("AsyncStream<")
                    || line.code.contains("AsyncThrowingStream(")
                    || line.code.contains("AsyncThrowingStream.makeStream")
                let isType = line.code.contains(": AsyncStream<") || line.code.contains("-> Async")
                guard makes, !isType else { continue }
                let call = lines[index..<min(index + 5, lines.count)].map(\.code).joined()
                #expect(call.contains("bufferingPolicy"), "\(line.place): \(line.text)")
            }
        }
    }

    @Test func `cores get time and chance through the door`() throws {
        let folders = ["Sources/Raft", "Sources/Placement", "Sources/S3", "Sources/Catalogue"]
        let words = [
            ".now", "Date()", "UUID()", "SystemRandomNumberGenerator", "SystemClocks",
            "ContinuousClock", "clock_gettime",
        ]
        try check(folders.filter { try !SourceTree.files(in: $0).isEmpty }, "own time") { line in
            let code = line.code
            if words.contains(where: { code.contains($0) }) { return false }
            let draws =
                code.contains(".random(in:") || code.contains(".randomElement()")
                || code.contains(".shuffled()") || code.contains(".shuffle()")
            return !draws || code.contains("using:")
        }
    }

    @Test func `bad input, media and peers never stop the process`() throws {
        try check(["Sources"], "stops the process") { line in
            !line.code.contains("fatalError(") && !line.code.contains("try!")
                && !line.code.contains(" as! ")
        }
    }

    @Test func `options of TCP are set on TCP`() throws {
        // On the socket's own level TCP_NODELAY is SO_DEBUG, which root alone may set.
        try check(["Sources", "Tests"], "use .tcpOption") { line in
            !line.code.contains("socketOption(." + "tcp_")
        }
    }

    @Test func `modules don't print`() throws {
        for module in try SourceTree.modules() where module != "dstnode" {
            try check(["Sources/\(module)"], "prints") { line in
                !line.code.trimmingCharacters(in: .whitespaces).hasPrefix("print(")
            }
        }
    }

    @Test func `every module has its page`() throws {
        for module in try SourceTree.modules() where module != "Messages" {
            let page = "Sources/\(module)/\(module).docc/\(module).md"
            let path = SourceTree.root.appendingPathComponent(page).path
            #expect(FileManager.default.fileExists(atPath: path), "\(page) is missing")
        }
    }

    @Test func `files are named for what they hold`() throws {
        for folder in ["Sources", "Tests"] {
            for file in try SourceTree.files(in: folder) {
                let name = file.split(separator: "/").last.map(String.init) ?? ""
                #expect(!name.contains("Utils") && !name.contains("Helper"), "\(file)")
            }
        }
    }

    @Test func `unchecked sendability names its lock`() throws {
        for file in try SourceTree.files(in: "Sources") {
            let lines = try SourceTree.lines(of: file)
            for (index, line) in lines.enumerated() where line.code.contains("@unchecked Sendable")
            {
                let above = lines[max(0, index - 6)..<index].map(\.text)
                #expect(
                    above.contains { $0.contains("//") },
                    "\(line.place): say which lock or loop makes it safe")
            }
        }
    }
}
