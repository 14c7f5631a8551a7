import Foundation
import Logging

/// Lines of a simulated node, by its own clock, on standard error.
struct SimulatedLog: LogHandler {
    private let name: String
    private let clocks: SimulatedClocks
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    init(_ name: String, _ clocks: SimulatedClocks) {
        self.name = name
        self.clocks = clocks
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let details = (event.metadata ?? [:]).sorted { $0.key < $1.key }
            .map { " \($0.key)=\($0.value)" }.joined()
        let line = "\(clocks.wall.milliseconds) \(name) \(event.level) \(event.message)\(details)\n"
        FileHandle.standardError.write(Data(line.utf8))
    }
}
