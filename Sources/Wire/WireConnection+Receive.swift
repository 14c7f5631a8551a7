import Core
import NIOCore

extension WireConnection {
    func handle(_ event: FrameDecoder.Event) throws(FrameError) {
        switch event {
        case .data(let id, let bytes, let isEnd):
            guard state != .shakingHands else { throw .unexpected(.data) }
            try receiveData(id, bytes, isEnd: isEnd)
        case .frame(let header, var payload):
            if state == .shakingHands {
                guard header.type == .hello else { throw .unexpected(header.type) }
                try receiveHello(payload)
                return
            }
            switch header.type {
            case .hello, .data: throw .unexpected(header.type)
            case .request: try receiveRequest(header, &payload)
            case .message: try receiveMessage(&payload)
            case .reply: try receiveReply(header, payload)
            case .failure: try receiveFailure(header, &payload)
            case .cancel: try receiveCancel(header)
            case .window: try receiveWindow(header, &payload)
            case .ping: write(.pong, payload: payload)
            case .pong: break
            case .goAway: try receiveGoAway()
            }
        }
    }

    private func receiveData(
        _ id: UInt32, _ bytes: ByteBuffer, isEnd: Bool
    ) throws(FrameError) {
        let count = bytes.readableBytes
        guard count <= receiveWindow else { throw .windowExceeded }
        receiveWindow -= count
        guard let stream = streams[id] else {
            // Of a stream that this side has ended; the peer did not know yet.
            guard id > 0, id < nextStream else { throw .badStream(id) }
            giveBack(count)
            return
        }
        guard count <= stream.receiveWindow else { throw .windowExceeded }
        guard !stream.hasReceivedEnd, !isClient || stream.hasReply else { throw .unexpected(.data) }
        stream.receiveWindow -= count
        stream.unconsumedBytes += count
        stream.hasReceivedEnd = isEnd
        lastUsed = lastHeard
        if count > 0 { stream.deliver(.bytes(bytes)) }
        guard isEnd, !stream.isOver.load(ordering: .relaxed) else { return }
        if isClient {
            complete(stream)
        } else {
            stream.deliver(.end)
        }
    }

    private func receiveReply(_ header: FrameHeader, _ payload: ByteBuffer) throws(FrameError) {
        guard isClient, header.stream > 0, header.stream < nextStream else {
            throw .unexpected(.reply)
        }
        guard let stream = streams[header.stream] else { return }
        guard !stream.hasReply else { throw .unexpected(.reply) }
        stream.hasReply = true
        stream.deliver(.reply(payload))
        guard !stream.isOver.load(ordering: .relaxed) else { return }
        if header.isEnd { complete(stream) }
    }

    /// Client: the whole answer has come.
    private func complete(_ stream: WireStream) {
        stream.hasReceivedEnd = true
        finish(stream, nil)
    }

    private func receiveFailure(
        _ header: FrameHeader, _ payload: inout ByteBuffer
    ) throws(FrameError) {
        guard isClient, header.stream > 0, header.stream < nextStream else {
            throw .unexpected(.failure)
        }
        guard let code = payload.readInteger(endianness: .little, as: UInt16.self) else {
            throw .malformed(.failure)
        }
        guard let stream = streams[header.stream] else { return }
        let failure = WireFailure(
            // A newer peer may know more codes.
            WireFailure.Code(rawValue: code) ?? .internalError,
            String(decoding: payload.readableBytesView, as: UTF8.self))
        finish(stream, .remote(failure))
    }

    private func receiveCancel(_ header: FrameHeader) throws(FrameError) {
        guard !isClient, header.stream > 0, header.stream < nextStream else {
            throw .unexpected(.cancel)
        }
        guard let stream = streams[header.stream] else { return }
        finish(stream, .cancelled(mayHaveRun: true))
    }

    private func receiveWindow(
        _ header: FrameHeader, _ payload: inout ByteBuffer
    ) throws(FrameError) {
        guard let bytes = payload.readInteger(endianness: .little, as: UInt32.self),
            payload.readableBytes == 0
        else { throw .malformed(.window) }
        if header.stream == 0 {
            guard sendWindow + Int(bytes) <= Int(UInt32.max) else { throw .malformed(.window) }
            sendWindow += Int(bytes)
            if !ring.isEmpty { markDirty() }
            return
        }
        guard header.stream < nextStream else { throw .badStream(header.stream) }
        guard let stream = streams[header.stream] else { return }
        guard stream.sendWindow + Int(bytes) <= Int(UInt32.max) else { throw .malformed(.window) }
        stream.sendWindow += Int(bytes)
        mayHaveToSend(stream)
    }

    private func receiveGoAway() throws(FrameError) {
        guard case .client(let client) = side else { throw .unexpected(.goAway) }
        guard state == .ready else { return }
        state = .draining
        client.onDraining(self)
        closeIfDrained()
    }

    /// The client closes when nothing is open any more; so the last answer is read before the
    /// end. The server waits for that only so long.
    func closeIfDrained() {
        guard state == .draining, streams.isEmpty else { return }
        let reason = WireError.connectionLost("the connection was closed in good order")
        if isClient {
            close(reason)
        } else if handshakeTimer == nil {
            handshakeTimer = eventLoop.assumeIsolated().scheduleTask(in: settings.drainedTimeout) {
                self.close(reason)
            }
        }
    }
}
