package io.ambo.cluster.replication;

import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Lets one thread sleep until another has work for it. Waking a thread that is awake costs a fence and a read; only a sleeper costs a system call.
 */
final class Wakeup {
    /** The sleeper looks again after this long even when nobody wakes it. */
    private static final long LONGEST_SLEEP_NS = 50_000_000L;

    private volatile boolean asleep;
    private volatile @Nullable Thread sleeper;

    /** The work has been published before this call. */
    void signal() {
        VarHandle.fullFence();
        if (asleep) {
            asleep = false;
            LockSupport.unpark(sleeper);
        }
    }

    /** Sleeps unless there is work already. One thread only. */
    void await(BooleanSupplier hasWork) {
        sleeper = Thread.currentThread();
        asleep = true;
        VarHandle.fullFence();
        if (!hasWork.getAsBoolean()) LockSupport.parkNanos(this, LONGEST_SLEEP_NS);
        asleep = false;
    }
}
