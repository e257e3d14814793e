package io.ambo.cluster.replication;

import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Lets one thread sleep until another has work for it. Waking a thread that is awake costs a fence and a read; only a sleeper costs a system call.
 */
public final class Wakeup {
    private volatile boolean asleep;
    private volatile @Nullable Thread sleeper;

    /** The work has been published before this call. */
    public void signal() {
        VarHandle.fullFence();
        if (asleep) {
            asleep = false;
            LockSupport.unpark(sleeper);
        }
    }

    /**
     * Sleeps unless there is work already. One thread only.
     *
     * @param longestNs after which it returns even when nobody has called {@link #signal}
     */
    public void await(BooleanSupplier hasWork, long longestNs) {
        sleeper = Thread.currentThread();
        asleep = true;
        VarHandle.fullFence();
        if (longestNs > 0 && !hasWork.getAsBoolean()) LockSupport.parkNanos(this, longestNs);
        asleep = false;
    }
}
