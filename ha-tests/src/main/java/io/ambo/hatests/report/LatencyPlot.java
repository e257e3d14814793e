package io.ambo.hatests.report;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.HdrHistogram.Histogram;

/** Latency by percentile as an SVG picture: percentiles stretched towards 100 % as is usual, time on a logarithmic scale. */
public final class LatencyPlot {
    private static final int WIDTH = 860, HEIGHT = 420, LEFT = 80, RIGHT = 250, TOP = 30, BOTTOM = 50;
    private static final List<String> COLOURS = List.of("#0b6e99", "#d9730d", "#0f7b6c", "#ad1a72", "#6940a5", "#64473a", "#dfab01",
            "#e03e3e");
    /** The axis ends at 99.999 %: five nines. */
    private static final double NINES = 5;
    private static final List<Double> PERCENTILES = List.of(0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999);

    private LatencyPlot() {}

    /** @param series histograms in nanoseconds by their names */
    public static String svg(String title, Map<String, Histogram> series) {
        double lowestUs = series.values().stream().mapToDouble(h -> h.getMinNonZeroValue() / 1e3).min().orElse(1);
        double highestUs = series.values().stream().mapToDouble(h -> h.getMaxValue() / 1e3).max().orElse(1000);
        double bottom = Math.floor(Math.log10(Math.max(0.1, lowestUs)));
        double top = Math.max(bottom + 1, Math.ceil(Math.log10(Math.max(1, highestUs))));
        StringBuilder svg = new StringBuilder();
        svg.append(String.format(Locale.ROOT,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">%n",
                WIDTH, HEIGHT));
        svg.append("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        text(svg, LEFT, 18, "start", title);
        for (double decade = bottom; decade <= top; decade++) {
            double y = y(Math.pow(10, decade), bottom, top);
            line(svg, LEFT, y, WIDTH - RIGHT, y, "#dddddd");
            text(svg, LEFT - 8, y + 4, "end", label(Math.pow(10, decade)));
        }
        for (double percentile : PERCENTILES) {
            double x = x(percentile);
            line(svg, x, TOP, x, HEIGHT - BOTTOM, "#dddddd");
            text(svg, x, HEIGHT - BOTTOM + 18, "middle", percentile == Math.rint(percentile) ? (int) percentile + " %" : percentile + " %");
        }
        int place = 0;
        for (Map.Entry<String, Histogram> entry : series.entrySet()) {
            String colour = COLOURS.get(place % COLOURS.size());
            svg.append("<polyline fill=\"none\" stroke-width=\"2\" stroke=\"").append(colour).append("\" points=\"");
            for (double nines = 0; nines <= NINES; nines += 0.02) {
                double percentile = 100 - 100 * Math.pow(10, -nines);
                double us = entry.getValue().getValueAtPercentile(percentile) / 1e3;
                svg.append(String.format(Locale.ROOT, "%.1f,%.1f ", x(percentile), y(us, bottom, top)));
            }
            svg.append("\"/>\n");
            double y = TOP + 12 + place * 20.0;
            svg.append(String.format(Locale.ROOT, "<rect x=\"%d\" y=\"%.1f\" width=\"14\" height=\"4\" fill=\"%s\"/>%n", WIDTH - RIGHT + 12,
                    y - 6, colour));
            text(svg, WIDTH - RIGHT + 32, y, "start", entry.getKey());
            place++;
        }
        return svg.append("</svg>\n").toString();
    }

    private static double x(double percentile) {
        double nines = percentile >= 100 ? NINES : Math.min(NINES, -Math.log10(1 - percentile / 100));
        return LEFT + nines / NINES * (WIDTH - RIGHT - LEFT);
    }

    private static double y(double us, double bottom, double top) {
        double share = (Math.log10(Math.max(us, 0.01)) - bottom) / (top - bottom);
        return HEIGHT - BOTTOM - Math.clamp(share, 0, 1) * (HEIGHT - BOTTOM - TOP);
    }

    private static String label(double us) {
        if (us >= 1e6) return (long) (us / 1e6) + " s";
        if (us >= 1e3) return (long) (us / 1e3) + " ms";
        return us >= 1 ? (long) us + " µs" : us + " µs";
    }

    private static void line(StringBuilder svg, double x1, double y1, double x2, double y2, String colour) {
        svg.append(String.format(Locale.ROOT, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>%n", x1, y1, x2, y2,
                colour));
    }

    private static void text(StringBuilder svg, double x, double y, String anchor, String text) {
        svg.append(String.format(Locale.ROOT, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>%n", x, y, anchor, escape(text)));
    }

    /** Text as HTML and SVG want it. */
    public static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }
}
