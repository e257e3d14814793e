package io.ambo.cluster;

import io.ambo.cluster.time.Clock;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What happened in the cluster as this node saw it, for the operator: the newest {@link #SIZE} events. What is said again within {@link #FOLD_MS} is counted
 * on the event that is there, so that a flood of one kind leaves the others to be read. Any thread; not for packets.
 */
public final class EventLog {
    /** Events kept. */
    public static final int SIZE = 1024;
    private static final long FOLD_MS = 60_000;
    private static final int LONGEST_TEXT = 1000;

    /** What it is about. The CLI filters by it. */
    public enum Kind {
        // @formatter:off
        /** The process started, stopped, restarted. */
        NODE,
        /** Members came and went. */
        VIEW,
        /** The gate opened or closed. */
        GATE,
        /** Parts of the cluster that were separated have joined their tables. */
        MERGE,
        /** Tables were compared and made equal. */
        RESYNC,
        /** Somebody or something on the sync link was refused. */
        REFUSAL,
        /** The config or the cluster's key was changed. */
        CONFIG,
        /** Floating addresses moved. */
        ADDRESS,
        /** Sessions and addresses were handed over. */
        DRAIN;
        // @formatter:on

        public String label() { return name().toLowerCase(Locale.ROOT); }
    }

    /**
     * One event.
     *
     * @param number 1, 2, 3 ... within a run
     * @param ageMs  since it happened (the first time)
     * @param wallMs when it happened (the first time), as this host's wall clock said
     * @param times  how often it was said
     */
    public record Event(long number, long ageMs, long wallMs, Kind kind, String text, int times) {}

    /**
     * A part of the log.
     *
     * @param run    names the start of this node: numbers of another run mean nothing
     * @param events oldest first
     * @param next   ask for what comes after this number the next time
     * @param missed events after the number asked for that are no longer there
     */
    public record Page(long run, List<Event> events, long next, long missed) {}

    private static final class Entry {
        final long number;
        final long atMs;
        final long wallMs;
        final Kind kind;
        final String text;
        int times = 1;

        Entry(long number, long atMs, long wallMs, Kind kind, String text) {
            this.number = number;
            this.atMs = atMs;
            this.wallMs = wallMs;
            this.kind = kind;
            this.text = text;
        }
    }

    private final Clock clock;
    private final long run;
    private final ArrayDeque<Entry> entries = new ArrayDeque<>(SIZE);
    private long last;

    /** @param run random, new with each start */
    public EventLog(Clock clock, long run) {
        this.clock = clock;
        this.run = run;
    }

    /** @param text one sentence without a full stop, to be read after "node a:" */
    public synchronized void add(Kind kind, String text) {
        String kept = text.length() > LONGEST_TEXT ? text.substring(0, LONGEST_TEXT) : text;
        long nowMs = clock.monotonicMs();
        Entry same = latestLike(kind, kept, nowMs);
        if (same != null) {
            same.times++;
            return;
        }
        if (entries.size() == SIZE) entries.removeFirst();
        entries.addLast(new Entry(++last, nowMs, clock.wallMs(), kind, kept));
    }

    /**
     * Events after a number.
     *
     * @param ofRun  the run that the number is of; another run's: from the start
     * @param number 0: from the start
     * @param most   events; when there are more, the oldest come first, and {@link Page#next} leads on
     */
    public synchronized Page after(long ofRun, long number, int most) {
        long from = ofRun == run ? number : 0;
        List<Event> page = new ArrayList<>();
        long next = from;
        long oldest = entries.isEmpty() ? last + 1 : entries.getFirst().number;
        for (Entry entry : entries) {
            if (entry.number <= from) continue;
            if (page.size() == most) break;
            page.add(event(entry));
            next = entry.number;
        }
        return new Page(run, page, next, Math.max(0, oldest - from - 1));
    }

    /** The newest events, at most so many. */
    public synchronized Page newest(int most) {
        Page page = after(run, Math.max(0, last - most), most);
        return new Page(run, page.events(), last, 0);
    }

    private Event event(Entry entry) {
        return new Event(entry.number, clock.monotonicMs() - entry.atMs, entry.wallMs, entry.kind, entry.text, entry.times);
    }

    private @Nullable Entry latestLike(Kind kind, String text, long nowMs) {
        for (Iterator<Entry> newestFirst = entries.descendingIterator(); newestFirst.hasNext();) {
            Entry entry = newestFirst.next();
            if (nowMs - entry.atMs >= FOLD_MS) return null;
            if (entry.kind == kind) return entry.text.equals(text) ? entry : null;
        }
        return null;
    }
}
