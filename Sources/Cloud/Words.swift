/// Makes others' words fit for a log line.
enum Words {
    /// One line of printable characters, at most ``CloudLimits/messageCharactersMax``.
    static func short(_ text: String) -> String {
        var output = ""
        for scalar in text.unicodeScalars.prefix(CloudLimits.messageCharactersMax) {
            let isPlain = scalar.value >= 32 && scalar.value != 127
            output.unicodeScalars.append(isPlain ? scalar : " ")
        }
        return output
    }
}
