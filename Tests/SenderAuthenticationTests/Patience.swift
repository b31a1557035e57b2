import SenderAuthentication

extension SenderVerifier.Options {
    /// For tests: a machine that runs many of them at a time may leave one waiting for long.
    static var patient: SenderVerifier.Options {
        var options = SenderVerifier.Options()
        options.timeLimit = .seconds(600)
        return options
    }
}
