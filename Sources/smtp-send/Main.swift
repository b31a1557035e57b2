import CommandLineTool

@main struct Main {
    static func main() { SmtpSend.main() }
}
