extension [UInt8] {
    /// Where a text begins first, byte for byte, at `start` or after it; nil where it does not stand.
    func place(of text: String, from start: Int = 0) -> Int? {
        let wanted = Array(text.utf8)
        guard let first = wanted.first else { return nil }
        var place = start
        while place + wanted.count <= count {
            if self[place] == first, self[place..<(place + wanted.count)].elementsEqual(wanted) { return place }
            place += 1
        }
        return nil
    }
}
