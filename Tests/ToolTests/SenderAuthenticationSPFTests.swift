import TestSupport
import Testing

@Suite struct SenderAuthenticationSPFTests {
    private static let zone = """
        example.org. TXT "v=spf1 mx include:a.example redirect=r.example"
        example.org. MX 10 mx.example.org.
        mx.example.org. A 192.0.2.9
        a.example. TXT "v=spf1 a:none.example exists:%{i}.x.example ?all"
        r.example. TXT "v=spf1 -all exp=exp.r.example"
        exp.r.example. TXT "%{i} may not send for %{d}"
        bad.example. SERVFAIL
        """

    private func mx(_ arguments: [String], input: String = "") throws -> ToolProcess.Result {
        let directory = try TestDirectory()
        let zone = try directory.write("zone", Self.zone)
        return try ToolProcess.run("mx", ["--dns", zone] + arguments, input: Array(input.utf8))
    }

    @Test("mx --spf-test: the verdict with its term, record, explanation and costs")
    func one() throws {
        let result = try mx(["--spf-test", "192.0.2.7", "--mail-from", "a@example.org", "--json"])
        #expect(result.status == 1)
        #expect(
            result.text.hasPrefix(
                #"{"spf":{"result":"fail","domain":"example.org","identity":"mailfrom","mechanism":"-all","#
                    + #""record":"v=spf1 -all exp=exp.r.example","#
                    + #""explanation":"192.0.2.7 may not send for r.example","lookups":5,"void":2,"problem":null,"#))
    }

    @Test(
        "mx --spf-test: exit codes",
        arguments: [
            ("192.0.2.9 --mail-from a@example.org", 0 as Int32),
            ("192.0.2.7 --mail-from= --helo r.example", 1),
            ("192.0.2.7 bad.example", 75), ("192.0.2.7 localhost", 0), ("192.0.2.7", 64),
            ("x example.org", 64),
        ])
    func exitCodes(_ words: String, _ wanted: Int32) throws {
        #expect(try mx(["--spf-test"] + words.split(separator: " ").map(String.init)).status == wanted)
    }

    @Test("mx --spf-test -: a line of JSON for each line, in order; a failure for now counts most")
    func batch() throws {
        let result = try mx(
            ["--spf-test", "-"],
            input: "192.0.2.9 a@example.org h\n\n192.0.2.1 <> r.example\nx\n192.0.2.1 <a@bad.example> h")
        #expect(result.status == 75)
        let verdicts = ["\"pass\"", "\"spf\":null", "\"fail\"", "\"spf\":null", "\"temperror\""]
        #expect(result.lines.count == 5)
        for (line, verdict) in zip(result.lines, verdicts) { #expect(line.contains(verdict), "\(line)") }
    }
}
