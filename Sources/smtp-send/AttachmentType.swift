import Bytes

/// The media type of an attached file by the end of its name.
enum AttachmentType {
    private static let types = [
        "txt": "text/plain", "csv": "text/csv", "html": "text/html", "htm": "text/html", "pdf": "application/pdf",
        "json": "application/json", "xml": "application/xml", "zip": "application/zip", "gz": "application/gzip",
        "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "svg": "image/svg+xml",
        "mp3": "audio/mpeg", "mp4": "video/mp4", "ics": "text/calendar",
    ]

    static func type(of name: String) -> String {
        let suffix = name.split(separator: ".").dropFirst().last.map { String($0).asciiLowercased }
        return suffix.flatMap { types[$0] } ?? "application/octet-stream"
    }
}
