import CommandLineTool

@main struct Main {
    static func main() { MX.main() }
}
