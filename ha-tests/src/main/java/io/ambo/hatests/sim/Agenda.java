package io.ambo.hatests.sim;

import java.util.PriorityQueue;

/** What is going to happen, in order of time; of two things at the same time the one that was planned first. Time stands still while something happens. */
final class Agenda {
    static final long US = 1_000, MS = 1_000_000, S = 1_000_000_000;

    private record Entry(long atNs, long order, Runnable act) implements Comparable<Entry> {
        @Override
        public int compareTo(Entry other) {
            int byTime = Long.compare(atNs, other.atNs);
            return byTime != 0 ? byTime : Long.compare(order, other.order);
        }
    }

    private final PriorityQueue<Entry> entries = new PriorityQueue<>();
    private long planned;
    private long nowNs;

    long nowNs() { return nowNs; }

    void at(long atNs, Runnable act) { entries.add(new Entry(Math.max(atNs, nowNs), planned++, act)); }

    void in(long ns, Runnable act) { at(nowNs + ns, act); }

    /** Lets the next thing happen. @return false when nothing is planned up to this time, which it is then */
    boolean next(long untilNs) {
        Entry first = entries.peek();
        if (first == null || first.atNs() > untilNs) {
            nowNs = untilNs;
            return false;
        }
        entries.remove();
        nowNs = first.atNs();
        first.act().run();
        return true;
    }
}
