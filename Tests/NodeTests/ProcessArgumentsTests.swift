import Foundation
import Testing

@testable import dstnode

@Suite struct ProcessArgumentsTests {
    @Test func eachEndsWithAZeroByte() {
        let bytes = Data("dstnode\0start\0--node-id\0\0a b\0".utf8)
        #expect(ProcessArguments.parse(bytes) == ["start", "--node-id", "", "a b"])
        #expect(ProcessArguments.parse(Data("dstnode\0".utf8)) == [])
        #expect(ProcessArguments.parse(Data()) == [])
    }

    @Test func theRuntimeFindsThemHere() {
        #expect(ProcessArguments.missedByRuntime == nil)
    }
}
