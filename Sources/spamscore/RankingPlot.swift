import CommandLineTool
import Glibc

/// Curves of errors on logarithmic axes, as SVG: to the right more ham misclassified, upwards more spam missed.
enum RankingPlot {
    private static let size = 480.0
    private static let margin = 70.0
    /// The axes go from this share to 1.
    private static let least = 0.0001
    private static let colors = ["#1668b8", "#b84a16", "#1a7f37"]

    static func svg(_ curves: [(name: String, ranking: Ranking)]) -> String {
        let full = Int(size + 2 * margin)
        var svg = """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(full)" height="\(full)" viewBox="0 0 \(full) \(full)" \
            font-family="sans-serif" font-size="13">
            <rect width="100%" height="100%" fill="white"/>

            """
        for power in 0...4 {
            let share = pow(10.0, Double(power)) * least
            let (x, y) = place(share, share)
            let label = Reports.points(share * 100)
            let (low, high) = (text(margin), text(margin + size))
            svg += "<path d=\"M\(text(x)) \(low)V\(high)M\(low) \(text(y))H\(high)\" stroke=\"#ddd\" fill=\"none\"/>\n"
            svg += "<text x=\"\(text(x))\" y=\"\(text(margin + size + 18))\" text-anchor=\"middle\">\(label)</text>\n"
            svg += "<text x=\"\(text(margin - 8))\" y=\"\(text(y + 4))\" text-anchor=\"end\">\(label)</text>\n"
        }
        let middle = text(margin + size / 2)
        svg +=
            "<text x=\"\(middle)\" y=\"\(text(margin + size + 42))\" text-anchor=\"middle\">ham misclassified, %</text>\n"
        svg += "<text transform=\"translate(20 \(middle)) rotate(-90)\" text-anchor=\"middle\">spam missed, %</text>\n"
        for (index, curve) in curves.enumerated() {
            let color = colors[index % colors.count]
            let points = curve.ranking.curve.map { place($0.ham, $0.missed) }
            let path = points.map { "\(text($0.x)),\(text($0.y))" }.joined(separator: " ")
            svg += "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(color)\" stroke-width=\"2\"/>\n"
            let area = DecimalText.format(curve.ranking.lostArea * 100, decimals: 4)
            svg += "<text x=\"\(text(margin + 12))\" y=\"\(text(margin + size - 60 + Double(index) * 18))\" "
            svg += "fill=\"\(color)\">\(curve.name): (1-ROCA) \(area) %</text>\n"
        }
        return svg + "</svg>\n"
    }

    private static func place(_ ham: Double, _ missed: Double) -> (x: Double, y: Double) {
        func position(_ share: Double) -> Double { log10(max(share, least) / least) / 4 * size }
        return (margin + position(ham), margin + size - position(missed))
    }

    private static func text(_ number: Double) -> String { DecimalText.format(number, decimals: 1) }
}
