extension Span where Element == UInt8 {
    /// How many LF have another byte than CR before them, within the span: the first byte is not looked at.
    package var loneLineFeedsBehindFirst: Int {
        // Safe: every index read lies within the span, and the pointer does not leave the closure.
        withUnsafeBufferPointer { buffer -> Int in
            guard let base = buffer.baseAddress, buffer.count > 1 else { return 0 }
            var total = 0
            var start = 1
            while start < buffer.count {
                // So few that the sum of a block fits into a byte, and many fit into one register.
                let end = Swift.min(start + 255, buffer.count)
                var sum: UInt8 = 0
                for index in start..<end {
                    sum &+= (base[index] == ASCII.lf ? 1 : 0) & (base[index &- 1] == ASCII.cr ? 0 : 1)
                }
                total += Int(sum)
                start = end
            }
            return total
        }
    }
}
