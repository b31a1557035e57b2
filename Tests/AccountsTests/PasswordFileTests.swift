import Accounts
import Bytes
import OpenSSL
import TestSupport
import Testing

@Suite("Password files")
struct PasswordFileTests {
    static let text = """
        # comment
        anna:{PLAIN}correct horse:1000:1000::/home/anna::
        bob:{SHA512-CRYPT}$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/
        mrose:{PLAIN}tanstaaf

        """

    @Test("plain and hashed secrets are compared, unknown users refused")
    func passwords() throws {
        let file = try PasswordFile(Array(Self.text.utf8))
        #expect(try file.account("anna", password: "correct horse")?.home == "/home/anna")
        #expect(try file.account("anna", password: "correct horse ") == nil)
        #expect(try file.account("ANNA", password: "correct horse") == nil)
        #expect(try file.account("nobody", password: "") == nil)
        #expect(try file.account("bob", password: "wrong") == nil)
        #expect(file.hasPlainSecrets)
    }

    @Test("the password of a crypt(3) hash")
    func crypt() throws {
        // By `openssl passwd -6 -salt saltstring`.
        let hash =
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
        let file = try PasswordFile(Array("bob:{SHA512-CRYPT}\(hash)\ncarol:\(hash)\n".utf8))
        #expect(try file.account("bob", password: "Hello world!")?.user == "bob")
        #expect(try file.account("carol", password: "Hello world!")?.user == "carol")
        #expect(try file.account("bob", password: "Hello world") == nil)
        #expect(!file.hasPlainSecrets)
    }

    @Test("APOP: the example of RFC 1939 7")
    func apop() throws {
        let file = try PasswordFile(Array(Self.text.utf8))
        let timestamp = "<1896.697170952@dbc.mtview.ca.us>"
        let digest = "c4c9334bac560ecc979e58001b3e22fb"
        #expect(try file.account("mrose", apopDigest: digest, timestamp: timestamp)?.user == "mrose")
        #expect(try file.account("mrose", apopDigest: digest, timestamp: "<x>") == nil)
        #expect(try file.account("bob", apopDigest: digest, timestamp: timestamp) == nil)
        #expect(try file.account("nobody", apopDigest: digest, timestamp: timestamp) == nil)
    }

    @Test(
        "lines that cannot be read are told",
        arguments: [("a\n", 1), ("\n:x\n", 2), ("a:{WHAT}x\n", 1), ("a:plain\n", 1), ("a:{PLAIN}\na:{PLAIN}\n", 2)])
    func broken(_ text: String, _ line: Int) {
        #expect {
            _ = try PasswordFile(Array(text.utf8))
        } throws: { ($0 as? PasswordFileError)?.line == line }
    }
}
