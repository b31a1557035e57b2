extension Array where Element == UInt8 {
    /// With `%41` and the like replaced by the bytes that they stand for (RFC 3986 2.1), as far as `isWanted` takes those
    /// bytes; what is no such escape stays.
    package func percentDecoded(where isWanted: (UInt8) -> Bool = { _ in true }) -> [UInt8] {
        guard contains(ASCII.percent) else { return self }
        var result: [UInt8] = []
        result.reserveCapacity(count)
        var place = 0
        while place < count {
            if self[place] == ASCII.percent, place + 2 < count, let high = self[place + 1].hexadecimalValue,
                let low = self[place + 2].hexadecimalValue, isWanted(high << 4 | low)
            {
                result.append(high << 4 | low)
                place += 3
            } else {
                result.append(self[place])
                place += 1
            }
        }
        return result
    }
}
