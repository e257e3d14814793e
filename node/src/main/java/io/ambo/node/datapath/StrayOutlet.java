package io.ambo.node.datapath;

import java.lang.foreign.MemorySegment;

/** Sync mode: a worker's way to hand a stray to the one other member that may know its session. One for each worker; allocates nothing, never waits. */
@FunctionalInterface
public interface StrayOutlet {
    /** Nobody else is there. */
    StrayOutlet NONE = (endsHash, zone, opens, memory, ip, length) -> false;

    /**
     * Copies the packet and returns.
     *
     * @param endsHash of the ends that it came with: all nodes pick the same member for them
     * @param zone     number of the zone that it came from
     * @param opens    it opens a connection: its sender will not come again for a second
     * @param ip       offset of its IP header
     * @param length   of the packet, in bytes
     * @return false when nobody is there to take it, or it could not be sent (counted)
     */
    boolean send(long endsHash, int zone, boolean opens, MemorySegment memory, long ip, int length);
}
