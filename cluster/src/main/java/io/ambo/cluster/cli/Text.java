package io.ambo.cluster.cli;

import io.ambo.proto.control.NodeAnswer;
import java.util.List;

/** How the CLI says durations, sizes and lists. */
final class Text {
    private static final long[] UNIT_SECONDS = { 86_400, 3600, 60, 1 };
    private static final String[] UNITS = { "d", "h", "m", "s" };

    private Text() {}

    /** The two largest units: 1 h 59 m; 3 s; 250 ms. */
    static String duration(long ms) {
        if (ms < 0) return "-" + duration(-ms);
        if (ms < 1000) return ms + " ms";
        long seconds = ms / 1000;
        for (int i = 0; i < UNITS.length; i++) {
            if (seconds < UNIT_SECONDS[i]) continue;
            String text = seconds / UNIT_SECONDS[i] + " " + UNITS[i];
            long rest = seconds % UNIT_SECONDS[i];
            return i + 1 < UNITS.length && rest >= UNIT_SECONDS[i + 1]
                    ? text + " " + rest / UNIT_SECONDS[i + 1] + " " + UNITS[i + 1]
                    : text;
        }
        return "0 s";
    }

    /** 812 B, 2.3 KiB, 4.0 GiB. */
    static String bytes(long bytes) {
        if (bytes < 1024) return bytes + " B";
        double value = bytes;
        String unit = "";
        for (String next : List.of("KiB", "MiB", "GiB", "TiB")) {
            value /= 1024;
            unit = next;
            if (value < 1024) break;
        }
        return String.format(java.util.Locale.ROOT, "%.1f %s", value, unit);
    }

    /** 1 session, 2 sessions. */
    static String count(long count, String noun) {
        return Long.toUnsignedString(count) + " " + noun + (count == 1 ? "" : "s");
    }

    /** a, b and c */
    static String list(List<String> words) {
        if (words.size() < 2) return String.join("", words);
        return String.join(", ", words.subList(0, words.size() - 1)) + " and " + words.getLast();
    }

    /** What an answer says when it is an error: b did not answer within 2000 ms (...). */
    static String failure(NodeAnswer answer) {
        String remedy = answer.getError().getRemedy();
        return answer.getNode() + " " + answer.getError().getMessage() + (remedy.isEmpty() ? "" : " (" + remedy + ")");
    }
}
