import Accounts
import Bytes
import SpamRules

extension FuzzTarget {
    /// What administrators write: rule files and password files.
    static let rules = [
        FuzzTarget("spam-rules") { bytes in
            var set = RuleSet()
            set.read(bytes, file: "fuzz.cf")
            _ = try? RuleScorer(set).score(bytes.span)
        },
        FuzzTarget("password-file") { bytes in _ = try? PasswordFile(bytes) },
    ]
}
