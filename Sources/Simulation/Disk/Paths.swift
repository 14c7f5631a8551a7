import Foundation

/// Directories, named as SQLite names the files in them.
enum Paths {
    /// Without symbolic links where the directory exists, and without a slash at the end.
    static func absolute(_ directory: String) -> String {
        if let resolved = realpath(directory, nil) {
            defer { free(resolved) }
            return String(cString: resolved)
        }
        let url = URL(fileURLWithPath: directory).standardizedFileURL
        return url.path.count > 1 && url.path.hasSuffix("/")
            ? String(url.path.dropLast()) : url.path
    }
}
