import Core
import Testing

@Suite struct ChecksumTests {
    private let check = Array("123456789".utf8)

    @Test func `check values of the CRC catalogue`() {
        #expect(CRC32C.of(check) == 0xE306_9283)
        #expect(CRC32.of(check) == 0xCBF4_3926)
        #expect(CRC64NVME.of(check) == 0xAE8B_1486_0A79_9888)
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `pieces give the same as the whole`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let bytes = (0..<Int.random(in: 0...300, using: &random)).map { _ in
            UInt8.random(in: 0...255, using: &random)
        }
        let cut = Int.random(in: 0...bytes.count, using: &random)
        var crc32c = CRC32C()
        var crc32 = CRC32()
        var crc64 = CRC64NVME()
        for piece in [bytes[..<cut], bytes[cut...]] {
            crc32c.update(piece)
            crc32.update(piece)
            crc64.update(piece)
        }
        #expect(crc32c.value == CRC32C.of(bytes))
        #expect(crc32.value == CRC32.of(bytes))
        #expect(crc64.value == CRC64NVME.of(bytes))
        #expect(UInt64(crc32c.value) == bitByBit(bytes, polynomial: 0x82F6_3B78, width: 32))
        #expect(UInt64(crc32.value) == bitByBit(bytes, polynomial: 0xEDB8_8320, width: 32))
        #expect(crc64.value == bitByBit(bytes, polynomial: 0x9A6C_9329_AC4B_C9B5, width: 64))
    }

    /// The definition: reflected, all ones in, all ones out.
    private func bitByBit(_ bytes: [UInt8], polynomial: UInt64, width: Int) -> UInt64 {
        let ones: UInt64 = width == 64 ? .max : (1 << UInt64(width)) - 1
        var crc = ones
        for byte in bytes {
            crc ^= UInt64(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ polynomial : crc >> 1 }
        }
        return crc ^ ones
    }
}
