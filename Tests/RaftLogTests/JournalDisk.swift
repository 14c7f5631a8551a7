import Core
import Synchronization

@testable import RaftLog

/// A disk that keeps how it was in front of every change.
final class JournalDisk: LogDisk {
    struct Point {
        let image: CrashImage
        /// The change that came next.
        let next: String
        /// What it wrote, and where.
        let write: (file: Int, offset: Int, bytes: [UInt8])?
        /// What the test had noted by then.
        let note: Int
    }

    private struct State {
        var image: CrashImage
        var points: [Point] = []
        var note = 0
        /// The next write stops half-way for lack of room.
        var failsWrite = false
        var isFull = false
    }

    private let state: Mutex<State>

    init(_ image: CrashImage = CrashImage()) { state = Mutex(State(image: image)) }

    var image: CrashImage { state.withLock { $0.image } }

    /// How it was in front of each change, and how it is now.
    var points: [Point] {
        state.withLock { state in
            state.points + [
                Point(image: state.image, next: "the end", write: nil, note: state.note)
            ]
        }
    }

    /// From now on points carry `note`.
    func note(_ note: Int) { state.withLock { $0.note = note } }

    func failNextWrite() { state.withLock { $0.failsWrite = true } }
    func setFull(_ isFull: Bool) { state.withLock { $0.isFull = isFull } }

    fileprivate func change<Value: Sendable>(
        _ what: String, write: (file: Int, offset: Int, bytes: [UInt8])? = nil,
        _ body: (inout CrashImage) -> Value
    ) -> Value {
        state.withLock { state in
            state.points.append(
                Point(image: state.image, next: what, write: write, note: state.note))
            return body(&state.image)
        }
    }

    fileprivate func takeFailure() -> Bool {
        state.withLock { state in
            defer { state.failsWrite = false }
            return state.failsWrite
        }
    }

    // MARK: LogDisk

    func list() -> [String] { image.names.keys.sorted() }

    func create(_ name: String, bytes: Int) throws(DiskError) -> any LogFile {
        if state.withLock({ $0.isFull }) {
            throw DiskError(.create, file: name, code: SystemCode.noSpace)
        }
        let number = change("create \(name)") { $0.create(name, bytes: bytes) }
        return JournalFile(self, name, number)
    }

    func open(_ name: String) throws(DiskError) -> any LogFile {
        guard let number = image.names[name] else {
            throw DiskError(.open, file: name, code: SystemCode.noFile)
        }
        return JournalFile(self, name, number)
    }

    func remove(_ name: String) { change("remove \(name)") { $0.remove(name) } }

    func syncDirectory() { change("sync the directory") { $0.syncDirectory() } }
}

private final class JournalFile: LogFile {
    private let disk: JournalDisk
    let name: String
    private let number: Int

    init(_ disk: JournalDisk, _ name: String, _ number: Int) {
        self.disk = disk
        self.name = name
        self.number = number
    }

    private var file: CrashImage.File {
        guard let file = disk.image.files[number] else { preconditionFailure("\(name) is gone") }
        return file
    }

    func size() -> Int { file.size }

    func read(_ range: Range<Int>) -> [UInt8] {
        let file = file
        return Array(file.bytes[range.clamped(to: 0..<file.size)])
    }

    func write(_ bytes: [UInt8], at offset: Int) throws(DiskError) {
        let isFailing = disk.takeFailure()
        let written = isFailing ? Array(bytes.prefix(bytes.count / 2)) : bytes
        disk.change(
            "write \(name) \(offset)+\(written.count)", write: (number, offset, written)
        ) { $0.write(written, at: offset, of: number) }
        if isFailing { throw DiskError(.write, file: name, code: SystemCode.noSpace) }
    }

    func sync() { disk.change("sync \(name)") { $0.sync(number) } }

    func truncate(to bytes: Int) {
        disk.change("truncate \(name) \(bytes)") { $0.truncate(number, to: bytes) }
    }
}
