import Core
import NIOCore

extension WireConnection {
    // MARK: Client

    /// Sends the stream's request, or fails the stream.
    func open(_ stream: WireStream) {
        guard !stream.isOver.load(ordering: .relaxed) else { return }
        let now = eventLoop.now
        if let failure = reasonNotToOpen(stream, now: now) {
            stream.end(failure)
            return
        }
        let left = (stream.deadline - now).nanoseconds / 1_000_000
        let timeout = UInt32(clamping: max(1, left))
        let isUnary = stream.hasEndQueued && stream.sendQueue.isEmpty
        adopt(stream, id: nextStream)
        nextStream += 1
        stream.isHeadSent = true
        stream.hasEndSent = isUnary
        lastUsed = now
        let message = stream.message
        stream.message = ByteBuffer()
        write(
            .request, stream: stream.id, isEnd: isUnary, headBytes: WireLimits.requestHeadBytes,
            payload: message
        ) {
            $0.writeMultipleIntegers(
                stream.method.rawValue, UInt16(0), timeout, endianness: .little)
        }
        mayHaveToSend(stream)
        watchDeadline(stream.deadline)
    }

    private func reasonNotToOpen(_ stream: WireStream, now: NIODeadline) -> WireError? {
        if state != .ready { return .unreachable("the connection is closing") }
        if stream.deadline <= now { return .deadlinePassed(mayHaveRun: false) }
        if streams.count >= settings.streamsMax || isSocketFull { return .overloaded }
        if stream.message.readableBytes > peerMessageBytesMax {
            return .remote(
                WireFailure(
                    .badRequest, "a message of \(stream.message.readableBytes) bytes is too long"))
        }
        return nil
    }

    /// Sends a message that nobody answers.
    func send(_ method: Method, _ message: ByteBuffer) {
        lastUsed = eventLoop.now
        write(.message, headBytes: 4, payload: message) {
            $0.writeMultipleIntegers(method.rawValue, UInt16(0), endianness: .little)
        }
    }

    // MARK: Both

    private func adopt(_ stream: WireStream, id: UInt32) {
        stream.id = id
        stream.connection = self
        stream.sendWindow = peerStreamWindow
        stream.receiveWindow = settings.streamWindowBytes
        streams[id] = stream
    }

    /// The stream is over: with an answer (`nil`) or without.
    func finish(_ stream: WireStream, _ failure: WireError?) {
        guard streams.removeValue(forKey: stream.id) != nil else { return }
        if !isClient { messageBytesInFlight -= stream.message.readableBytes }
        // Bytes kept for a reader that comes late are at most a window and count as taken.
        giveBack(stream.unconsumedBytes)
        stream.unconsumedBytes = 0
        if failure == nil, isClient { stream.deliver(.end) }
        stream.end(failure)
        closeIfDrained()
    }

    /// This side gives the stream up and tells the other.
    func abort(_ stream: WireStream, _ failure: WireError) {
        guard streams[stream.id] === stream else { return }
        if isClient {
            write(.cancel, stream: stream.id, isEnd: true)
        } else {
            writeFailure(stream.id, WireFailure(endedBy: failure))
        }
        finish(stream, failure)
    }

    func writeFailure(_ id: UInt32, _ failure: WireFailure) {
        let text = String(
            decoding: failure.text.utf8.prefix(WireLimits.failureTextBytesMax), as: UTF8.self)
        write(
            .failure, stream: id, isEnd: true, headBytes: 2, payload: ByteBuffer(string: text)
        ) { $0.writeInteger(failure.code.rawValue, endianness: .little) }
    }

    // MARK: Server

