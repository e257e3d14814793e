package io.ambo.hatests.sim;

import java.io.PrintStream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Everything that happened, as lines. All of them go into the digest: two runs of one seed have the same. The last ones are kept, those of each conversation apart. */
final class EventLog {
    /** Subject of what concerns no conversation. */
    static final int CLUSTER = 0;
    private static final int KEPT_OF_CLUSTER = 60, KEPT_OF_EACH = 60;
    private static final long FNV_BASIS = 0xCBF29CE484222325L, FNV_PRIME = 0x100000001B3L;

    private record Line(long number, String text) {}

    private final Agenda agenda;
    private final Map<Integer, Deque<Line>> kept = new HashMap<>();
    private final @Nullable PrintStream whole;
    private long digest = FNV_BASIS;
    private long lines;

    /** @param whole where every line goes, with its subject in front, and details that no digest has; or null */
    EventLog(Agenda agenda, @Nullable PrintStream whole) {
        this.agenda = agenda;
        this.whole = whole;
    }

    /** @param subject a conversation's number, or {@link #CLUSTER} */
    void add(int subject, String who, String what) {
        String text = text(who, what);
        if (whole != null) whole.println(subject + " " + text);
        for (int i = 0; i < text.length(); i++) digest = (digest ^ text.charAt(i)) * FNV_PRIME;
        Deque<Line> of = kept.computeIfAbsent(subject, nobody -> new ArrayDeque<>());
        of.add(new Line(lines++, text));
        if (of.size() > (subject == CLUSTER ? KEPT_OF_CLUSTER : KEPT_OF_EACH)) of.remove();
    }

    /** For the whole log alone. */
    void detail(int subject, String who, Supplier<String> what) {
        if (whole != null) whole.println(subject + " " + text(who, what.get()));
    }

    private String text(String who, String what) {
        long us = agenda.nowNs() / 1000;
        return us / 1_000_000 + "." + Long.toString(1_000_000 + us % 1_000_000).substring(1) + " " + who + " " + what;
    }

    long digest() { return digest; }

    long lines() { return lines; }

    /** The last lines of these conversations and of the cluster, in the order in which they happened. */
    List<String> last(Iterable<Integer> subjects) {
        List<Line> found = new ArrayList<>(kept.getOrDefault(CLUSTER, new ArrayDeque<>()));
        for (int subject : subjects) if (subject != CLUSTER) found.addAll(kept.getOrDefault(subject, new ArrayDeque<>()));
        found.sort((a, b) -> Long.compare(a.number(), b.number()));
        return found.stream().map(Line::text).toList();
    }
}
