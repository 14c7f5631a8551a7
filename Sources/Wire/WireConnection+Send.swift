import NIOCore

extension WireConnection {
    // MARK: Frames

    /// Adds a frame to what leaves with the next flush.
    ///
    /// - Parameters:
    ///   - head: Fixed fields before the payload, `headBytes` of them.
    func write(
        _ type: FrameType, stream: UInt32 = 0, isEnd: Bool = false, headBytes: Int = 0,
        payload: ByteBuffer = ByteBuffer(), head: (inout ByteBuffer) -> Void = { _ in }
    ) {
        guard state != .closed, let context else { return }
        let length = headBytes + payload.readableBytes
        FrameHeader(length: length, type: type, isEnd: isEnd, stream: stream).write(into: &out)
        head(&out)
        if payload.readableBytes <= WireLimits.coalesceBytesMax {
            out.writeImmutableBuffer(payload)
        } else {
            writeOut(context)
            context.write(wrapOutboundOut(payload), promise: nil)
        }
        markDirty()
    }

    private func writeOut(_ context: ChannelHandlerContext) {
        guard out.readableBytes > 0 else { return }
        context.write(wrapOutboundOut(out), promise: nil)
        out = ByteBuffer()
    }

    /// Something is to be flushed: at the end of the read that is going on, else once in this turn
    /// of the loop.
    func markDirty() {
        isDirty = true
        guard !isReading, !isFlushing, !isFlushScheduled else { return }
        isFlushScheduled = true
        eventLoop.execute {
            self.isFlushScheduled = false
            if self.isDirty { self.flush() }
        }
    }

    func flush() {
        guard let context, state != .closed, !isFlushing else { return }
        isFlushing = true
        let hasMore = pump(context)
        isDirty = false
        writeOut(context)
        context.flush()
        isFlushing = false
        if hasMore || isDirty { markDirty() }
    }

    /// Whether more waits for the socket than a peer that reads would ever leave.
    var isSocketFull: Bool {
        guard let context, !context.channel.isWritable else { return false }
        let waiting = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
        return waiting ?? 0 > WireLimits.socketBytesMax
    }

    // MARK: Data

    func mayHaveToSend(_ stream: WireStream) {
        guard !stream.isInRing, stream.isHeadSent, !stream.hasEndSent else { return }
        guard !stream.sendQueue.isEmpty || stream.hasEndQueued else { return }
        stream.isInRing = true
        ring.append(stream)
        markDirty()
    }

    /// Sends what streams have queued, a frame each in turn, as far as windows and the socket
    /// take it.
    ///
    /// - Returns: Whether there is more to send at once, after others of the loop had their turn.
    private func pump(_ context: ChannelHandlerContext) -> Bool {
        var budget = WireLimits.pumpBytesMax
        var unflushed = 0
        while state != .closed, context.channel.isWritable, let stream = ring.popFirst() {
            stream.isInRing = false
            guard !stream.isOver.load(ordering: .relaxed) else { continue }
            let count = min(stream.sendWindow, sendWindow, WireLimits.dataFrameBytesMax)
            if count <= 0, !stream.sendQueue.isEmpty {
                // Its own window: a WINDOW frame brings it back. The connection's: it waits first.
                if stream.sendWindow <= 0 { continue }
                stream.isInRing = true
                ring.prepend(stream)
                return false
            }
            let sent = sendData(of: stream, upTo: count)
            budget -= sent
            unflushed += sent
            if unflushed >= WireLimits.dataFrameBytesMax * 2 {
                // Only after a flush does the channel know how much it could not send.
                unflushed = 0
                writeOut(context)
                context.flush()
            }
            if budget <= 0 { return !ring.isEmpty }
        }
        return false
    }

    private func sendData(of stream: WireStream, upTo count: Int) -> Int {
        let piece = stream.dequeue(upTo: count)
        let sent = piece.readableBytes
        stream.sendWindow -= sent
        sendWindow -= sent
        stream.hasEndSent = stream.sendQueue.isEmpty && stream.hasEndQueued
        write(.data, stream: stream.id, isEnd: stream.hasEndSent, payload: piece)
        stream.sent(sent)
        if stream.hasEndSent {
            if !isClient { finish(stream, nil) }
        } else {
            mayHaveToSend(stream)
        }
        return sent
    }

    // MARK: Credit

    func consumed(_ bytes: Int, of stream: WireStream) {
        precondition(bytes >= 0 && bytes <= stream.unconsumedBytes, "consumed what came, once")
        stream.unconsumedBytes -= bytes
        giveBack(bytes)
        guard !stream.hasReceivedEnd else { return }
        stream.owedBytes += bytes
        if stream.owedBytes >= settings.streamWindowBytes / 4 {
            writeWindow(stream.owedBytes, stream: stream.id)
            stream.receiveWindow += stream.owedBytes
            stream.owedBytes = 0
        }
    }

    /// The connection's own window.
    func giveBack(_ bytes: Int) {
        owedBytes += bytes
        if owedBytes >= settings.connectionWindowBytes / 4 {
            writeWindow(owedBytes, stream: 0)
            receiveWindow += owedBytes
            owedBytes = 0
        }
    }

    private func writeWindow(_ bytes: Int, stream: UInt32) {
        write(.window, stream: stream, headBytes: 4) {
            $0.writeInteger(UInt32(bytes), endianness: .little)
        }
    }
}
