// swift-tools-version: 6.2
// The map of the project. Dependencies point down only: tools, mail services, protocols, formats,
// command line, system, bytes. Two modules of one row of this map know each other only where it says so.

import PackageDescription

let settings: [SwiftSetting] = [
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func shared(_ name: String, _ dependencies: String...) -> Target {
    .target(
        name: name,
        dependencies: dependencies.map { .byName(name: $0) },
        path: "Sources/Shared/\(name)",
        exclude: ["README.md"],
        swiftSettings: settings)
}

/// Tests would wait long for what goes over 16 MiB in an unoptimized build.
func optimized(_ target: Target) -> Target {
    target.swiftSettings = settings + [.unsafeFlags(["-O"], .when(configuration: .debug))]
    return target
}

func tool(_ name: String, _ dependencies: String...) -> Target {
    .executableTarget(
        name: name,
        dependencies: (["Bytes", "Unix", "CommandLineTool"] + dependencies).map { .byName(name: $0) },
        path: "Sources/\(name)",
        swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: String..., resources: [Resource] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: (["TestSupport"] + dependencies).map { .byName(name: $0) },
        path: "Tests/\(name)Tests",
        exclude: ["Data"],
        swiftSettings: settings)
}

let tools = ["mx", "smtp-send", "smtp-serve", "pop3d", "mboxconv", "mailparse", "spamscore"]

// libFuzzer brings its own main function, so that this target builds with `--sanitize fuzzer` only (`make fuzz`).
let fuzzer: [Target] =
    Context.environment["FACTEUR_FUZZ"] == nil
    ? []
    : [
        .executableTarget(
            name: "fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzzer",
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])])
    ]

