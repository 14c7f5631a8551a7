import Cloud
import Core
import Foundation

/// `ZONE=auto`: the zone that the cloud's metadata service names, kept on disk: a machine does not
/// move, and a node must come back where the service is silent.
enum AutomaticZone {
    /// Rounds before the node gives up and is started again.
    static let triesMax = 10
    static let pause = Duration.seconds(2)

    /// - Throws: ``UnknownZone``.
    static func find(_ base: NodeBase) async throws -> String {
        let path = base.directory.path(of: "zone")
        var last = CloudError.noCloud
        // With a zone on disk one try is enough.
        let kept = read(path)
        for attempt in 1...(kept == nil ? triesMax : 1) {
            do throws(CloudError) {
                let zone = try await ask(base.clouds)
                keep(zone, instead: kept, at: path, base)
                return zone
            } catch {
                last = error
                if attempt == 1 {
                    base.logger.warning(
                        "the zone is not known yet", metadata: ["error": "\(error)"])
                }
            }
            if kept == nil { try await Task.sleep(for: pause) }
        }
        guard let kept else { throw UnknownZone(reason: "\(last)") }
        base.logger.info("going on in the zone of the last start", metadata: ["zone": "\(kept)"])
        return kept
    }

    private static func ask(_ clouds: CloudClients) async throws(CloudError) -> String {
        let cloud = try await clouds.detect()
        let zone = try await clouds.identity(of: cloud, clouds.shell.round()).zone
        guard isZone(zone) else { throw .malformed("the metadata service", what: "no zone") }
        return zone
    }

    private static func isZone(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                byte < 128
                    && (Character(UnicodeScalar(byte)).isLetter
                        || Character(UnicodeScalar(byte)).isNumber || byte == UInt8(ascii: "-"))
            }
    }

    private static func keep(
        _ zone: String, instead kept: String?, at path: String, _ base: NodeBase
    ) {
        base.logger.info("zone", metadata: ["zone": "\(zone)"])
        guard zone != kept else { return }
        do {
            try DurableFile.replace(path, with: Array(zone.utf8))
        } catch {
            // The next start asks again.
            base.logger.warning("the zone is not kept", metadata: ["error": "\(error)"])
        }
    }

    /// - Returns: `nil` for a file that is missing or damaged.
    private static func read(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path), data.count <= 64 else {
            return nil
        }
        let text = String(decoding: data, as: UTF8.self)
        return isZone(text) ? text : nil
    }
}

/// `ZONE=auto`, and nobody says which.
struct UnknownZone: Error, Equatable, CustomStringConvertible {
    let reason: String

    var description: String {
        "ZONE is auto, but the zone is not known: \(reason); or write its name"
    }
}
