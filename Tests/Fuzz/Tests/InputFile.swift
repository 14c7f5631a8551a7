import Foundation

/// The input under way, in the temporary directory. What stops the process leaves it there.
struct InputFile: Sendable {
    let path: String
    private let descriptor: Int32

    /// `nil` where no file can be made.
    init?(of target: FuzzTarget) {
        let name = "dstfuzz-\(getpid())-\(target.name)"
        path = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
    }

    /// - Returns: Whether the file holds the input, and nothing else.
    func hold(_ input: [UInt8]) -> Bool {
        let count = input.withUnsafeBytes { bytes in
            pwrite(descriptor, bytes.baseAddress, bytes.count, 0)
        }
        return count == input.count && ftruncate(descriptor, off_t(input.count)) == 0
    }

    func remove() {
        close(descriptor)
        unlink(path)
    }
}
