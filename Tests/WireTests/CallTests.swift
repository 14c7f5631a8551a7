import Core
import Messages
import NIOCore
import Synchronization
import Testing

@testable import Wire

@Suite(.timeLimit(.minutes(2))) struct CallTests {
    /// Answers with the message it got.
    static func echo() -> WireRoutes {
        var routes = WireRoutes()
        routes.on(.query) { $0.reply($0.message) }
        routes.on(.chunkRead) { $0.reply($0.message) }
        return routes
    }

    @Test func `a call is answered`() async throws {
        try await withPair(routes: Self.echo()) { server, client in
            let reply = try await client.pool.call(
                .query, to: server.id, ByteBuffer(string: "hello"), deadline: .seconds(10))
            #expect(String(buffer: reply) == "hello")
        }
    }

    @Test func `messages of protobuf are read and written`() async throws {
        var routes = WireRoutes()
        routes.on(.query) { call in
            call.respond { call in
                let request = try call.decode(ProtoQueryRequest.self)
                var reply = ProtoQueryReply()
                reply.status = .done
                reply.answer = request.query
                return reply
            }
        }
        try await withPair(routes: routes) { server, client in
            var request = ProtoQueryRequest()
            request.range = 3
            request.query = .init([1, 2, 3])
            let reply: ProtoQueryReply = try await client.pool.call(
                .query, to: server.id, request, deadline: .seconds(10))
            #expect(reply.status == .done)
            #expect(Array(reply.answer) == [1, 2, 3])
        }
    }

    @Test func `a thousand calls at once are all answered with their own answer`() async throws {
        try await withPair(routes: Self.echo()) { server, client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<1000 {
                    let method: Wire.Method = number % 2 == 0 ? .query : .chunkRead
                    group.addTask {
                        let reply = try await client.pool.call(
                            method, to: server.id, ByteBuffer(integer: number),
                            deadline: .seconds(30))
                        #expect(reply.getInteger(at: 0, as: Int.self) == number)
                    }
                }
                try await group.waitForAll()
            }
            #expect(server.server.connectionCount <= 3)
        }
    }

    @Test(arguments: [0, 1, 11, 12, 16_384, 16_385, 300_000, 4 << 20])
    func `messages of any size arrive whole`(bytes: Int) async throws {
        try await withPair(routes: Self.echo()) { server, client in
            var random = SeededRandom(seed: UInt64(bytes))
            let message = ByteBuffer(
                bytes: (0..<bytes).map { _ in UInt8.random(in: 0...255, using: &random) })
            let reply = try await client.pool.call(
                .query, to: server.id, message, deadline: .seconds(30))
            #expect(reply == message)
        }
    }

    @Test func `a message that is too long is refused without being sent`() async throws {
        try await withPair(routes: Self.echo()) { server, client in
            let message = ByteBuffer(repeating: 0, count: WireLimits.messageBytesMax + 1)
            let error = await failure { () async throws(WireError) in
                try await client.pool.call(.query, to: server.id, message, deadline: .seconds(10))
            }
            guard case .remote(let failure)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(failure.code == .badRequest)
            #expect(error?.mayHaveRun == false)
        }
    }

    @Test func `a failure carries its code and text`() async throws {
        var routes = WireRoutes()
        routes.on(.query) { $0.fail(WireFailure(.unavailable, "not now")) }
        try await withPair(routes: routes) { server, client in
            let error = await failure { () async throws(WireError) in
                try await client.pool.call(
                    .query, to: server.id, ByteBuffer(), deadline: .seconds(10))
            }
            #expect(error == .remote(WireFailure(.unavailable, "not now")))
            #expect(error?.mayHaveRun == false)
        }
    }

    @Test func `a role that may not call a method is refused`() async throws {
        var routes = WireRoutes()
        routes.on(.partitionPull) { $0.reply(ByteBuffer()) }
        try await withPair(routes: routes) { server, client in
            let error = await failure { () async throws(WireError) in
                try await client.pool.call(
                    .partitionPull, to: server.id, ByteBuffer(), deadline: .seconds(10))
            }
            guard case .remote(let failure)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(failure.code == .forbidden)
        }
    }

    @Test func `an unknown method and one that is not served are refused`() async throws {
        try await withPair(routes: Self.echo()) { server, client in
            for (method, code) in [
                (Wire.Method(rawValue: 999), WireFailure.Code.unknownMethod),
                (.watch, .unavailable),
            ] {
                let error = await failure { () async throws(WireError) in
                    try await client.pool.call(
                        method, to: server.id, ByteBuffer(), deadline: .seconds(10))
                }
                guard case .remote(let failure)? = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
                #expect(failure.code == code)
            }
        }
    }

    @Test func `the deadline ends a call at both sides`() async throws {
        let journal = Journal()
        var routes = WireRoutes()
        routes.on(.query) { call in
            journal.note("began")
            call.onCancel { journal.note("over") }
        }
        try await withPair(routes: routes) { server, client in
            // The connection stands, so that the request is sent.
            routes.on(.status) { $0.reply(ByteBuffer()) }
            server.server.setRoutes(routes)
            _ = try await client.pool.call(
                .status, to: server.id, ByteBuffer(), deadline: .seconds(10))
            let error = await failure { () async throws(WireError) in
                try await client.pool.call(
                    .query, to: server.id, ByteBuffer(), deadline: .now() + .milliseconds(100))
            }
            let isDeadline: Bool =
                switch error {
                case .deadlinePassed(mayHaveRun: true): true
                // The server's own clock may be a little ahead.
                case .remote(let failure): failure.code == .deadlinePassed
                default: false
                }
            #expect(isDeadline, "\(String(describing: error))")
            try await eventually { journal.all == ["began", "over"] }
        }
    }

    @Test func `a cancelled task cancels the call at the server`() async throws {
        let journal = Journal()
        var routes = WireRoutes()
        routes.on(.query) { call in
            journal.note("began")
            call.run { _ in
                do {
                    try await Task.sleep(for: .seconds(60))
                } catch {
                    journal.note("cancelled")
                    throw error
                }
            }
        }
        try await withPair(routes: routes) { server, client in
            let task = Task {
                await failure { () async throws(WireError) in
                    try await client.pool.call(
                        .query, to: server.id, ByteBuffer(), deadline: .seconds(60))
                }
            }
            try await eventually { journal.all == ["began"] }
            task.cancel()
            #expect(await task.value == .cancelled(mayHaveRun: true))
            try await eventually { journal.all == ["began", "cancelled"] }
        }
    }

    @Test func `one-way messages arrive in order`() async throws {
        let received: Mutex<[Int]> = Mutex([])
        var routes = WireRoutes()
        routes.onMessage(.raft) { peer, message in
            let number = message.getInteger(at: message.readerIndex, as: Int.self) ?? -1
            received.withLock { $0.append(number) }
        }
        try await withPair(routes: routes, clientRole: .coordinator) { server, client in
            for number in 0..<500 {
                client.pool.send(.raft, to: server.id, ByteBuffer(integer: number))
            }
            try await eventually { received.withLock { $0.count } == 500 }
            #expect(received.withLock { $0 } == Array(0..<500))
        }
    }

    @Test func `messages to a node that cannot be reached are dropped and counted`() async throws {
        try await withPair { _, client in
            let nobody = NodeID(high: 9, low: 9)
            for _ in 0..<100 { client.pool.send(.raft, to: nobody, ByteBuffer(string: "x")) }
            try await eventually {
                client.pool.counters.messagesDropped.load(ordering: .relaxed) == 100
            }
        }
    }

    @Test func `a node at a seed address is found and names itself`() async throws {
        var routes = WireRoutes()
        routes.on(.formationProbe) { $0.reply(ProtoProbeReply()) }
        try await withPair(routes: routes) { server, client in
            let (peer, _) = try await client.pool.call(
                .formationProbe, address: server.address, ProtoProbeRequest(),
                deadline: .seconds(10), as: ProtoProbeReply.self)
            #expect(peer == server.identity)
        }
    }

    @Test func `more calls than one connection carries are refused, not queued`() async throws {
        var settings = WireSettings()
        settings.streamsMax = 4
        let held: Mutex<[ServerCall]> = Mutex([])
        var routes = WireRoutes()
        routes.on(.query) { call in held.withLock { $0.append(call) } }
        try await withPair(
            routes: routes, serverSettings: settings, clientSettings: WireSettings()
        ) { server, client in
            let answers: Mutex<[Result<ByteBuffer, WireError>]> = Mutex([])
            for _ in 0..<6 {
                client.pool.call(.query, to: server.id, ByteBuffer(), deadline: .seconds(30)) {
                    answer in answers.withLock { $0.append(answer) }
                }
            }
            try await eventually { answers.withLock { $0.count } == 2 }
            for answer in answers.withLock({ $0 }) {
                guard case .failure(.remote(let failure)) = answer else {
                    Issue.record("\(answer)")
                    continue
                }
                #expect(failure.code == .overloaded)
            }
            for call in held.withLock({ $0 }) { call.reply(ByteBuffer()) }
            try await eventually { answers.withLock { $0.count } == 6 }
        }
    }
}
