import Core
import Foundation

/// Keeps the formation record in `formation.json` of the data directory.
///
/// The file is JSON with a format number; it is replaced as a whole: written beside, synced,
/// renamed, and the directory synced, so that a crash leaves the old record or the new one.
struct FormationStore: Sendable {
    private struct File: Codable {
        var format: Int
        var record: FormationRecord
    }

    private static let format = 1
    private let path: String

    init(directory: String) { path = directory + "/formation.json" }

    /// - Returns: A blank record where there is no file.
    /// - Throws: ``FormationError/unreadable(_:)``: a damaged promise must not be forgotten.
    func load() throws(FormationError) -> FormationRecord {
        guard FileManager.default.fileExists(atPath: path) else { return FormationRecord() }
        do {
            let file = try JSONDecoder().decode(
                File.self, from: Data(contentsOf: URL(filePath: path)))
            guard file.format == Self.format else {
                throw FormationError.unreadable(
                    "\(path) has format \(file.format), and this program reads \(Self.format): "
                        + "start the version that wrote it, or a newer one")
            }
            return file.record
        } catch let error as FormationError {
            throw error
        } catch {
            throw .unreadable(
                "\(path) is damaged (\(error)). It holds what this coordinator has promised to the "
                    + "others: restore it, or replace the node by one with an empty data directory")
        }
    }

    func save(_ record: FormationRecord) throws(FormationError) {
        do {
            let bytes = try JSONEncoder().encode(File(format: Self.format, record: record))
            try DurableFile.replace(path, with: [UInt8](bytes))
        } catch {
            throw .notSaved("\(path) could not be written: \(error)")
        }
    }
}

/// Why formation can't go on. The node stops with the message.
package enum FormationError: Error, Equatable {
    case unreadable(String)
    case notSaved(String)
}
