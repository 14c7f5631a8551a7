import Core
import Simulation

@testable import RaftLog

/// A directory as a disk has it: all states that a power cut may leave of what no sync covers.
///
/// Each sector of each file, each file's size and each name is independent of the others, and may
/// be in any of the states that it went through since its sync.
struct CrashImage {
    static let sectorBytes = 512

    enum Thing: Hashable {
        case sector(file: Int, number: Int)
        case size(file: Int)
        case name(String)
    }

    struct File {
        var bytes: [UInt8]
        var size: Int
        /// By sector: what it was before each change since the last sync, oldest first.
        var formerSectors: [Int: [[UInt8]]] = [:]
        var formerSizes: [Int] = []
    }

    private(set) var files: [Int: File] = [:]
    private(set) var names: [String: Int] = [:]
    /// By name: which file it named before each change since the directory's last sync.
    private var formerNames: [String: [Int?]] = [:]
    /// What may be lost, in the order in which it was first changed.
    private(set) var things: [Thing] = []
    private var lastFile = 0

    private mutating func note(_ thing: Thing) {
        if !things.contains(thing) { things.append(thing) }
    }

    // MARK: Changes

    mutating func create(_ name: String, bytes: Int) -> Int {
        lastFile += 1
        // A name may be durable before the file's size is.
        files[lastFile] = File(
            bytes: [UInt8](repeating: 0, count: bytes), size: bytes, formerSizes: [0])
        note(.size(file: lastFile))
        rename(name, to: lastFile)
        return lastFile
    }

    mutating func remove(_ name: String) { rename(name, to: nil) }

    private mutating func rename(_ name: String, to file: Int?) {
        formerNames[name, default: []].append(names[name])
        names[name] = file
        note(.name(name))
    }

    mutating func syncDirectory() {
        formerNames = [:]
        things.removeAll { if case .name = $0 { true } else { false } }
    }

    mutating func write(_ bytes: some Collection<UInt8>, at offset: Int, of number: Int) {
        guard !bytes.isEmpty, var file = files.removeValue(forKey: number) else { return }
        precondition(offset + bytes.count <= file.size, "the log never makes a file longer")
        let sector = Self.sectorBytes
        for place in offset / sector...(offset + bytes.count - 1) / sector {
            let end = min((place + 1) * sector, file.bytes.count)
            file.formerSectors[place, default: []].append(Array(file.bytes[place * sector..<end]))
            note(.sector(file: number, number: place))
        }
        file.bytes.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        files[number] = file
    }

    mutating func truncate(_ number: Int, to size: Int) {
        guard var file = files.removeValue(forKey: number) else { return }
        precondition(size <= file.size)
        file.formerSizes.append(file.size)
        file.size = size
        files[number] = file
        note(.size(file: number))
    }

    mutating func sync(_ number: Int) {
        files[number]?.formerSectors = [:]
        files[number]?.formerSizes = []
        things.removeAll {
            switch $0 {
            case .sector(number, _), .size(number): true
            default: false
            }
        }
    }

    // MARK: Power cut

    /// In how many states each of the ``things`` may be.
    var counts: [Int] {
        things.map { thing in
            switch thing {
            case .sector(let file, let number):
                (files[file]?.formerSectors[number]?.count ?? 0) + 1
            case .size(let file): (files[file]?.formerSizes.count ?? 0) + 1
            case .name(let name): (formerNames[name]?.count ?? 0) + 1
            }
        }
    }

    /// What a reboot finds; durable as it is.
    func after(_ variant: [Int]) -> CrashImage {
        precondition(variant.count == things.count)
        var image = self
        for (thing, state) in zip(things, variant) {
            switch thing {
            case .sector(let file, let number):
                guard let former = files[file]?.formerSectors[number], state < former.count else {
                    continue
                }
                let start = number * Self.sectorBytes
                image.files[file]?.bytes.replaceSubrange(
                    start..<start + former[state].count, with: former[state])
            case .size(let file):
                guard let former = files[file]?.formerSizes, state < former.count else { continue }
                image.files[file]?.size = former[state]
            case .name(let name):
                guard let former = formerNames[name], state < former.count else { continue }
                image.names[name] = former[state]
            }
        }
        return image.settled()
    }

    /// With nothing left to lose, and without files that have no name.
    private func settled() -> CrashImage {
        var image = self
        image.things = []
        image.formerNames = [:]
        let named = Set(names.values)
        for (number, file) in files {
            image.files[number] =
                named.contains(number)
                ? File(bytes: Array(file.bytes[..<file.size]), size: file.size) : nil
        }
        return image
    }

    /// Equal for images that a program cannot tell apart, whatever it was that was lost.
    var fingerprint: Int {
        var hasher = Hasher()
        for (name, number) in names.sorted(by: { $0.key < $1.key }) {
            hasher.combine(name)
            guard let file = files[number] else { continue }
            hasher.combine(file.size)
            file.bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        }
        return hasher.finalize()
    }
}
