import CommandLineTool

@main struct Main {
    static func main() { SmtpServe.main() }
}
