import Bytes

// The commands of the TRANSACTION state (RFC 1939 5, 7).
extension POP3Session {
    mutating func status() -> Step? {
        guard let maildrop else { return nil }
        say("+OK \(maildrop.count - deleted.count) \(maildrop.totalOctets - deletedOctets)")
        return nil
    }

    mutating func list(_ argument: ArraySlice<UInt8>?, ofIDs: Bool) -> Step? {
        if let argument {
            if let index = index(argument) { sayEntry(index, ofIDs: ofIDs, prefix: "+OK ") }
            return nil
        }
        say(ofIDs ? "+OK unique-id listing follows" : "+OK scan listing follows")
        listing = Listing(isOfIDs: ofIDs)
        return nil
    }

    /// Adds so much of a listing as the output should hold at once.
    mutating func continueListing() {
        guard var listing, let maildrop else { return }
        while listing.next < maildrop.count, output.count < POP3Session.outputLimit {
            if deleted.isEmpty || !deleted.contains(listing.next) {
                sayEntry(listing.next, ofIDs: listing.isOfIDs, prefix: "")
            }
            listing.next += 1
        }
        if listing.next == maildrop.count {
            say(".")
            self.listing = nil
        } else {
            self.listing = listing
        }
    }

    private mutating func sayEntry(_ index: Int, ofIDs: Bool, prefix: StaticString) {
        guard let maildrop else { return }
        prefix.withUTF8Buffer { output.append(contentsOf: $0) }
        output.append(decimal: index + 1)
        output.append(ASCII.space)
        if ofIDs {
            output.append(contentsOf: maildrop.uniqueID(index))
        } else {
            output.append(decimal: maildrop.octets(index))
        }
        output.append(ASCII.cr)
        output.append(ASCII.lf)
    }

    mutating func retrieve(_ argument: ArraySlice<UInt8>?) -> Step? {
        guard let index = index(argument) else { return nil }
        return work(.retrieve(index, bodyLines: nil))
    }

    mutating func top(_ argument: ArraySlice<UInt8>?) -> Step? {
        let words = (argument ?? []).split(separator: ASCII.space)
        guard words.count == 2, words[1].allSatisfy(\.isASCIIDigit) else {
            return refuse("the syntax is TOP message lines")
        }
        guard let index = index(words[0]) else { return nil }
        return work(.retrieve(index, bodyLines: Int(words[1].text) ?? .max))
    }

    mutating func delete(_ argument: ArraySlice<UInt8>?) -> Step? {
        guard let index = index(argument) else { return nil }
        guard !configuration.isReadOnly else { return refuse("[SYS/PERM] nothing can be deleted here") }
        deleted.insert(index)
        deletedOctets += maildrop?.octets(index) ?? 0
        say("+OK message \(index + 1) is marked as deleted")
        return nil
    }

    mutating func reset() -> Step? {
        deleted = []
        deletedOctets = 0
        say("+OK nothing is marked as deleted")
        return nil
    }

    mutating func noOperation() -> Step? {
        say("+OK")
        return nil
    }

    /// The message that a number names; says why not when there is none.
    private mutating func index(_ argument: ArraySlice<UInt8>?) -> Int? {
        let words = (argument ?? []).split(separator: ASCII.space)
        guard words.count == 1, let number = words[0].decimalValue else {
            say("-ERR which message?")
            return nil
        }
        guard number >= 1, number <= maildrop?.count ?? 0 else {
            say("-ERR there is no such message")
            return nil
        }
        guard deleted.isEmpty || !deleted.contains(number - 1) else {
            say("-ERR the message is marked as deleted")
            return nil
        }
        return number - 1
    }
}

extension Collection where Element == UInt8 {
    /// The number that 1 to 18 digits write; nil for anything else.
    var decimalValue: Int? {
        guard 1...18 ~= count, allSatisfy(\.isASCIIDigit) else { return nil }
        return reduce(0) { $0 * 10 + Int($1 - ASCII.zero) }
    }
}

extension Array where Element == UInt8 {
    /// Appends the digits of a number that is not negative.
    package mutating func append(decimal number: Int) {
        var scale = 1
        while number / scale >= 10 { scale *= 10 }
        while scale > 0 {
            append(ASCII.zero + UInt8(truncatingIfNeeded: number / scale % 10))
            scale /= 10
        }
    }
}
