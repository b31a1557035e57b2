import Accounts
import Bytes
import FilterProtocols
import Glibc
import SpamClassifier
import SpamRules
import Unix

extension FuzzTarget {
    /// What administrators write: rule files and password files; what clients and servers of spamd send; files of weights.
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
        FuzzTarget("spamd-answer") { bytes in
            for method in SpamdMethod.allCases {
                guard let answer = SpamdClientMessage.answer(bytes, to: method) else { continue }
                require(answer.content.count < bytes.count, "a content is a part of the answer")
            }
        },
        FuzzTarget("weight-file") { bytes in
            guard let folder = try? TemporaryDirectory() else { return }
            withExtendedLifetime(folder) {
                let path = "\(folder.path)/w"
                guard let file = try? FileDescriptor.open(path, O_WRONLY | O_CREAT), (try? file.writeAll(bytes)) != nil,
                    let weights = try? LearnedWeights(path)
                else { return }
                require(bytes.count > 4_096 && weights.counts.spam >= 0, "a file of weights holds weights")
            }
        },
        FuzzTarget("password-file") { bytes in _ = try? PasswordFile(bytes) },
    ]
}
