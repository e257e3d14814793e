package io.ambo.node.io;

import io.ambo.node.sys.Errno;
import io.ambo.node.sys.Libc;
import io.ambo.node.sys.SysException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Blocks one thread until one of its sockets has frames, another thread calls {@link #wakeUp}, or time is over. Lives on the worker's thread, except
 * {@link #wakeUp}.
 *
 * <p>The duty cycle ends with {@code poller.idle(work, timeoutNs)}: that returns at once after a turn with work, spins for a few turns when there was none
 * (a packet that comes within microseconds costs no system call), then blocks. An idle worker burns nothing.
 */
public final class Poller implements AutoCloseable {
    /** Turns without work before the thread blocks. */
    public static final int SPINS_BEFORE_BLOCK = 20;

    /** The worker runs and sees by itself what others did, sleeps and must be woken by a signal, or was told to look. */
    private static final int AWAKE = 0, ASLEEP = 1, TOLD = 2;
    /** struct pollfd: fd, events, revents. */
    private static final int POLLFD_SIZE = 8, POLLFD_EVENTS = 4, POLLFD_REVENTS = 6;
    private static final long NANOSECONDS_PER_SECOND = TimeUnit.SECONDS.toNanos(1);

    private final int eventfd;
    /** One mapping: struct timespec, 8 bytes for reading the eventfd, then the struct pollfd of the eventfd and of each socket. */
    private final MemorySegment memory;
    private final MemorySegment timeout;
    private final MemorySegment scratch;
    private final MemorySegment descriptors;
    private final int[] sockets;
    private int socketCount;
    private int idleTurns;
    private final AtomicInteger state = new AtomicInteger(AWAKE);

    private Poller(int eventfd, MemorySegment memory, int maxSockets) {
        this.eventfd = eventfd;
        this.memory = memory;
        timeout = memory.asSlice(0, 16);
        scratch = memory.asSlice(16, 8);
        descriptors = memory.asSlice(24);
        sockets = new int[maxSockets];
        writeDescriptor(0, eventfd);
    }

    /** @param maxSockets sockets that can be added */
    public static Poller open(int maxSockets) {
        int eventfd = Libc.eventfd();
        try {
            MemorySegment memory = Libc.mmap(24 + (maxSockets + 1L) * POLLFD_SIZE, Libc.PROT_READ | Libc.PROT_WRITE,
                    Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS, -1, 0);
            return new Poller(eventfd, memory, maxSockets);
        } catch (SysException failure) {
            Libc.close(eventfd);
            throw failure;
        }
    }

    public void add(XskSocket socket) { add(socket.fd()); }

    /** Any descriptor that becomes readable. */
    public void add(int fd) {
        if (socketCount == sockets.length) throw new IllegalStateException("more sockets than " + sockets.length);
        sockets[socketCount++] = fd;
        writeDescriptor(socketCount, fd);
    }

    /** Must come before the socket is closed. Without effect when the socket was not added. */
    public void remove(XskSocket socket) {
        for (int i = 0; i < socketCount; i++) {
            if (sockets[i] == socket.fd()) {
                forget(i);
                return;
            }
        }
    }

    /**
     * The end of a duty cycle.
     *
     * @param workCount what the turn has done; above 0 returns at once
     * @param timeoutNs until the next timer of the worker: longest time to block
     */
    public void idle(int workCount, long timeoutNs) {
        if (workCount > 0) {
            idleTurns = 0;
        } else if (idleTurns < SPINS_BEFORE_BLOCK) {
            idleTurns++;
            Thread.onSpinWait();
        } else if (block(timeoutNs) > 0) {
            idleTurns = 0;
        }
    }

    /**
     * Blocks. Returns at once when {@link #wakeUp} was called since the last block.
     *
     * @return sockets that have frames; 0 after a wake-up or the timeout
     */
    public int block(long timeoutNs) {
        long waitNs = state.compareAndSet(AWAKE, ASLEEP) ? Math.max(0, timeoutNs) : 0;
        timeout.set(ValueLayout.JAVA_LONG, 0, waitNs / NANOSECONDS_PER_SECOND);
        timeout.set(ValueLayout.JAVA_LONG, 8, waitNs % NANOSECONDS_PER_SECOND);
        int ready = Libc.poll(descriptors, socketCount + 1, timeout);
        state.set(AWAKE);
        if (ready <= 0) {
            if (ready < 0 && ready != -Errno.EINTR) throw new SysException("wait for frames", -ready, "sockets=" + socketCount, "");
            return 0;
        }
        if (events(0) != 0) {
            Libc.drain(eventfd, scratch);
            ready--;
        }
        return ready;
    }

    /**
     * Ends the present block, or the next one before it starts. Any thread. Costs an atomic exchange, and a system call only if the worker is blocked.
     * What the caller wrote before is visible to the worker after.
     */
    public void wakeUp() { if (state.getAndSet(TOLD) == ASLEEP) Libc.signal(eventfd); }

    /** Any call of {@link #wakeUp} must have returned. */
    @Override
    public void close() {
        Libc.close(eventfd);
        Libc.munmap(memory);
    }

    private void forget(int index) {
        socketCount--;
        sockets[index] = sockets[socketCount];
        if (index < socketCount) {
            MemorySegment.copy(descriptors, (socketCount + 1L) * POLLFD_SIZE, descriptors, (index + 1L) * POLLFD_SIZE, POLLFD_SIZE);
        }
    }

    private void writeDescriptor(int index, int fd) {
        descriptors.set(ValueLayout.JAVA_INT, (long) index * POLLFD_SIZE, fd);
        descriptors.set(ValueLayout.JAVA_SHORT, (long) index * POLLFD_SIZE + POLLFD_EVENTS, Libc.POLLIN);
    }

    private int events(int index) { return descriptors.get(ValueLayout.JAVA_SHORT, (long) index * POLLFD_SIZE + POLLFD_REVENTS); }
}
