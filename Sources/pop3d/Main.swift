import CommandLineTool

@main struct Main {
    static func main() { Pop3d.main() }
}
