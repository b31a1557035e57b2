import Bytes
import CommandLineTool
import SASL

/// The user and the secret of the command line.
enum CredentialOptions {
    static func read(_ arguments: Arguments, isOneServer: Bool) throws(ToolFailure) -> SASLCredentials? {
        let mechanism = try mechanism(arguments)
        let secrets = SendOptions.secrets
        guard let user = arguments[SendOptions.user] else {
            guard secrets.count(arguments) == 0, mechanism == nil else {
                throw ToolFailure(.usage, "--user: is missing: --auth and a password need it")
            }
            return nil
        }
        guard isOneServer else {
            throw ToolFailure(
                .usage, "--user: needs --server: a password is not shown to whoever takes a domain's mail")
        }
        let isToken = arguments.isGiven(secrets.tokenCommand) || mechanism?.takesToken ?? false
        if let mechanism, isToken != mechanism.takesToken {
            throw ToolFailure(.usage, "--auth \(mechanism.rawValue.asciiLowercased): takes a password, not a token")
        }
        guard let given = try secrets.read(arguments, of: user) else {
            throw ToolFailure(.usage, "--user: needs \(SecretOptions.names)")
        }
        let secret: SASLCredentials.Secret =
            switch given {
            case .token(let token): .token(token)
            case .password(let password): isToken ? .token(password) : .password(password)
            }
        return SASLCredentials(
            user: Array(user.utf8), secret: secret, mechanism: mechanism,
            allowedInClear: SendOptions.tls.policy(arguments) == .never)
    }

    private static func mechanism(_ arguments: Arguments) throws(ToolFailure) -> SASLClientMechanism? {
        guard let name = arguments[SendOptions.auth], name.asciiLowercased != "auto" else { return nil }
        guard let mechanism = SASLClientMechanism(rawValue: name.uppercased()) else {
            let known = SASLClientMechanism.allCases.map(\.rawValue.asciiLowercased).joined(separator: ", ")
            throw ToolFailure(.usage, "--auth \(name): must be one of auto, \(known)")
        }
        return mechanism
    }
}
