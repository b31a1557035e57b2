import Bytes
import MessageFormat

/// Tests of attached images: how many, how large, beside how much text, of which names.
extension EvalTests {
    static let imageTests: [String: Test] = [
        "image_count": { facts, arguments in
            guard arguments.count > 1 else { return 0 }
            let count = AttachedImage.all(arguments[0], facts.images).count
            return lies(Double(count), arguments.dropFirst()) ? 1 : 0
        },
        "pixel_coverage": { facts, arguments in
            guard arguments.count > 1 else { return 0 }
            return lies(AttachedImage.area(arguments[0], facts.images), arguments.dropFirst()) ? 1 : 0
        },
        "image_to_text_ratio": { facts, arguments in
            guard arguments.count > 2, let most = Double(arguments[2]) else { return 0 }
            let length = facts.bodyLines.reduce(0) { $0 + $1.count }
            let area = AttachedImage.area(arguments[0], facts.images)
            guard length > 0, area > 0 else { return 0 }
            let ratio = Double(length) / area
            return lies(ratio, arguments.dropFirst()) && ratio != most ? 1 : 0
        },
        "image_size_exact": { facts, arguments in
            guard arguments.count > 2, let height = Int(arguments[1]), let width = Int(arguments[2]) else { return 0 }
            return AttachedImage.all(arguments[0], facts.images).contains {
                $0.isMeasured && $0.height == height && $0.width == width
            } ? 1 : 0
        },
        "image_size_range": { facts, arguments in
            let bounds = arguments.dropFirst().map { Int($0) }
            guard bounds.count > 1, let lowest = bounds[0], let narrowest = bounds[1] else { return 0 }
            let highest = bounds.count > 2 ? bounds[2] : nil
            let widest = bounds.count > 3 ? bounds[3] : nil
            return AttachedImage.all(arguments[0], facts.images).contains {
                $0.isMeasured && $0.height >= lowest && $0.width >= narrowest && $0.height <= highest ?? .max
                    && $0.width <= widest ?? .max
            } ? 1 : 0
        },
        "image_named": { facts, arguments in
            facts.images.contains { $0.isMeasured && $0.name != nil && $0.name == arguments.first } ? 1 : 0
        },
        "image_name_regex": { facts, arguments in
            guard let pattern = arguments.first else { return 0 }
            return facts.images.contains { $0.isMeasured && $0.name.map { facts.matches(pattern, $0) } == true } ? 1 : 0
        },
    ]

    /// From the first bound on, and not above the second, when there is one.
    private static func lies(_ value: Double, _ bounds: ArraySlice<String>) -> Bool {
        guard let least = bounds.first.flatMap({ Double($0) }), value >= least else { return false }
        guard bounds.count > 1, let most = bounds.dropFirst().first.flatMap({ Double($0) }) else { return true }
        return value <= most
    }
}

/// An image in base64, with the size that its first bytes tell.
struct AttachedImage: Equatable {
    enum Kind: String { case gif, png, jpeg }

    let kind: Kind
    /// Pixels; 0 when the image does not tell.
    private(set) var width = 0
    private(set) var height = 0
    let name: String?

    /// It tells a size.
    var isMeasured: Bool { width > 0 && height > 0 }

    init(_ kind: Kind, _ bytes: [UInt8], name: String?) {
        self.kind = kind
        self.name = name?.isEmpty == true ? nil : name
        let size =
            switch kind {
            case .gif: AttachedImage.sizeOfGIF(bytes)
            case .png: AttachedImage.sizeOfPNG(bytes)
            case .jpeg: AttachedImage.sizeOfJPEG(bytes)
            }
        if let size { (width, height) = size }
    }

    /// The images of a message.
    static func find(in facts: MessageFacts) -> [AttachedImage] {
        let (structure, bytes) = (facts.structure, facts.bytes)
        return structure.walk().compactMap { index in
            let part = structure.parts[index]
            guard part.isLeaf, part.encodingName.equalsIgnoringCase("base64"), part.contentType.name.hasPrefix("image/")
            else { return nil }
            let subtype = part.contentType.name.dropFirst(6)
            guard let kind = Kind(rawValue: subtype == "jpg" ? "jpeg" : String(subtype)) else { return nil }
            return AttachedImage(
                kind, structure.content(of: index, in: bytes.span).bytes,
                name: structure.header(of: index, in: bytes.span).filename)
        }
    }

    /// Those of a kind that a rule names; `all` of any.
    static func all(_ kind: String, _ images: [AttachedImage]) -> [AttachedImage] {
        images.filter { kind == "all" || $0.kind.rawValue == kind }
    }

    /// Square pixels.
    static func area(_ kind: String, _ images: [AttachedImage]) -> Double {
        all(kind, images).reduce(0) { $0 + Double($1.width) * Double($1.height) }
    }

    private static func number(_ bytes: some Collection<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }

    private static func sizeOfGIF(_ bytes: [UInt8]) -> (width: Int, height: Int)? {
        guard bytes.count >= 10, ["GIF87a", "GIF89a"].contains(bytes[..<6].text) else { return nil }
        return (number(bytes[6..<8].reversed()), number(bytes[8..<10].reversed()))
    }

    /// The header is the first chunk after the signature.
    private static func sizeOfPNG(_ bytes: [UInt8]) -> (width: Int, height: Int)? {
        let opening: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10, 0, 0, 0, 13] + Array("IHDR".utf8)
        guard bytes.count >= 24, bytes.starts(with: opening) else { return nil }
        return (number(bytes[16..<20]), number(bytes[20..<24]))
    }

    /// Segments up to the one that begins a frame.
    private static func sizeOfJPEG(_ bytes: [UInt8]) -> (width: Int, height: Int)? {
        guard bytes.starts(with: [0xFF, 0xD8]) else { return nil }
        var place = 2
        while place + 4 <= bytes.count, bytes[place] == 0xFF {
            let mark = bytes[place + 1]
            let length = number(bytes[(place + 2)..<(place + 4)])
            if mark == 0xDA || mark == 0xD9 || length < 2 { return nil }
            if (0xC0...0xCF).contains(mark), ![0xC4, 0xC8, 0xCC].contains(mark) {
                guard place + 9 <= bytes.count else { return nil }
                return (number(bytes[(place + 7)..<(place + 9)]), number(bytes[(place + 5)..<(place + 7)]))
            }
            place += 2 + length
        }
        return nil
    }
}
