package io.ambo.node.datapath;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/** What the keepers' threads have in common: they rest between turns, and end when they are told to. */
final class Keepers {
    private static final Logger LOG = LogManager.getLogger();
    private static final Duration LONGEST_END = Duration.ofSeconds(10);

    private Keepers() {}

    /** Wakes a thread that has been told to end, and waits for it. One that was never started has ended. */
    static void end(Thread thread) {
        if (!thread.isAlive()) return;
        LockSupport.unpark(thread);
        try {
            if (!thread.join(LONGEST_END)) LOG.error("{} does not end", thread.getName());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