    func receiveRequest(_ header: FrameHeader, _ payload: inout ByteBuffer) throws(FrameError) {
        guard case .server(let server) = side, let peer else { throw .unexpected(.request) }
        guard header.stream >= nextStream, header.stream < UInt32.max else {
            throw .badStream(header.stream)
        }
        guard
            let (method, zero, timeout) = payload.readMultipleIntegers(
                endianness: .little, as: (UInt16, UInt16, UInt32).self), zero == 0
        else { throw .malformed(.request) }
        nextStream = header.stream + 1
        lastUsed = lastHeard
        do throws(WireFailure) {
            let method = Method(rawValue: method)
            let handler = try server.handler(of: method, for: peer, on: self)
            try checkRoom(for: payload.readableBytes)
            let stream = WireStream(
                method: method, message: payload,
                deadline: eventLoop.now + .milliseconds(Int64(timeout)), inbox: inbox,
                receiver: .none,
                queuedBytesHigh: settings.queuedBytesHigh)
            messageBytesInFlight += payload.readableBytes
            adopt(stream, id: header.stream)
            watchDeadline(stream.deadline)
            if header.isEnd {
                stream.hasReceivedEnd = true
                stream.deliver(.end)
            }
            handler(ServerCall(stream: stream, peer: peer))
        } catch {
            writeFailure(header.stream, error)
        }
    }

    private func checkRoom(for bytes: Int) throws(WireFailure) {
        if state != .ready { throw WireFailure(.unavailable, "the node is stopping") }
        if streams.count >= settings.streamsMax {
            throw WireFailure(.overloaded, "too many calls on one connection")
        }
        if messageBytesInFlight + bytes > WireLimits.messageBytesInFlightMax {
            throw WireFailure(.overloaded, "too many bytes in calls on one connection")
        }
    }

    func receiveMessage(_ payload: inout ByteBuffer) throws(FrameError) {
        guard case .server(let server) = side, let peer else { throw .unexpected(.message) }
        guard
            let (method, zero) = payload.readMultipleIntegers(
                endianness: .little, as: (UInt16, UInt16).self), zero == 0
        else { throw .malformed(.message) }
        lastUsed = lastHeard
        server.receive(Method(rawValue: method), payload, from: peer, on: self)
    }

    /// The whole answer of a call, or its head when raw bytes follow.
    func reply(_ stream: WireStream, _ message: ByteBuffer, isEnd: Bool) {
        guard streams[stream.id] === stream, !stream.isHeadSent else { return }
        guard message.readableBytes <= peerMessageBytesMax else {
            abort(stream, .remote(WireFailure(.internalError, "the answer is too long")))
            return
        }
        stream.isHeadSent = true
        write(.reply, stream: stream.id, isEnd: isEnd, payload: message)
        if isEnd {
            finish(stream, nil)
        } else {
            mayHaveToSend(stream)
        }
    }

    // MARK: Deadlines

    /// One timer for all streams: at the earliest deadline there was when it was set.
    private func watchDeadline(_ deadline: NIODeadline) {
        guard deadline < nextDeadline else { return }
        nextDeadline = deadline
        deadlineTimer?.cancel()
        deadlineTimer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.deadlineTimer = nil
            self.nextDeadline = .distantFuture
            self.expire(self.eventLoop.now)
        }
    }

    private func expire(_ now: NIODeadline) {
        var next = NIODeadline.distantFuture
        var late: [WireStream] = []
        for stream in streams.values {
            if stream.deadline <= now {
                late.append(stream)
            } else {
                next = min(next, stream.deadline)
            }
        }
        for stream in late { abort(stream, .deadlinePassed(mayHaveRun: true)) }
        if next != .distantFuture, state != .closed { watchDeadline(next) }
    }
}

extension WireFailure {
    /// What the caller is told when this side ends a call.
    init(endedBy error: WireError) {
        self =
            switch error {
            case .remote(let failure): failure
            case .overloaded: WireFailure(.overloaded, "the answer is not taken")
            case .deadlinePassed: WireFailure(.deadlinePassed)
            case .cancelled: WireFailure(.cancelled)
            case .unreachable(let text), .connectionLost(let text), .refused(let text),
                .malformedReply(let text):
                WireFailure(.internalError, text)
            }
    }
}

extension WireConnection {
    /// The server's handler refuses or gives up.
    func fail(_ stream: WireStream, _ failure: WireFailure) {
        guard streams[stream.id] === stream else { return }
        writeFailure(stream.id, failure)
        finish(stream, nil)
    }
}
