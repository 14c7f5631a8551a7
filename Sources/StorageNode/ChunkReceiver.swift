import ChunkStore
import Core
import Messages
import NIOCore
import Synchronization
import Wire

/// Takes one chunk that a gateway writes, and acknowledges it when it is on stable storage.
/// Callbacks only: a small chunk costs no task and one copy.
enum ChunkReceiver {
    static func receive(_ call: ServerCall, store: ChunkStore, gate: WriteGate) {
        do throws(WireFailure) {
            let request: ProtoWriteChunkRequest = try call.decode()
            guard let chunk = ChunkID(bytes: request.chunk) else {
                throw WireFailure(.badRequest, "a chunk id has sixteen bytes")
            }
            admit(
                Announcement(
                    chunk: chunk, bytes: Int(request.bytes), owner: Array(request.owner),
                    epoch: Epoch(rawValue: request.epoch)), call, store, gate)
        } catch {
            call.fail(error)
        }
    }

    struct Announcement: Sendable {
        let chunk: ChunkID
        let bytes: Int
        let owner: [UInt8]
        let epoch: Epoch
    }

    private static func admit(
        _ announced: Announcement, _ call: ServerCall, _ store: ChunkStore, _ gate: WriteGate
    ) {
        let partition = announced.chunk.partition
        switch gate.begin(partition, writerEpoch: announced.epoch) {
        case .admitted: take(announced, call, store, gate)
        case .refused: refuse(call, .staleEpoch, gate)
        case .stopping: refuse(call, .stopping, gate)
        case .behind:
            call.run { call in
                _ = await gate.reached(announced.epoch, atMost: StorageNodeLimits.mapWait)
                switch gate.begin(partition, writerEpoch: gate.epoch) {
                case .admitted: take(announced, call, store, gate)
                case .stopping: refuse(call, .stopping, gate)
                case .refused, .behind: refuse(call, .staleEpoch, gate)
                }
            }
        }
    }

    private static func refuse(_ call: ServerCall, _ status: ProtoChunkStatus, _ gate: WriteGate) {
        call.reply(
            ProtoWriteChunkReply.with {
                $0.status = status
                $0.epoch = gate.epoch.rawValue
            })
    }

    private static func take(
        _ announced: Announcement, _ call: ServerCall, _ store: ChunkStore, _ gate: WriteGate
    ) {
        let answer = WriteAnswer(call: call, gate: gate, partition: announced.chunk.partition)
        if announced.bytes <= ChunkStoreLimits.smallBytesMax {
            SmallWrite(announced, store: store, answer: answer).start()
        } else {
            LargeWrite(announced, store: store, answer: answer).start()
        }
    }
}

/// Answers a write once, and tells the gate that it has ended.
final class WriteAnswer: Sendable {
    let call: ServerCall
    private let gate: WriteGate
    private let partition: PartitionID
    private let isGiven = Atomic(false)

    init(call: ServerCall, gate: WriteGate, partition: PartitionID) {
        self.call = call
        self.gate = gate
        self.partition = partition
    }

    func give(_ result: Result<ChunkWriteOutcome, ChunkStoreError>) {
        guard end() else { return }
        let epoch = gate.epoch.rawValue
        call.reply(
            ProtoWriteChunkReply.with {
                $0.epoch = epoch
                switch result {
                case .success: $0.status = .done
                case .failure(let error):
                    let status = ChunkStatus(error)
                    $0.status = status.status
                    $0.detail = status.detail
                }
            })
    }

    /// The writer is gone: nobody to answer.
    func drop() { _ = end() }

    private func end() -> Bool {
        guard !isGiven.exchange(true, ordering: .relaxed) else { return false }
        gate.end(partition)
        return true
    }
}

/// A chunk that is taken into memory as a whole.
private final class SmallWrite: Sendable {
    private let announced: ChunkReceiver.Announcement
    private let store: ChunkStore
    private let answer: WriteAnswer
    private let buffer = Mutex(ByteBuffer())

    init(
        _ announced: ChunkReceiver.Announcement, store: ChunkStore, answer: WriteAnswer
    ) {
        self.announced = announced
        self.store = store
        self.answer = answer
    }

    func start() { answer.call.readBody { [self] event in receive(event) } }

    private func receive(_ event: BodyEvent) {
        switch event {
        case .bytes(var bytes):
            answer.call.consumed(bytes.readableBytes)
            let count = buffer.withLock { buffer in
                // Mostly all comes at once.
                if buffer.readableBytes == 0 {
                    buffer = bytes
                } else {
                    buffer.writeBuffer(&bytes)
                }
                return buffer.readableBytes
            }
            if count > announced.bytes {
                answer.give(.failure(.invalid(announced.chunk, "more bytes than announced")))
            }
        case .end:
            let bytes = buffer.withLock { $0 }
            guard bytes.readableBytes == announced.bytes else {
                return answer.give(
                    .failure(.invalid(announced.chunk, "fewer bytes than announced")))
            }
            let answer = self.answer
            bytes.withUnsafeReadableBytes { raw in
                store.write(announced.chunk, owner: announced.owner, payload: raw) {
                    answer.give($0)
                }
            }
        case .failed: answer.drop()
        }
    }
}

/// A chunk that is written as it comes, on the store's thread for it.
private final class LargeWrite: Sendable {
    private let announced: ChunkReceiver.Announcement
    private let store: ChunkStore
    private let answer: WriteAnswer
    /// Set by the first job, used by the others: all on one thread, in order.
    private let write = Mutex<ChunkWrite?>(nil)

    init(
        _ announced: ChunkReceiver.Announcement, store: ChunkStore, answer: WriteAnswer
    ) {
        self.announced = announced
        self.store = store
        self.answer = answer
    }

    func start() {
        job { [self] () throws(ChunkStoreError) in
            let begun = try store.beginWrite(
                announced.chunk, bytes: announced.bytes, owner: announced.owner)
            guard let begun else { return answer.give(.success(.known)) }
            write.withLock { $0 = begun }
        }
        answer.call.readBody { [self] event in receive(event) }
    }

    private func receive(_ event: BodyEvent) {
        switch event {
        case .bytes(let bytes):
            job { [self] () throws(ChunkStoreError) in
                defer { answer.call.consumed(bytes.readableBytes) }
                guard let write = write.withLock({ $0 }) else { return }
                let result = bytes.withUnsafeReadableBytes { raw in
                    Result { () throws(ChunkStoreError) in try write.append(raw) }
                }
                try result.get()
            }
        case .end:
            job { [self] () throws(ChunkStoreError) in
                guard let write = taken() else { return }
                write.commit { [answer] in answer.give($0) }
            }
        case .failed:
            _ = store.onWriteThread(for: announced.chunk) { [self] in taken()?.abort() }
            answer.drop()
        }
    }

    private func taken() -> ChunkWrite? {
        write.withLock { write in
            defer { write = nil }
            return write
        }
    }

    /// Runs on the chunk's thread; the first that fails answers.
    private func job(_ body: @escaping @Sendable () throws(ChunkStoreError) -> Void) {
        let isTaken = store.onWriteThread(for: announced.chunk) { [self] in
            do throws(ChunkStoreError) {
                try body()
            } catch {
                taken()?.abort()
                answer.give(.failure(error))
            }
        }
        if !isTaken { answer.give(.failure(.overloaded)) }
    }
}
