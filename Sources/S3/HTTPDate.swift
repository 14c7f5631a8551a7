import Core

/// Dates in HTTP (RFC 9110 section 5.6.7): written as IMF-fixdate, read in all three formats.
package enum HTTPDate {
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let longWeekdays = [
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
    ]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`
    package static func format(_ time: WallTime) -> String {
        let civil = CivilTime(time)
        var text = DateText(capacity: 29)
        text.append(weekdays[civil.weekday])
        text.append(", ")
        text.append(civil.day, digits: 2)
        text.append(" ")
        text.append(months[civil.month - 1])
        text.append(" ")
        text.append(civil.year, digits: 4)
        text.append(" ")
        text.append(civil.hour, digits: 2)
        text.append(":")
        text.append(civil.minute, digits: 2)
        text.append(":")
        text.append(civil.second, digits: 2)
        text.append(" GMT")
        return text.string
    }

    package static func parse(_ text: String) -> WallTime? {
        fixed(text) ?? rfc850(text) ?? asctime(text)
    }

    private static func fixed(_ text: String) -> WallTime? {
        var scanner = DateScanner(text)
        guard scanner.one(of: weekdays) != nil, scanner.skip(", "), let day = scanner.number(2),
            scanner.skip(" "), let month = scanner.one(of: months), scanner.skip(" "),
            let year = scanner.number(4), scanner.skip(" "), let time = time(&scanner),
            scanner.skip(" GMT") || scanner.skip(" +0000") || scanner.skip(" UTC"),
            scanner.isAtEnd
        else { return nil }
        return civil(year, month, day, time)
    }

    private static func rfc850(_ text: String) -> WallTime? {
        var scanner = DateScanner(text)
        guard scanner.one(of: longWeekdays) != nil, scanner.skip(", "),
            let day = scanner.number(2), scanner.skip("-"), let month = scanner.one(of: months),
            scanner.skip("-"), let year = scanner.number(2), scanner.skip(" "),
            let time = time(&scanner), scanner.skip(" GMT"), scanner.isAtEnd
        else { return nil }
        return civil(year + (year < 70 ? 2000 : 1900), month, day, time)
    }

    private static func asctime(_ text: String) -> WallTime? {
        var scanner = DateScanner(text)
        guard scanner.one(of: weekdays) != nil, scanner.skip(" "),
            let month = scanner.one(of: months), scanner.skip(" "),
            let day = scanner.skip(" ") ? scanner.number(1) : scanner.number(2),
            scanner.skip(" "), let time = time(&scanner), scanner.skip(" "),
            let year = scanner.number(4), scanner.isAtEnd
        else { return nil }
        return civil(year, month, day, time)
    }

    private static func time(_ scanner: inout DateScanner) -> (Int, Int, Int)? {
        guard let hour = scanner.number(2), scanner.skip(":"), let minute = scanner.number(2),
            scanner.skip(":"), let second = scanner.number(2)
        else { return nil }
        return (hour, minute, second)
    }

    private static func civil(_ year: Int, _ month: Int, _ day: Int, _ time: (Int, Int, Int))
        -> WallTime?
    {
        CivilTime(
            year: year, month: month + 1, day: day, hour: time.0, minute: time.1, second: time.2)?
            .wallTime
    }
}

/// Dates in S3's documents (ISO 8601 with milliseconds) and in signatures (its basic form).
package enum ISODate {
    /// `2009-10-12T17:50:30.000Z`
    package static func format(_ time: WallTime) -> String {
        let civil = CivilTime(time)
        var text = DateText(capacity: 24)
        text.append(civil.year, digits: 4)
        text.append("-")
        text.append(civil.month, digits: 2)
        text.append("-")
        text.append(civil.day, digits: 2)
        text.append("T")
        text.append(civil.hour, digits: 2)
        text.append(":")
        text.append(civil.minute, digits: 2)
        text.append(":")
        text.append(civil.second, digits: 2)
        text.append(".")
        text.append(Int((time.milliseconds % 1000 + 1000) % 1000), digits: 3)
        text.append("Z")
        return text.string
    }

    /// `20130524T000000Z`
    package static func formatBasic(_ time: WallTime) -> String {
        let civil = CivilTime(time)
        var text = DateText(capacity: 16)
        text.append(civil.year, digits: 4)
        text.append(civil.month, digits: 2)
        text.append(civil.day, digits: 2)
        text.append("T")
        text.append(civil.hour, digits: 2)
        text.append(civil.minute, digits: 2)
        text.append(civil.second, digits: 2)
        text.append("Z")
        return text.string
    }

    package static func parseBasic(_ text: String) -> WallTime? {
        var scanner = DateScanner(text)
        guard let year = scanner.number(4), let month = scanner.number(2),
            let day = scanner.number(2), scanner.skip("T"), let hour = scanner.number(2),
            let minute = scanner.number(2), let second = scanner.number(2), scanner.skip("Z"),
            scanner.isAtEnd
        else { return nil }
        return CivilTime(
            year: year, month: month, day: day, hour: hour, minute: minute, second: second)?
            .wallTime
    }
}

/// Text of a known size, written digit by digit.
private struct DateText {
    private var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    var string: String { String(decoding: bytes, as: UTF8.self) }

    mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func append(_ number: Int, digits: Int) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }
}
