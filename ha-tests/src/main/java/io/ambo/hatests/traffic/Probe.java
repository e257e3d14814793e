package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Line;
import io.ambo.hatests.sys.Libc;
import io.ambo.hatests.sys.PacketSocket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Single datagrams at a steady pace from the client of a line, each with its number and the time at which it was handed to the kernel; the {@link Generator}'s
 * sink makes a distribution of delays of them.
 */
public final class Probe implements AutoCloseable {
    private static final int FRAME = 60, CHECKSUM = 40, STAMP = 42, FIRST_PORT = 50_000;

    private final Line line;
    private final int cpu;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment[] frames;
    private final PacketSocket wire;
    private long round;

    /** @param cpu that sends */
    public Probe(Line line, int flows, int cpu) {
        this.line = line;
        this.cpu = cpu;
        frames = new MemorySegment[flows];
        long from = line.client().macOf("eth0");
        long to = line.a().host().macOf("left");
        for (int flow = 0; flow < flows; flow++) {
            byte[] frame = Frames.udp(new Frames.Ends(from, to, Addresses.of(Addresses.CLIENT), FIRST_PORT + flow,
                    Addresses.of(Addresses.SERVER), Generator.SERVER_PORT), new byte[FRAME - STAMP]);
            // No checksum: the stamp changes.
            frame[CHECKSUM] = 0;
            frame[CHECKSUM + 1] = 0;
            frames[flow] = arena.allocateFrom(ValueLayout.JAVA_BYTE, frame);
        }
        wire = line.client().call(() -> PacketSocket.sender("eth0"));
    }

    /** Sends for so long. @return datagrams sent */
    public long run(long durationMs, int perSecond) {
        return line.client().call(() -> {
            Libc.pinThread(cpu);
            long sent = 0;
            long intervalNs = 1_000_000_000L / perSecond;
            long nextNs = System.nanoTime();
            long endNs = nextNs + durationMs * 1_000_000;
            int flow = 0;
            while (nextNs < endNs) {
                while (System.nanoTime() < nextNs) Thread.onSpinWait();
                MemorySegment frame = frames[flow];
                frame.set(ValueLayout.JAVA_LONG_UNALIGNED, STAMP, round);
                frame.set(ValueLayout.JAVA_LONG_UNALIGNED, STAMP + 8, System.nanoTime());
                wire.setFrame(0, frame, FRAME);
                wire.sendPrepared(1);
                sent++;
                if (++flow == frames.length) {
                    flow = 0;
                    round++;
                }
                // Late by more than a step: no burst makes up for it.
                nextNs = Math.max(nextNs + intervalNs, System.nanoTime() - intervalNs);
            }
            return sent;
        });
    }

    @Override
    public void close() {
        wire.close();
        arena.close();
    }
}
