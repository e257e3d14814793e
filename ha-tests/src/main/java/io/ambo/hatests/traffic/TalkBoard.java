package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.LabException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * What the ends of many connections have sent and received so far, in memory that two processes may share: each end has a slot with one writer, everybody
 * reads. Times are of System.nanoTime, which is one clock for all processes of a machine.
 */
final class TalkBoard {
    /** Slots of one connection: its client's end, its server's. */
    static final int CLIENT = 0, SERVER = 1;

    private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();
    private static final long STOP = 0, ACCEPTED = 8, HEAD_BYTES = 64;
    private static final long SENT = 0, RECEIVED = 8, LAST_ARRIVAL = 16, LONGEST_SILENCE = 24, SENDING_ENDED = 32, RECEIVING_ENDED = 40,
            FAILURE = 48;
    private static final int SLOT_BYTES = 192, FAILURE_BYTES = (int) (SLOT_BYTES - FAILURE - Byte.BYTES);

    private final Arena arena = Arena.ofAuto();
    private final MemorySegment memory;

    /** Of this process alone. */
    TalkBoard(int connections) { memory = arena.allocate(bytes(connections), HEAD_BYTES); }

    /** Shared by all that open this file. */
    TalkBoard(int connections, Path file) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            memory = channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes(connections), arena);
        } catch (IOException failed) {
            throw new LabException("cannot map " + file + ": " + failed.getMessage(), failed);
        }
    }

    private static long bytes(int connections) { return HEAD_BYTES + 2L * connections * SLOT_BYTES; }

    /** Nobody sends from now on. */
    void stop() { set(STOP, 1); }

    boolean isStopped() { return get(STOP) != 0; }

    /** Connections that the server has accepted, in the order in which they came. */
    int accepted() { return (int) get(ACCEPTED); }

    void setAccepted(int count) { set(ACCEPTED, count); }

    Slot slot(int connection, int side) { return new Slot(HEAD_BYTES + (2L * connection + side) * SLOT_BYTES); }

    private long get(long at) { return (long) LONG.getVolatile(memory, at); }

    private void set(long at, long value) { LONG.setVolatile(memory, at, value); }

    /** One end of one connection. */
    final class Slot {
        private final long at;

        private Slot(long at) { this.at = at; }

        long sent() { return get(at + SENT); }

        void setSent(long bytes) { set(at + SENT, bytes); }

        long received() { return get(at + RECEIVED); }

        /** From now on silences count. */
        void begin() { set(at + LAST_ARRIVAL, System.nanoTime()); }

        /** Bytes have arrived just now: so many in all. */
        void setReceived(long bytes) {
            long nowNs = System.nanoTime();
            set(at + LONGEST_SILENCE, Math.max(get(at + LONGEST_SILENCE), nowNs - get(at + LAST_ARRIVAL)));
            set(at + LAST_ARRIVAL, nowNs);
            set(at + RECEIVED, bytes);
        }

        /** A silence that still lasts counts. */
        long longestSilenceNs() {
            return Math.max(get(at + LONGEST_SILENCE), System.nanoTime() - get(at + LAST_ARRIVAL));
        }

        void forgetSilence() { set(at + LONGEST_SILENCE, 0); }

        void setSendingEnded() { set(at + SENDING_ENDED, 1); }

        void setReceivingEnded() { set(at + RECEIVING_ENDED, 1); }

        boolean hasEnded() { return get(at + SENDING_ENDED) != 0 && get(at + RECEIVING_ENDED) != 0; }

        /** The first failure stays. Its text is cut to what the slot holds. */
        synchronized void fail(String why) {
            if (!failure().isEmpty()) return;
            byte[] text = (why.isEmpty() ? "unknown" : why).getBytes(StandardCharsets.UTF_8);
            int length = Math.min(text.length, FAILURE_BYTES);
            MemorySegment.copy(text, 0, memory, ValueLayout.JAVA_BYTE, at + FAILURE + Byte.BYTES, length);
            VarHandle.releaseFence();
            memory.set(ValueLayout.JAVA_BYTE, at + FAILURE, (byte) length);
        }

        /** @return why this end failed, empty if it did not */
        String failure() {
            int length = memory.get(ValueLayout.JAVA_BYTE, at + FAILURE) & 0xff;
            VarHandle.acquireFence();
            byte[] text = new byte[length];
            MemorySegment.copy(memory, ValueLayout.JAVA_BYTE, at + FAILURE + Byte.BYTES, text, 0, length);
            return new String(text, StandardCharsets.UTF_8);
        }
    }
}
