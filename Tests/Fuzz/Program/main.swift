// Feeds one of the targets, for libFuzzer. See ../README.md; scripts/fuzz builds and runs it.
//
//   dstfuzz --list                 names of the targets
//   dstfuzz --seeds TARGET FOLDER  writes what a run begins with
//   dstfuzz TARGET [OPTIONS]       libFuzzer's own options, files and folders
import CFuzzer
import Foundation

extension FuzzTarget {
    /// The one that this process feeds.
    nonisolated(unsafe) static var current: FuzzTarget?
}

func fail(_ text: String) -> Never {
    FileHandle.standardError.write(Data("dstfuzz: \(text)\n".utf8))
    exit(2)
}

func target(named name: String?) -> FuzzTarget {
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        fail("no target '\(name ?? "")'; --list shows them")
    }
    return target
}

let words = CommandLine.arguments
switch words.dropFirst().first {
case "--list":
    for target in FuzzTarget.all { print(target.name, target.runCount) }
case "--seeds":
    guard words.count == 4 else { fail("--seeds takes a target and a folder") }
    for (number, seed) in target(named: words[2]).seeds().enumerated() {
        let path = "\(words[3])/seed-\(number)"
        guard FileManager.default.createFile(atPath: path, contents: Data(seed)) else {
            fail("cannot write \(path)")
        }
    }
default:
    FuzzTarget.current = target(named: words.dropFirst().first)
    // The name is ours; libFuzzer gets what follows.
    var argumentCount = CommandLine.argc - 1
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? =
        CommandLine.unsafeArgv + 1
    arguments?[0] = CommandLine.unsafeArgv[0]
    exit(
        LLVMFuzzerRunDriver(&argumentCount, &arguments) { bytes, count in
            FuzzTarget.current?.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
            return 0
        })
}