let package = Package(
    name: "facteur",
    products: tools.map { .executable(name: $0, targets: [$0]) },
    targets: [
        // tools
        tool("mx", "OpenSSL", "Network", "DNS", "SenderAuthentication", "TransportPolicy"),
        tool(
            "smtp-send", "OpenSSL", "Network", "MessageFormat", "Mailboxes", "DNS", "SASL", "SMTP", "Accounts",
            "Delivery", "SenderAuthentication", "TransportPolicy"),
        tool(
            "smtp-serve", "OpenSSL", "Network", "ServerTool", "MessageFormat", "Mailboxes", "DNS", "SASL", "SMTP",
            "Accounts", "Delivery", "SenderAuthentication", "FilterProtocols"),
        tool("pop3d", "OpenSSL", "Network", "ServerTool", "MessageFormat", "Mailboxes", "SASL", "POP3", "Accounts"),
        tool("mboxconv", "OpenSSL", "Network", "MessageFormat", "Mailboxes", "DNS", "SASL", "POP3"),
        tool("mailparse", "OpenSSL", "Network", "MessageFormat", "Mailboxes", "DNS", "SenderAuthentication"),
        tool(
            "spamscore", "OpenSSL", "Network", "MessageFormat", "Mailboxes", "DNS", "SpamRules", "SpamClassifier",
            "SenderAuthentication", "FilterProtocols", "ServerTool"),

        // mail services
        shared("Delivery", "Bytes", "Unix", "Network", "MessageFormat", "Mailboxes", "DNS", "SMTP"),
        shared("Accounts", "Bytes", "Unix", "OpenSSL", "SASL"),
        shared(
            "SenderAuthentication", "Bytes", "Unix", "Network", "OpenSSL", "CommandLineTool", "MessageFormat", "DNS"),
        shared("TransportPolicy", "Bytes", "Unix", "OpenSSL", "Network", "DNS"),
        optimized(shared("SpamClassifier", "Bytes", "Unix", "OpenSSL", "MessageFormat")),
        shared("SpamRules", "Bytes", "Unix", "OpenSSL", "MessageFormat"),

        // protocols
        shared("SMTP", "Bytes", "Unix", "OpenSSL", "MessageFormat", "SASL"),
        shared("FilterProtocols", "Bytes"),
        shared("POP3", "Bytes", "OpenSSL", "SASL"),
        shared("SASL", "Bytes", "OpenSSL"),
        shared("DNS", "Bytes", "Unix", "Network"),

        // formats
        shared("Mailboxes", "Bytes", "Unix", "MessageFormat"),
        shared("MessageFormat", "Bytes"),

        // command line
        shared("CommandLineTool", "Bytes", "Unix"),
        shared("ServerTool", "Unix", "OpenSSL", "Network", "CommandLineTool"),

        // system
        shared("Network", "CLinux", "Bytes", "Unix", "OpenSSL"),
        shared("OpenSSL", "Bytes", "Unix"),
        shared("Unix", "CLinux", "Bytes"),

        // bytes
        shared("Bytes", "CLinux"),
        .systemLibrary(name: "CLinux", path: "Sources/Shared/CLinux"),

        // tests
        .target(
            name: "TestSupport", dependencies: ["CLinux", "Bytes", "Unix", "OpenSSL", "Network"],
            path: "Tests/TestSupport",
            swiftSettings: settings),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Bytes", "Unix", "MessageFormat", "Mailboxes", "DNS", "SMTP", "POP3", "SASL", "FilterProtocols",
                "Accounts", "Delivery",
                "SenderAuthentication", "SpamRules", "SpamClassifier", "Network", "TransportPolicy",
            ],
            path: "Tests/FuzzTargets", swiftSettings: settings),
        .testTarget(
            name: "FuzzTests", dependencies: ["TestSupport", "FuzzTargets"], path: "Tests/FuzzTests",
            exclude: ["Seeds"],
            swiftSettings: settings),
        tests("Bytes", "Bytes"),
        tests("Unix", "Bytes", "Unix"),
        tests("OpenSSL", "Bytes", "OpenSSL"),
        tests("Network", "Bytes", "Unix", "OpenSSL", "Network"),
        tests(
            "CommandLineTool", "Bytes", "Unix", "CommandLineTool", "mx", "smtp-send", "smtp-serve", "pop3d", "mboxconv",
            "mailparse", "spamscore"),
        tests("MessageFormat", "Bytes", "MessageFormat"),
        tests("Mailboxes", "Bytes", "Unix", "MessageFormat", "Mailboxes"),
        tests("DNS", "Bytes", "Unix", "Network", "DNS"),
        tests("SMTP", "Bytes", "MessageFormat", "SASL", "SMTP"),
        tests("FilterProtocols", "Bytes", "FilterProtocols"),
        tests("SASL", "Bytes", "OpenSSL", "SASL"),
        tests("POP3", "Bytes", "OpenSSL", "SASL", "POP3"),
        tests("Accounts", "Bytes", "Unix", "OpenSSL", "SASL", "Accounts"),
        tests("Delivery", "Bytes", "Unix", "Network", "MessageFormat", "Mailboxes", "SMTP", "Delivery"),
        tests(
            "SenderAuthentication", "Bytes", "Unix", "OpenSSL", "MessageFormat", "DNS", "SenderAuthentication"),
        tests("TransportPolicy", "Bytes", "Unix", "OpenSSL", "Network", "DNS", "TransportPolicy"),
        tests("SpamClassifier", "Bytes", "Unix", "MessageFormat", "SpamClassifier"),
        tests("SpamRules", "Bytes", "Unix", "MessageFormat", "SpamRules"),
        .testTarget(
            name: "ToolTests", dependencies: (["TestSupport"] + tools).map { .byName(name: $0) },
            path: "Tests/ToolTests", exclude: ["Data"], swiftSettings: settings),
        .testTarget(
            name: "PeerTests", dependencies: (["TestSupport"] + tools).map { .byName(name: $0) },
            path: "Tests/PeerTests", swiftSettings: settings),
    ] + fuzzer,
    swiftLanguageModes: [.v6]
)
