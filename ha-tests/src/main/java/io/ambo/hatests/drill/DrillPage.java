package io.ambo.hatests.drill;

import io.ambo.hatests.report.LatencyPlot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Leaves a drill's result in a directory: result.json, and index.html with the latency plot. */
public final class DrillPage {
    private DrillPage() {}

    public static void write(DrillResult result, Path directory) throws IOException {
        Files.createDirectories(directory);
        Files.writeString(directory.resolve("result.json"), result.json());
        if (!result.latencies().isEmpty())
            Files.writeString(directory.resolve("latency.svg"),
                    LatencyPlot.svg(result.drill() + ": latency by percentile", result.latencies()));
        Files.writeString(directory.resolve("index.html"), html(result));
    }

    private static String html(DrillResult result) {
        StringBuilder page = new StringBuilder();
        page.append("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>").append(result.drill()).append("</title>\n");
        page.append(
                "<style>body{font-family:sans-serif;margin:2em;max-width:60em}td{padding:.2em 1em .2em 0}.FAILED{color:#b00020}</style>\n");
        page.append("<h1>").append(result.drill()).append(result.passed() ? ": passed" : ": <span class=\"FAILED\">FAILED</span>")
                .append("</h1>\n<p>")
                .append(LatencyPlot.escape(result.shows())).append("</p>\n<table>\n");
        for (DrillResult.Check check : result.checks()) {
            String word = check.passed() ? "ok" : "FAILED";
            page.append("<tr class=\"").append(word).append("\"><td>").append(word).append("<td>")
                    .append(LatencyPlot.escape(check.sentence())).append("<td>")
                    .append(LatencyPlot.escape(check.found())).append("\n");
        }
        page.append("</table>\n<table>\n");
        for (DrillResult.Figure figure : result.figures())
            page.append(String.format(Locale.ROOT, "<tr><td>%s<td align=\"right\">%,.1f<td>%s%n", LatencyPlot.escape(figure.what()),
                    figure.value(), figure.unit()));
        page.append("</table>\n");
        if (!result.latencies().isEmpty()) page.append("<img src=\"latency.svg\" alt=\"latency by percentile\">\n");
        return page.append("</html>\n").toString();
    }
}
