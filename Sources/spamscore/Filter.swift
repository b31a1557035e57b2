import Bytes
import CommandLineTool
import Glibc
import SpamRules
import Unix

/// Standard input to standard output with X-Spam fields at the top, everything else byte for byte.
enum Filter {
    static func run(_ arguments: Arguments, _ folder: UserFolder) throws -> ExitCode {
        let message = try FileDescriptor(owning: dup(0), subject: "standard input").readAll()
        do {
            let verdict = try MessageScorer(ScoringBasis(arguments, folder)).score(message.span)
            Output.standard.write(marked(message, verdict))
            return .ok
        } catch {
            // The message must not be lost because it could not be scored.
            Output.standard.write(message)
            Diagnostics.say("\((error as? ToolFailure)?.message ?? "\(error)"): the message passes unmarked")
            return arguments[SpamscoreOptions.failClosed] ? .temporaryFailure : .ok
        }
    }

    private static func marked(_ message: [UInt8], _ verdict: Verdict) -> [UInt8] {
        let isSpam = verdict.isSpam
        let bytes = message.span
        let firstLine = bytes.line(at: 0)
        let end: [UInt8] =
            firstLine.isTerminated && firstLine.next - firstLine.content.upperBound == 2 ? [13, 10] : [10]
        var fields = ["X-Spam-Checker-Version: Facteur \(facteurVersion)"]
        if isSpam { fields.append("X-Spam-Flag: YES") }
        let level = String(repeating: "*", count: min(50, max(0, Int(min(verdict.score, 50)))))
        fields.append("X-Spam-Level: \(level)")
        fields.append(
            "X-Spam-Status: \(isSpam ? "Yes" : "No"), score=\(Reports.number(verdict.score)) "
                + "required=\(Reports.number(verdict.required))")
        let names = verdict.tests.map(\.name)
        var status = "\ttests=" + (names.isEmpty ? "none" : "")
        for (index, name) in names.enumerated() {
            if status.utf8.count + name.utf8.count > 75 {
                fields.append(status)
                status = "\t"
            }
            status += name + (index == names.count - 1 ? "" : ",")
        }
        fields.append(status)
        fields.append("\tautolearn=no version=\(facteurVersion)")
        // An mbox line stays the first.
        var place = bytes.matches("From ", at: 0) ? firstLine.next : 0
        var result = bytes.array(0..<place)
        for field in fields { result += Array(field.utf8) + end }
        // The rest of the header, without X-Spam fields and their continuations.
        var isDropping = false
        while place < bytes.count {
            let line = bytes.line(at: place)
            if line.content.isEmpty { break }
            if !bytes[place].isSpaceOrTab {
                isDropping = bytes.array(place..<min(place + 7, bytes.count)).equalsIgnoringCase("x-spam-")
            }
            if !isDropping { result.append(span: bytes.extracting(place..<line.next)) }
            place = line.next
        }
        result.append(span: bytes.extracting(place..<bytes.count))
        return result
    }
}
