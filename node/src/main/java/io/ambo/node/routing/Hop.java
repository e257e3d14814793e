package io.ambo.node.routing;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * A neighbour that routes lead to. Shared: workers read its word and say that they use it; the netlink thread writes what the kernel reports. A worker
 * writes only over UNKNOWN, so it can never undo what the kernel said later.
 *
 * <pre>
 *   word:  63      48 47                                   0
 *         | status   | hardware address                     |
 *
 *   UNKNOWN -> RESOLVING -> USABLE <-> STALE          RETIRED: no longer followed; whoever still has it looks the route up again
 *                    \-> FAILED (stays so while the kernel tries again, so that senders are told at once) -> USABLE
 * </pre>
 */
final class Hop {
    static final int UNKNOWN = 0, RESOLVING = 1, USABLE = 2, STALE = 3, FAILED = 4, RETIRED = 5;
    private static final long MAC_MASK = 0xFFFF_FFFF_FFFFL;
    private static final VarHandle WORD;
    private static final VarHandle USED;
    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            WORD = lookup.findVarHandle(Hop.class, "word", long.class);
            USED = lookup.findVarHandle(Hop.class, "used", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** The kernel's interface index. */
    final int index;
    final long high;
    final long low;
    @SuppressWarnings("unused") // by its VarHandle
    private long word;
    @SuppressWarnings("unused") // by its VarHandle
    private boolean used;

    /** The netlink thread's own notes: times of its clock, and how many seconds it has seen the hop resolving. */
    long lastUsedMs;
    long lastSolicitedMs;
    int resolvingTicks;

    Hop(int index, long high, long low) {
        this.index = index;
        this.high = high;
        this.low = low;
    }

    static long word(int status, long mac) { return (long) status << 48 | mac & MAC_MASK; }

    static int status(long word) { return (int) (word >>> 48); }

    static long mac(long word) { return word & MAC_MASK; }

    long word() { return (long) WORD.getAcquire(this); }

    void set(long newWord) { WORD.setRelease(this, newWord); }

    /** A worker's way to write: only when nothing was known. */
    boolean setIfUnknown(long newWord) {
        return WORD.compareAndSet(this, word(UNKNOWN, 0), newWord);
    }

    void markUsed() { if (!(boolean) USED.getOpaque(this)) USED.setOpaque(this, true); }

    /** True once after each time that somebody used it. */
    boolean takeUsed() {
        boolean was = (boolean) USED.getOpaque(this);
        if (was) USED.setOpaque(this, false);
        return was;
    }

    boolean isIpv4() { return Address.isIpv4(high, low); }

    @Override
    public String toString() { return new Address(high, low) + " on interface " + index; }
}
