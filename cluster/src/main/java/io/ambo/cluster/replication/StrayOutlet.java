package io.ambo.cluster.replication;

import java.lang.foreign.MemorySegment;

/** A packet worker's way to hand a stray to a peer that may know its session: one for each worker, used by that thread only. */
public interface StrayOutlet {

    /**
     * Copies the frame into the worker's ring and returns. Never waits.
     *
     * @param keyHash of the session that the packet would belong to: all nodes pick the same peer for it
     * @param zone    number of the zone that the packet came from
     * @param frame   offset of its Ethernet header in the memory
     * @return false when nobody is there to take it, or too many are on their way already (counted)
     */
    boolean send(long keyHash, int zone, MemorySegment memory, long frame, int length);
}
