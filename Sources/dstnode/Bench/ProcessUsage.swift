import Foundation

/// Processor time and memory of processes, from `/proc`.
enum ProcessUsage {
    /// Processes that run this program, except this one.
    static func servers() -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { pid in
            pid != getpid() && text("/proc/\(pid)/comm") == "dstnode\n"
        }.sorted()
    }

    /// Milliseconds of user and system time since the processes began; those that are gone count 0.
    static func cpuMilliseconds(of pids: [Int32]) -> Double {
        let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
        return pids.map { pid in
            // The second field is a name in parentheses, which may hold anything.
            guard let stat = text("/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")") else {
                return 0
            }
            let fields = stat[stat.index(after: end)...].split(separator: " ")
            guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12])
            else { return 0 }
            return (user + system) / ticksPerSecond * 1000
        }.reduce(0, +)
    }

    /// Resident bytes, all together.
    static func residentBytes(of pids: [Int32]) -> Int {
        pids.map { pid in
            let fields = (text("/proc/\(pid)/statm") ?? "").split(separator: " ")
            return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * Int(getpagesize())
        }.reduce(0, +)
    }

    /// Of this process.
    static func ownCPUMilliseconds() -> Double { cpuMilliseconds(of: [getpid()]) }

    private static func text(_ path: String) -> String? {
        try? String(contentsOfFile: path, encoding: .utf8)
    }
}
