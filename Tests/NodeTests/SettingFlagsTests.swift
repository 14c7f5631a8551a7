import ArgumentParser
import NodeConfiguration
import Testing

@testable import dstnode

@Suite struct SettingFlagsTests {
    @Test(arguments: Setting.allCases)
    func `every setting is a flag`(setting: Setting) throws {
        for name in [setting.flag, setting.shortFlag].compactMap({ $0 }) {
            let flags = try SettingFlags.parse(["--\(name)", "value"])
            #expect(flags.given == [setting.isSecret ? setting.fileKey : setting.key: "value"])
        }
    }

    @Test(arguments: Setting.allCases.filter(\.isSecret))
    func `no secret is a flag`(setting: Setting) {
        let name = setting.key.replacing("_", with: "-")
        #expect(throws: (any Error).self) { try SettingFlags.parse(["--\(name)", "value"]) }
    }

    @Test func `the deployment guide's line is understood`() throws {
        let line =
            "--node-type coordinator --node-id c1 --address 0.0.0.0:9000 --data-path "
            + "/opt/dstorage/data --seeds a:9000,b:9000,c:9000 --capacity 100 --replication 3 "
            + "--discovery static"
        let flags = try SettingFlags.parse(line.split(separator: " ").map(String.init))
        #expect(flags.given.count == 8)
        #expect(flags.given["seed_nodes"] == "a:9000,b:9000,c:9000")
    }
}
