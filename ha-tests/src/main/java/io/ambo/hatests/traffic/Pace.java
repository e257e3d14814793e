package io.ambo.hatests.traffic;

import io.ambo.hatests.sys.Libc;
import java.util.concurrent.locks.LockSupport;

/** A sender's steady pace. It comes before all other threads and sleeps between its calls, as if it had a processor of its own; that one is for those that are measured. */
final class Pace {
    /** A sender that did not get its processor for longer does not make up for it: that would be another rate. */
    private static final long LATEST_NS = 1_000_000;

    private Pace() {}

    /**
     * Sends so many a second for so long, on the calling thread.
     *
     * @param send sends {@code atOnce}
     * @return how many
     */
    static long keep(int cpu, long durationMs, int perSecond, int atOnce, Runnable send) {
        Libc.pinThread(cpu);
        Libc.realTime(true);
        try {
            long total = perSecond * durationMs / 1000;
            long sent = 0;
            for (long dueNs = System.nanoTime(); sent < total; sent += atOnce) {
                for (long left = dueNs - System.nanoTime(); left > 0; left = dueNs - System.nanoTime()) LockSupport.parkNanos(left);
                dueNs = Math.max(dueNs, System.nanoTime() - LATEST_NS) + atOnce * 1_000_000_000L / perSecond;
                send.run();
            }
            return sent;
        } finally {
            Libc.realTime(false);
        }
    }
}
