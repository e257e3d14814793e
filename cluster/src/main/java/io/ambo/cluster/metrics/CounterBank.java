package io.ambo.cluster.metrics;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * The counters of one catalogue. Each writing thread has a row of its own, so that counting is a plain add; readers sum the rows and see values that are
 * at most a moment old.
 */
public final class CounterBank<E extends Enum<E> & CounterName> {
    private static final VarHandle CELLS = MethodHandles.arrayElementVarHandle(long[].class);
    /** Longs before and after a row's cells, so that rows of different threads never share a cache line. */
    private static final int PADDING = 16;

    private final Class<E> catalogue;
    private final List<long[]> rows = new CopyOnWriteArrayList<>();

    public CounterBank(Class<E> catalogue) { this.catalogue = catalogue; }

    /** A row for one thread. */
    public Row newRow() {
        long[] cells = new long[catalogue.getEnumConstants().length + 2 * PADDING];
        rows.add(cells);
        return new Row(cells);
    }

    public long total(E counter) {
        long sum = 0;
        for (long[] cells : rows) sum += (long) CELLS.getOpaque(cells, PADDING + counter.ordinal());
        return sum;
    }

    public List<E> counters() { return List.of(catalogue.getEnumConstants()); }

    /** The counters as one thread writes them. */
    public final class Row {
        private final long[] cells;

        private Row(long[] cells) { this.cells = cells; }

        public void increment(E counter) { add(counter, 1); }

        public void add(E counter, long amount) {
            int cell = PADDING + counter.ordinal();
            CELLS.setOpaque(cells, cell, cells[cell] + amount);
        }

        public long get(E counter) { return cells[PADDING + counter.ordinal()]; }
    }
}
