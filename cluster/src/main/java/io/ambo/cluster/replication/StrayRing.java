package io.ambo.cluster.replication;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.agrona.concurrent.UnsafeBuffer;
import org.agrona.concurrent.ringbuffer.OneToOneRingBuffer;
import org.agrona.concurrent.ringbuffer.RingBufferDescriptor;

/**
 * Strays on their way from one worker to the replicator. Bounded: a stray that finds it full is its worker's to drop.
 *
 * <pre>
 *   message:  0          8      12
 *             | key hash | zone | frame ... |
 * </pre>
 */
final class StrayRing {
    private static final int BYTES = 128 * 1024;
    private static final int STRAY = 1;
    private static final int HASH = 0, ZONE = HASH + 8, FRAME = ZONE + 4;

    /** Takes one stray out. */
    interface Taker {
        void onStray(long keyHash, int zone, byte[] frame);
    }

    private final ByteBuffer bytes = ByteBuffer.allocateDirect(BYTES + RingBufferDescriptor.TRAILER_LENGTH);
    private final MemorySegment memory = MemorySegment.ofBuffer(bytes);
    private final OneToOneRingBuffer ring = new OneToOneRingBuffer(new UnsafeBuffer(bytes));

    /** The worker. @return false when the ring is full or the frame too long for it */
    boolean offer(long keyHash, int zone, MemorySegment from, long frame, int length) {
        if (FRAME + length > ring.maxMsgLength()) return false;
        int at = ring.tryClaim(STRAY, FRAME + length);
        if (at < 0) return false;
        ring.buffer().putLong(at + HASH, keyHash);
        ring.buffer().putInt(at + ZONE, zone);
        MemorySegment.copy(from, frame, memory, at + FRAME, length);
        ring.commit(at);
        return true;
    }

    boolean isEmpty() { return ring.size() == 0; }

    /** The replicator. @return strays taken */
    int take(Taker taker, int most) {
        return ring.read((type, buffer, index, length) -> {
            byte[] frame = new byte[length - FRAME];
            buffer.getBytes(index + FRAME, frame);
            taker.onStray(buffer.getLong(index + HASH), buffer.getInt(index + ZONE), frame);
        }, most);
    }
}
