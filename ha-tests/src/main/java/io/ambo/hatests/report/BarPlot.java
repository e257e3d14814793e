package io.ambo.hatests.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Groups of bars as an SVG picture. */
public final class BarPlot {
    private static final int BAR = 15, GAP = 24, HEIGHT = 360, LEFT = 50, TOP = 34, BOTTOM = 40, LEGEND = 210;
    private static final List<String> COLOURS = List.of("#b0b7bf", "#7f8a95", "#d9730d", "#dfab01", "#0b6e99", "#0f7b6c");

    private BarPlot() {}

    /** @param groups values by the names of their bars, by the names of the groups; all groups have the same bars */
    public static String svg(String title, Map<String, ? extends Map<String, Double>> groups) {
        double highest = groups.values().stream().flatMap(bars -> bars.values().stream()).mapToDouble(Double::doubleValue).max().orElse(0);
        if (highest <= 0) highest = 1;
        int bars = groups.values().stream().mapToInt(Map::size).max().orElse(1);
        int width = LEFT + groups.size() * (bars * BAR + GAP) + LEGEND;
        StringBuilder svg = new StringBuilder(String.format(Locale.ROOT,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">%n"
                        + "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>%n",
                width, HEIGHT));
        text(svg, LEFT, 18, "start", title);
        double step = highest > 4 ? 1 : highest > 1 ? 0.5 : highest / 4;
        for (double value = 0; value <= highest; value += step) {
            double y = y(value, highest);
            svg.append(String.format(Locale.ROOT, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#dddddd\"/>%n", LEFT, y,
                    width - LEGEND, y));
            text(svg, LEFT - 6, y + 4, "end", String.format(Locale.ROOT, "%.1f", value));
        }
        int x = LEFT + GAP / 2;
        List<String> names = new ArrayList<>();
        for (Map.Entry<String, ? extends Map<String, Double>> group : groups.entrySet()) {
            text(svg, x + bars * BAR / 2.0, HEIGHT - BOTTOM + 18, "middle", group.getKey());
            int place = 0;
            for (Map.Entry<String, Double> bar : group.getValue().entrySet()) {
                double y = y(bar.getValue(), highest);
                svg.append(String.format(Locale.ROOT,
                        "<rect x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" fill=\"%s\"><title>%s: %.2f</title></rect>%n",
                        x + place * BAR, y, BAR - 2, HEIGHT - BOTTOM - y, colour(place), escaped(bar.getKey()), bar.getValue()));
                if (place == names.size()) names.add(bar.getKey());
                place++;
            }
            x += bars * BAR + GAP;
        }
        for (int place = 0; place < names.size(); place++) {
            double y = TOP + 12 + place * 20.0;
            svg.append(String.format(Locale.ROOT, "<rect x=\"%d\" y=\"%.1f\" width=\"14\" height=\"10\" fill=\"%s\"/>%n",
                    width - LEGEND + 12, y - 9, colour(place)));
            text(svg, width - LEGEND + 32, y, "start", names.get(place));
        }
        return svg.append("</svg>\n").toString();
    }

    private static String colour(int place) { return COLOURS.get(place % COLOURS.size()); }

    private static double y(double value, double highest) { return HEIGHT - BOTTOM - value / highest * (HEIGHT - BOTTOM - TOP); }

    private static void text(StringBuilder svg, double x, double y, String anchor, String text) {
        svg.append(String.format(Locale.ROOT, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>%n", x, y, anchor, escaped(text)));
    }

    private static String escaped(String text) { return text.replace("&", "&amp;").replace("<", "&lt;"); }
}
