package io.ambo.hatests.drill;

import io.ambo.hatests.report.Json;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.HdrHistogram.Histogram;

/**
 * What a drill found.
 *
 * @param latencies distributions in nanoseconds by name
 */
public record DrillResult(String drill, String shows, List<Check> checks, List<Figure> figures, Map<String, Histogram> latencies,
        long durationMs) {

    /** Something that must be so. */
    public record Check(String sentence, boolean passed, String found) {}

    /** Something measured. */
    public record Figure(String what, double value, String unit) {}

    public boolean passed() { return !checks.isEmpty() && checks.stream().allMatch(Check::passed); }

    public String text() {
        StringBuilder text = new StringBuilder();
        text.append(drill).append(": ").append(shows).append('\n');
        for (Figure figure : figures)
            text.append(String.format(Locale.ROOT, "  %-58s %,14.1f %s%n", figure.what(), figure.value(), figure.unit()));
        for (Check check : checks)
            text.append(String.format(Locale.ROOT, "  %-6s %s (%s)%n", check.passed() ? "ok" : "FAILED", check.sentence(), check.found()));
        return text.append(String.format(Locale.ROOT, "%s: %s in %.1f s%n", drill, passed() ? "passed" : "FAILED", durationMs / 1e3))
                .toString();
    }

    public String json() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("drill", drill);
        json.put("shows", shows);
        json.put("passed", passed());
        json.put("durationMs", durationMs);
        json.put("checks", checks.stream()
                .map(check -> ordered("check", check.sentence(), "passed", check.passed(), "found", check.found())).toList());
        json.put("figures",
                figures.stream().map(figure -> ordered("what", figure.what(), "value", figure.value(), "unit", figure.unit())).toList());
        return Json.write(json);
    }

    private static Map<String, Object> ordered(Object... namesAndValues) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) map.put(namesAndValues[i].toString(), namesAndValues[i + 1]);
        return map;
    }
}
