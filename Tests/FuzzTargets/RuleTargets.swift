import Accounts
import Bytes
import FilterProtocols
import SpamRules

extension FuzzTarget {
    /// What administrators write: rule files and password files; and what clients of spamd send.
    static let rules = [
        FuzzTarget("spam-rules") { bytes in
            var set = RuleSet()
            set.read(bytes, file: "fuzz.cf")
            _ = try? RuleScorer(set).score(bytes.span)
        },
        FuzzTarget("rule-image") { bytes in
            guard let plan = RulePlan(image: RuleImageBytes(bytes)) else { return }
            _ = try? RuleScorer(plan).score(Array("Subject: offer now\n\nan offer of v1agra x\n".utf8).span)
            _ = plan.image
        },
        FuzzTarget("spamd-request") { bytes in
            var whole = SpamdRequestReader(messageLimit: 10_000)
            let (_, step) = whole.next(bytes.span, isEnd: true)
            var reader = SpamdRequestReader(messageLimit: 10_000)
            let first = Array(bytes[..<(bytes.count / 2)])
            let (consumed, early) = reader.next(first.span, isEnd: false)
            guard case .needInput = early else { return }
            let rest = Array(bytes[consumed...])
            require(reader.next(rest.span, isEnd: true).step == step, "pieces make no difference")
        },
        FuzzTarget("password-file") { bytes in _ = try? PasswordFile(bytes) },
    ]
}
